import { streamNotFoundBytes } from './encode.ts'
import type { Log } from './log.ts'
import type { Outlet } from './outlet.ts'
import type { ReadRequest } from './read-request.ts'
import { FIRST_POSITION, type LogRecord, nextPageSize } from './record.ts'
import { malformed, streamDeleted } from './refusal.ts'
import { sending } from './sending.ts'

/** The first page is small, since most streams are. */
const FIRST_PAGE = 100

/** Events, and where the next ones begin: a revision or a position; undefined at the end. */
type Page = { readonly events: readonly LogRecord[]; readonly next: number | undefined }

/** At most `max` of the events that begin at `from`. */
type Fetch = (from: number, max: number) => Promise<Page>

const END: Page = { events: [], next: undefined }

/** What is said of a log must hold for the log one may read, which can differ from caller to caller. */
type Readable = Pick<Log, 'storage' | 'head' | 'readStream'>

type Reading = { readonly log: Readable; readonly request: ReadRequest; readonly to: Outlet }

/** Sends page after page; while the client takes one, the next is fetched. */
const sendPages = async (fetch: Fetch, first: number, { log, request, to }: Reading): Promise<void> => {
  const { filter, limit = Infinity } = request
  const send = sending(log, request, to)
  let remaining = limit
  // An unfiltered read never needs more than what remains of its limit.
  const sizeOf = (wanted: number): number => (filter === undefined ? Math.min(wanted, remaining) : wanted)
  let page = remaining > 0 ? await fetch(first, sizeOf(FIRST_PAGE)) : END
  while (!to.gone()) {
    const { events, next } = page
    const accepted = (filter === undefined ? events : events.filter(filter.accepts)).slice(0, remaining)
    remaining -= accepted.length
    const more = next !== undefined && remaining > 0
    const coming = more ? fetch(next, sizeOf(events.length > 0 ? nextPageSize(events) : FIRST_PAGE)) : undefined
    // Awaited below; should the client leave first, its failure is nobody's concern.
    coming?.catch(() => undefined)
    for (const record of accepted) {
      const sent = send(record)
      if (sent !== undefined) await sent
    }
    await to.drained()
    if (coming === undefined) return
    page = await coming
  }
}

/** A forward read from a position names the event it begins with; anything else is not a position of this log. */
const checkBoundary = (from: number, first: LogRecord | undefined): void => {
  if (from >= FIRST_POSITION && first !== undefined && first.position !== from) throw malformed('Invalid Position')
}

const readAll = async (reading: Reading): Promise<void> => {
  const { log: { storage, head }, request: { from, backward } } = reading
  const fetch: Fetch = async (position, max) => {
    const events = await storage.scanAll(position, max, backward)
    const last = events.length === max ? events.at(-1)?.position : undefined
    return { events, next: last === undefined || backward ? last : last + 1 }
  }
  if (backward) {
    await sendPages(fetch, from === 'end' ? head() + 1 : from === 'start' ? 0 : from, reading)
    return
  }
  if (from === 'end') return
  const first = from === 'start' ? 0 : from
  const checked: Fetch = async (position, max) => {
    const page = await fetch(position, max)
    if (position === first) checkBoundary(first, page.events[0])
    return page
  }
  await sendPages(checked, first, reading)
}

const readStream = async (stream: string, reading: Reading): Promise<void> => {
  const { log, request: { from, backward }, to } = reading
  const first = from === 'start' ? 0 : from === 'end' ? Number.MAX_SAFE_INTEGER : from
  const fetch: Fetch = async (revision, max) => {
    const page = await log.readStream(stream, { from: revision, max, backward })
    if (page.outcome === 'deleted') throw streamDeleted(stream)
    if (page.outcome === 'page') return page
    if (revision === first) to.send(streamNotFoundBytes(stream))
    return END
  }
  await sendPages(fetch, first, reading)
}

/**
 * Answers a read of a stream or of `$all`, both ways. Forward reads include where they begin; a backward read of `$all`
 * excludes it, a backward read of a stream includes it. Past the end there is nothing, which is no error.
 */
export const read = async (log: Readable, request: ReadRequest, to: Outlet): Promise<void> => {
  const reading = { log, request, to }
  if (request.stream === undefined) await readAll(reading)
  else await readStream(request.stream, reading)
  to.end()
}
