import { eventBytes, streamNotFoundBytes } from './encode.ts'
import type { Log } from './log.ts'
import type { Outlet } from './outlet.ts'
import type { ReadRequest } from './read-request.ts'
import { FIRST_POSITION, type LogRecord, nextPageSize } from './record.ts'
import { malformed } from './refusal.ts'

/** The first page is small, since most streams are. */
const FIRST_PAGE = 100

/** The next events, given where the last page ended; nothing for the first. */
type Fetch = (last: LogRecord | undefined, max: number) => Promise<readonly LogRecord[]>

/** Sends page after page; while the client takes one, the next is fetched. Returns how many events were seen. */
const sendPages = async (fetch: Fetch, request: ReadRequest, to: Outlet): Promise<number> => {
  const { filter, uuids, limit = Infinity } = request
  let remaining = limit
  let seen = 0
  // An unfiltered read never needs more than what remains of its limit.
  const sizeOf = (wanted: number): number => (filter === undefined ? Math.min(wanted, remaining) : wanted)
  let asked = sizeOf(FIRST_PAGE)
  let page = await fetch(undefined, asked)
  while (page.length > 0 && !to.gone()) {
    seen += page.length
    const accepted = (filter === undefined ? page : page.filter(filter.accepts)).slice(0, remaining)
    remaining -= accepted.length
    const more = remaining > 0 && page.length === asked
    asked = sizeOf(nextPageSize(page))
    const next = more ? fetch(page.at(-1), asked) : Promise.resolve([])
    // Awaited below; should the client leave first, its failure is nobody's concern.
    next.catch(() => undefined)
    for (const record of accepted) to.send(eventBytes(record, uuids))
    await to.drained()
    page = await next
  }
  return seen
}

/** A forward read from a position names the event it begins with; anything else is not a position of this log. */
const checkBoundary = (from: number, first: LogRecord | undefined): void => {
  if (from >= FIRST_POSITION && first !== undefined && first.position !== from) throw malformed('Invalid Position')
}

const readAll = async ({ storage, head }: Log, request: ReadRequest, to: Outlet): Promise<void> => {
  const { from, backward } = request
  if (backward) {
    const first = from === 'end' ? head() + 1 : from === 'start' ? 0 : from
    await sendPages((last, max) => storage.scanAll(last?.position ?? first, max, true), request, to)
    return
  }
  if (from === 'end') return
  const first = from === 'start' ? 0 : from
  await sendPages(
    async (last, max) => {
      if (last !== undefined) return storage.scanAll(last.position + 1, max, false)
      const page = await storage.scanAll(first, max, false)
      checkBoundary(first, page[0])
      return page
    },
    request,
    to,
  )
}

const readStream = async ({ storage }: Log, stream: string, request: ReadRequest, to: Outlet): Promise<void> => {
  const { from, backward } = request
  const end = Number.MAX_SAFE_INTEGER
  const first = from === 'start' ? 0 : from === 'end' ? end : from
  const step = backward ? -1 : 1
  const seen = await sendPages(
    (last, max) => storage.scanStream(stream, last === undefined ? first : last.revision + step, max, backward),
    request,
    to,
  )
  if (seen === 0 && (await storage.headOf(stream)) === undefined) to.send(streamNotFoundBytes(stream))
}

/**
 * Answers a read of a stream or of `$all`, both ways. Forward reads include where they begin; a backward read of `$all`
 * excludes it, a backward read of a stream includes it. Past the end there is nothing, which is no error.
 */
export const read = async (log: Log, request: ReadRequest, to: Outlet): Promise<void> => {
  if (request.stream === undefined) await readAll(log, request, to)
  else await readStream(log, request.stream, request, to)
  to.end()
}
