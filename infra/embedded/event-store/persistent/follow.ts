import { isLink, resolved } from '../links.ts'
import type { Log } from '../log.ts'
import type { LogRecord } from '../record.ts'
import type { Engine, Passed, Placed } from './engine.ts'
import { insist } from './insist.ts'
import { accepting, isNoteOnAll, placeIn, type Source } from './source.ts'

/** How many events are looked at at once for one that is wanted. */
const GLANCE = 500

type Following = {
  readonly log: Log
  readonly source: Source
  readonly resolveLinks: boolean
  readonly engine: Pick<Engine, 'room' | 'take' | 'caughtUp'>
  /** Resolves when the engine may have room again. */
  readonly roomier: () => Promise<void>
  readonly signal: AbortSignal
}

/** Resolves when there is something behind `position`, or when it is over. */
const arrival = async (log: Log, position: number, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = (): void => resolve()
  signal.addEventListener('abort', stop)
  const forget = log.whenPast(position, resolve)
  await promise
  forget()
  signal.removeEventListener('abort', stop)
}

/** Resolves when an event of `stream` lies behind `position`; other streams' events are passed over in memory. */
const nextOf = async (log: Log, stream: string, position: number, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    const records = await log.after(position, GLANCE)
    if (records.some((it) => it.stream === stream)) return
    position = records.at(-1)?.position ?? position
    if (records.length === 0) await arrival(log, position, signal)
  }
}

type Page = {
  readonly events: readonly (LogRecord | Passed)[]
  /** Where to go on after. */
  readonly place: number
  /** Resolves when there is more; undefined when there is more already. */
  readonly more: (() => Promise<void>) | undefined
}

type Read = (after: number, room: number) => Promise<Page>

const readingStream = ({ log, signal }: Following, stream: string): Read => async (after, room) => {
  const head = log.head()
  const page = await log.readStream(stream, { from: after + 1, max: room, backward: false })
  const { events, next } = page.outcome === 'page' ? page : { events: [], next: undefined }
  const place = next === undefined ? (events.at(-1)?.revision ?? after) : next - 1
  return { events, place, more: next === undefined ? () => nextOf(log, stream, head, signal) : undefined }
}

const readingAll = ({ log, signal }: Following, accepts: (record: LogRecord) => boolean): Read => async (after, room) => {
  const records = await log.after(after, Math.max(room, GLANCE))
  const events: (LogRecord | Passed)[] = []
  let place = after
  let accepted = 0
  for (const record of records) {
    if (accepted === room) break
    place = record.position
    // A note on its own progress must not count as progress: there would be another note, and so on for ever.
    if (isNoteOnAll(record)) continue
    const wanted = accepts(record)
    events.push(wanted ? record : { place, passed: true })
    if (wanted) accepted += 1
  }
  return { events, place, more: records.length > 0 ? undefined : () => arrival(log, after, signal) }
}

/**
 * Gives a group's engine what its source holds behind a place, and what comes, as fast as it has room.
 *
 * @param from the place before the first event; -1 for the beginning
 * @param now the time in ms
 */
export const follow = async (following: Following, from: number, now: () => number): Promise<void> => {
  const { log, source, engine, resolveLinks, roomier, signal } = following
  const read = source.stream === undefined
    ? readingAll(following, accepting(source.filter))
    : readingStream(following, source.stream)
  const delivered = async (record: LogRecord | Passed): Promise<Placed | Passed> => {
    if ('passed' in record) return record
    const { event } = resolveLinks && isLink(record) ? await resolved(log, record) : { event: record }
    return { place: placeIn(source, record), original: record, event }
  }
  let place = from
  while (!signal.aborted) {
    const room = engine.room()
    if (room === 0) {
      await roomier()
      continue
    }
    const after = place
    const page = await insist(() => read(after, room), signal)
    const events = await insist(() => Promise.all(page.events.map(delivered)), signal)
    if (signal.aborted) return
    place = page.place
    if (events.length > 0) engine.take(events, now())
    if (page.more === undefined) continue
    engine.caughtUp()
    await insist(page.more, signal)
  }
}
