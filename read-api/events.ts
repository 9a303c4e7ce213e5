import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, type Principal, type Reply, Refused, type Request } from '../domain/kernel/endpoint.ts'
import { cursorOf, placeOf } from '../projections/feed-position.ts'
import { cloudEvent, cloudEventOf, CONTRACT_PATH } from '../projections/public-events/cloud-event.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { asyncApi } from './async-api.ts'
import { cursorAsked, subjectsAsked, typesAsked } from './feed-asked.ts'
import { feedEnd, type FeedPage, sharedFeedPage } from './feed-page.ts'
import { feedStream, type FeedTail } from './feed-stream.ts'

export type EventQueries = {
  readonly db: Kysely<ReadSchema>
  readonly tail: FeedTail
  /** What clients call us. */
  readonly publicUrl: string
  /** How long one stream lasts; default ten minutes. */
  readonly streamLifetimeMs?: number | undefined
}

const PATH = '/api/v1/events'
const tag = 'Events'
const LIFETIME_MS = 600_000
const STREAM_PAGE = 100
const LIMIT_MAX = 1_000
/** A rare event is looked for as long, whether or not the client would wait for one. */
const SEARCH_MS_MAX = 1_000
/** A call may take 25 s in all. */
const WAIT_MS_MAX = 24_000

const query = z.object({
  cursor: cursorAsked
    .optional()
    .describe('Goes on after this place of the log: a cursor of an earlier answer, `start` (the default) or `now`.'),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(100).describe('Events at most, without a stream.'),
  wait: z.coerce.number().min(0).max(25).default(0).describe('Without a stream: seconds to wait for an event if there is none.'),
  type: typesAsked
    .optional()
    .describe('Types, whole or their beginning and a star (`dev.ccx.job.*`), with commas between them.'),
  subject: subjectsAsked.optional().describe('Subjects, with commas between them.'),
  organisation: z
    .union([z.literal('all'), z.uuid().toLowerCase()])
    .optional()
    .describe('For operators: another organisation, or `all`. Default: your own.'),
})

type Query = z.infer<typeof query>

const reply = z.object({
  events: z.array(cloudEvent),
  cursor: z.string().describe('Where to go on: after these events, and all that was looked at and did not match.'),
  more: z.boolean().describe('Whether to ask again at once.'),
})

/** The feed of public events, as a stream and by asking; and the document that says what is in it. */
export const events = (queries: EventQueries): readonly Endpoint[] => {
  const pages = sharedFeedPage(queries.db)
  return [feedOf({ ...queries, pages }), contractOf(queries.publicUrl)]
}

type Feed = EventQueries & { readonly pages: ReturnType<typeof sharedFeedPage> }

const feedOf = (feed: Feed): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'Read the events of your organisation, in the order of the log, from any place of it',
    tag,
    access: 'user',
    needs: 'audit',
    query,
    replies: {
      200: {
        description: 'CloudEvents 1.0: Server-Sent Events if text/event-stream is accepted, else a part of the feed.',
        schema: reply,
        types: ['application/json', 'text/event-stream'],
      },
    },
    handle: (request) => (isStream(request) ? streamed(feed, request) : pulled(feed, request)),
  })

const contractOf = (publicUrl: string): Endpoint =>
  endpoint({
    method: 'GET',
    path: CONTRACT_PATH,
    summary: 'Read the contract of the events (AsyncAPI 3.0)',
    tag,
    access: 'public',
    replies: { 200: { description: 'The document.', schema: z.record(z.string(), z.json()) } },
    handle: async () => ({ status: 200, body: asyncApi(publicUrl) }),
  })

type Asked = Request<undefined, Query, undefined>

const isStream = ({ header }: Asked): boolean => /(^|[\s,])text\/event-stream\b/i.test(header('Accept') ?? '')

const filterOf = ({ principal, query: { type, subject, organisation } }: Asked) => ({
  organisationId: organisationOf(principal, organisation),
  types: type,
  subjects: subject,
})

const organisationOf = ({ isAdmin, ownerId }: Principal, named: string | undefined): string | undefined => {
  if (named === undefined || named === ownerId) return ownerId
  if (!isAdmin) throw new Refused({ rejected: 'forbidden', because: "another organisation's events are for operators" })
  return named === 'all' ? undefined : named
}

const beginning = async ({ db }: Feed, cursor: string): Promise<string> => {
  if (cursor === 'now') return feedEnd(db)
  const place = placeOf(cursor)
  if (place === undefined) throw new Refused({ rejected: 'malformed-header', because: 'Last-Event-ID is no cursor' })
  return place
}

const pulled = async (feed: Feed, request: Asked): Promise<Reply> => {
  const { query: { cursor = 'start', limit, wait }, signal } = request
  const filter = filterOf(request)
  const began = performance.now()
  const [waitMs, searchMs] = [Math.min(wait * 1_000, WAIT_MS_MAX), Math.max(wait * 1_000, SEARCH_MS_MAX)]
  const leftMs = (ms: number): number => Math.min(ms, WAIT_MS_MAX) - (performance.now() - began)
  let page: FeedPage = { entries: [], place: await beginning(feed, cursor), more: true }
  do {
    page = await feed.pages({ ...filter, after: page.place, limit })
    if (page.entries.length > 0) break
    const withinMs = leftMs(waitMs)
    if (!page.more && withinMs > 0) {
      await feed.tail.wait({ organisationId: filter.organisationId, after: page.place, withinMs, signal })
    }
  } while (leftMs(page.more ? searchMs : waitMs) > 0 && !signal.aborted)
  const found = page.entries.map((entry) => cloudEventOf(entry, feed.publicUrl))
  return {
    status: 200,
    body: { events: found, cursor: cursorOf(page.place), more: page.more },
    headers: { Vary: 'Accept' },
  }
}

/** A client that comes back says itself how far it has come; that counts more than where it once began. */
const streamed = async (feed: Feed, request: Asked): Promise<Reply> => {
  const { pages, tail, publicUrl, streamLifetimeMs: lifetimeMs = LIFETIME_MS } = feed
  const { query: { cursor = 'start' }, header, signal } = request
  const filter = filterOf(request)
  const page = (after: string) => pages({ ...filter, after, limit: STREAM_PAGE })
  const first = await page(await beginning(feed, header('Last-Event-ID') ?? cursor))
  const wait = (after: string, withinMs: number) =>
    tail.wait({ organisationId: filter.organisationId, after, withinMs, signal })
  return {
    status: 200,
    stream: { type: 'text/event-stream', chunks: feedStream({ first, page, wait, publicUrl, lifetimeMs, signal }) },
    // The first for nginx, which would keep what it has not got enough of.
    headers: { 'X-Accel-Buffering': 'no', Vary: 'Accept' },
  }
}
