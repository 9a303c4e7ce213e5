import { type CloudEvent, cloudEventOf } from '../projections/public-events/cloud-event.ts'
import { cursorOf } from '../projections/feed-position.ts'
import type { FeedEntry, FeedPage } from './feed-page.ts'

/** Tells when a look at the feed may be worth while. */
export type FeedTail = {
  /**
   * Resolves as soon as there may be something after a place, and at the latest after `withinMs` milliseconds or when
   * `signal` aborts.
   *
   * @param options.organisationId whose events are waited for; undefined: anybody's
   */
  readonly wait: (options: {
    readonly organisationId: string | undefined
    readonly after: string
    readonly withinMs: number
    readonly signal: AbortSignal
  }) => Promise<void>
}

/** A client that has lost its stream comes back after so many milliseconds. */
const RETRY_MS = 2_000

/** Kept alive so often: proxies give up on a connection that says nothing for a minute, some for half of one. */
const HEARTBEAT_MS = 15_000

/** One event in the form of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const told = (event: CloudEvent): string =>
  `id: ${event.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** Moves a client's cursor and nothing else: a message without data is none. */
const moved = (place: string): string => `: nothing new\nid: ${cursorOf(place)}\n\n`

/**
 * The feed as Server-Sent Events, from a first page on, until `signal` aborts or its time is over. Each page is read
 * when the client has taken the one before: who reads slowly costs a socket and no more.
 *
 * @param options.first the page that was read already
 * @param options.page reads the page after a place
 * @param options.lifetimeMs after which the stream ends between two pages; the client comes back with its cursor
 */
export async function* feedStream({ first, page, wait, publicUrl, lifetimeMs, signal }: {
  readonly first: FeedPage
  readonly page: (after: string) => Promise<FeedPage>
  readonly wait: (after: string, withinMs: number) => Promise<void>
  readonly publicUrl: string
  readonly lifetimeMs: number
  readonly signal: AbortSignal
}): AsyncGenerator<string, void, undefined> {
  const endsAt = performance.now() + lifetimeMs
  const toldAll = (entries: readonly FeedEntry[]) => entries.map((entry) => told(cloudEventOf(entry, publicUrl))).join('')
  let { entries, place, more } = first
  // The place with it, so that a client that began with `now` can come back from the first moment on.
  yield `retry: ${RETRY_MS}\n${entries.length === 0 ? moved(place) : '\n'}${toldAll(entries)}`
  for (let quietSince = performance.now(); !signal.aborted && performance.now() < endsAt; ) {
    if (!more) await wait(place, Math.max(0, Math.min(quietSince + HEARTBEAT_MS, endsAt) - performance.now()))
    if (signal.aborted) return
    ;({ entries, place, more } = await page(place))
    const isQuiet = entries.length === 0
    if (isQuiet && performance.now() < quietSince + HEARTBEAT_MS) continue
    quietSince = performance.now()
    yield isQuiet ? moved(place) : toldAll(entries)
  }
}
