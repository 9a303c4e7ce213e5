import { randomUUID } from 'node:crypto'
import { caughtUpBytes, checkpointBytes, confirmationBytes } from './encode.ts'
import type { Log } from './log.ts'
import type { Outlet } from './outlet.ts'
import type { ReadRequest } from './read-request.ts'
import { ABSENT, FIRST_POSITION, type LogRecord, nextPageSize, TOMBSTONE } from './record.ts'
import { malformed, streamDeleted } from './refusal.ts'
import { sending } from './sending.ts'

/** How many events are fetched first, before their size is known. */
const FIRST_PAGE = 100

/** How many events in memory are looked at at once for one of a certain stream. */
const GLANCE = 1_000

/** Resolves when there is something behind `position`, or when nobody listens any more. */
const arrival = async (log: Log, position: number, to: Outlet): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const forget = [log.whenPast(position, resolve), to.onGone(resolve)]
  await promise
  for (const it of forget) it()
}

/** The position after which a subscription to `$all` begins. */
const startOf = async (log: Log, { from }: ReadRequest): Promise<number> => {
  if (from === 'start') return 0
  if (from === 'end') return log.head()
  if (from < FIRST_POSITION || from > log.head()) return from
  const [first] = await log.storage.scanAll(from, 1, false)
  if (first !== undefined && first.position !== from) throw malformed('Invalid Position')
  return from
}

/** Counts what a filter has considered and says when a checkpoint is due. */
const checkpoints = ({ filter }: ReadRequest, to: Outlet) => {
  let considered = 0
  let sentAt = -1
  const send = (position: number): void => {
    if (filter === undefined || position === sentAt) return
    considered = 0
    sentAt = position
    to.send(checkpointBytes(position))
  }
  return {
    consider: ({ position }: LogRecord): void => {
      considered += 1
      if (filter !== undefined && considered >= filter.checkpointEvery) send(position)
    },
    send,
  }
}

const followAll = async (log: Log, request: ReadRequest, to: Outlet): Promise<void> => {
  let position = await startOf(log, request)
  let live = false
  let size = FIRST_PAGE
  const checkpoint = checkpoints(request, to)
  const send = sending(log, request, to)
  const { accepts } = request.filter ?? { accepts: () => true }
  while (!to.gone()) {
    const records = await log.after(position, size)
    for (const record of records) {
      const sent = accepts(record) ? send(record) : undefined
      if (sent !== undefined) await sent
      checkpoint.consider(record)
    }
    position = records.at(-1)?.position ?? position
    await to.drained()
    if (records.length > 0) {
      size = nextPageSize(records)
      continue
    }
    if (!live) {
      live = true
      // A log without events has no position to tell.
      if (position >= FIRST_POSITION) checkpoint.send(position)
      to.send(caughtUpBytes())
    }
    await arrival(log, position, to)
  }
}

/** The revision after which a subscription to a stream begins. */
const revisionOf = async ({ storage }: Log, stream: string, { from }: ReadRequest): Promise<number> => {
  if (from === 'start') return -1
  return from === 'end' ? ((await storage.headOf(stream))?.revision ?? -1) : Math.min(from, Number.MAX_SAFE_INTEGER - 1)
}

type Sent = { readonly log: Log; readonly stream: string; readonly to: Outlet; readonly send: ReturnType<typeof sending> }

/** Sends what the stream's metadata lets be read. @returns the revision that is the last one then, whether or not it was sent */
const catchUp = async ({ log, stream, to, send }: Sent, after: number): Promise<number> => {
  let last = after
  let size = FIRST_PAGE
  for (let from: number | undefined = after + 1; from !== undefined && !to.gone();) {
    // What lies before this and is not in the page is not to be read at all.
    const head = (await log.storage.headOf(stream))?.revision ?? ABSENT
    const page = await log.readStream(stream, { from, max: size, backward: false })
    if (page.outcome === 'deleted') throw streamDeleted(stream)
    const events = page.outcome === 'page' ? page.events : []
    for (const record of events) await send(record)
    await to.drained()
    from = page.outcome === 'page' ? page.next : undefined
    last = events.at(-1)?.revision ?? last
    if (events.length > 0) size = nextPageSize(events)
    if (from === undefined) last = Math.max(last, head)
  }
  return last
}

/** What arrives is sent whatever the metadata says, as the real server does. Ends with the stream. */
const followLive = async ({ log, stream, to, send }: Sent, after: number): Promise<void> => {
  let revision = after
  let size = FIRST_PAGE
  while (!to.gone()) {
    const head = log.head()
    const records = await log.storage.scanStream(stream, revision + 1, size, false)
    for (const record of records) {
      if (record.revision === TOMBSTONE) throw streamDeleted(stream)
      await send(record)
    }
    revision = records.at(-1)?.revision ?? revision
    await to.drained()
    const full = records.length === size
    if (records.length > 0) size = nextPageSize(records)
    if (!full) await nextOf(log, stream, head, to)
  }
}

const followStream = async (log: Log, stream: string, request: ReadRequest, to: Outlet): Promise<void> => {
  const sent = { log, stream, to, send: sending(log, request, to) }
  const revision = await catchUp(sent, await revisionOf(log, stream, request))
  to.send(caughtUpBytes())
  await followLive(sent, revision)
}

/** Resolves when an event of `stream` lies behind `position`. Other streams' events are passed over in memory. */
const nextOf = async (log: Log, stream: string, position: number, to: Outlet): Promise<void> => {
  while (!to.gone()) {
    const records = await log.after(position, GLANCE)
    if (records.some((it) => it.stream === stream)) return
    position = records.at(-1)?.position ?? position
    if (records.length === 0) await arrival(log, position, to)
  }
}

/**
 * Answers a catch-up subscription: what is there, then what comes, until the client leaves. Begins after its starting
 * point.
 */
export const subscribe = async (log: Log, request: ReadRequest, to: Outlet): Promise<void> => {
  to.send(confirmationBytes(randomUUID()))
  if (request.stream === undefined) await followAll(log, request, to)
  else await followStream(log, request.stream, request, to)
}
