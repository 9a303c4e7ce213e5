import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import type { Event } from '../../domain/kernel/decider.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { feedTail } from '../../infra/read-store/feed-tail.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { cloudEvent } from '../../projections/public-events/cloud-event.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { events } from '../../read-api/events.ts'
import { feedPage } from '../../read-api/feed-page.ts'
import { noon } from '../support/examples.ts'
import { listenTo } from '../support/event-source.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'
import { until } from '../support/until.ts'

const test = suite('the feed of events, as integrators read it')

const LIMIT = { withinMs: 20_000 }
const PATH = '/api/v1/events'
const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'events')
const store = memoryEventStore()
const position = readPosition({ url: readStore.url })
const projector = startProjector(store, readStore)
let pages = 0
const tail = feedTail({ db: readStore.db, position })
const endpoints = events({
  db: readStore.db.withSchema(READ_SCHEMA),
  tail: {
    wait: (options) => {
      pages += 1
      return tail.wait(options)
    },
  },
  publicUrl: 'https://ccx.example',
})
const revoked = new Set<string>()
const rest = await startRest(endpoints, {
  waitFor: position.waitFor,
  stillHereEveryMs: 20,
  authenticate: async (header) => {
    const name = header('authorization')?.replace(/^Bearer /, '') ?? ''
    const known: Readonly<Record<string, (typeof principals)[keyof typeof principals]>> = principals
    return revoked.has(name) ? undefined : known[name]
  },
})
test.after(async () => {
  await rest.close()
  await projector.stop()
  await position.close()
  await readStore.close()
  await server.stop()
})

const Part = z.object({ events: z.array(cloudEvent), cursor: z.string(), more: z.boolean() })
type Part = z.infer<typeof Part>

let written = 0
const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`

/** Queues a job of an organisation: one public event. */
const queue = async (organisation: keyof typeof principals, type = 'JobQueued'): Promise<string> => {
  const n = ++written
  const jobId = uuid(n)
  const ownerId = principals[organisation].ownerId
  const kind = 'deploy-datastore'
  const data = { jobId, datastoreId: uuid(0), ownerId, kind, because: '', end: 'finished', at: noon }
  const event: Event = { type, data }
  const actor = { kind: 'user', id: ownerId } as const
  const metadata = { commandId: jobId, correlationId: jobId, causationId: jobId, organisationId: ownerId, actor }
  const { position: at } = await store.append(`datastore-${jobId}`, [{ ...event, id: jobId, metadata }], { expected: 'absent' })
  await position.waitFor(at, LIMIT.withinMs)
  return `jobs/${jobId}`
}

const pull = async (query = '', as = 'alice'): Promise<Part> => {
  const { status, body, text } = await rest.ask('GET', `${PATH}${query}`, { as })
  assert.is(status, 200, text)
  return Part.parse(body)
}
const subjects = ({ events: found }: Pick<Part, 'events'>) => found.map(({ subject }) => subject)

test('an organisation pulls its own events in their order, part by part, and no other', async () => {
  const mine = [await queue('alice'), await queue('alice')]
  await queue('bob')
  mine.push(await queue('alice'))
  const all = await pull()
  assert.equal(subjects(all), mine)
  assert.is(all.more, false)
  const got: string[] = []
  for (let cursor = 'start', more = true; more; ) {
    const part = await pull(`?limit=2&cursor=${cursor}`)
    got.push(...subjects(part))
    ;({ cursor, more } = part)
  }
  assert.equal(got, mine)
  for (const [n, event] of all.events.entries()) {
    assert.equal(subjects(await pull(`?cursor=${event.cursor}`)), mine.slice(n + 1))
    assert.is(event.source, `https://ccx.example/organisations/${principals.alice.ownerId}`)
    assert.is(event.type, 'dev.ccx.job.queued.v1')
  }
  assert.is((await rest.ask('GET', PATH)).status, 401)
})

test('a cursor moves on over what does not match', async () => {
  const subject = await queue('alice', 'JobEnded')
  const finished = await pull('?type=dev.ccx.job.finished.v1')
  assert.equal(subjects(finished), [subject])
  const again = await pull(`?type=dev.ccx.job.finished.v1&cursor=${finished.cursor}`)
  assert.equal(again.events, [])
  await queue('alice')
  const none = await pull(`?type=dev.ccx.job.finished.v1&cursor=${again.cursor}`)
  assert.equal(none.events, [])
  assert.is.not(none.cursor, again.cursor)
  assert.equal((await pull(`?cursor=${none.cursor}`)).events, [])
})

test('a rare event is found behind thousands of others', async () => {
  await readStore.pool.query(
    `insert into read.feed (position, organisation_id, id, type, subject, datastore_id, at, data)
     select lpad('0', 20, '0') || '/' || lpad(n::text, 20, '0') || '/0000', $1, gen_random_uuid(),
       case n when 24000 then 'dev.ccx.node.role-assigned.v1' else 'dev.ccx.job.progressed.v1' end, 'jobs/x', null, now(), '{}'
     from generate_series(1, 25000) n`,
    [principals.olga.ownerId],
  )
  const got: number[] = []
  const db = readStore.db.withSchema(READ_SCHEMA)
  for (let after = '', more = true; more; ) {
    const page = await feedPage(db, { organisationId: principals.olga.ownerId, types: ['dev.ccx.node.*'], after, limit: 9 })
    got.push(page.entries.length)
    ;({ place: after, more } = page)
  }
  assert.equal(got, [0, 0, 1], 'a page looks at so many at most')
  for (const wait of [0, 5]) assert.is((await pull(`?type=dev.ccx.node.*&wait=${wait}`, 'olga')).events.length, 1)
})

test('events are chosen by type and by subject', async () => {
  const [one, other] = [await queue('bob'), await queue('bob', 'JobEnded')]
  const from = async (query: string) => subjects(await pull(query, 'bob'))
  assert.equal(await from('?type=dev.ccx.job.finished.v1'), [other])
  assert.equal((await from('?type=dev.ccx.job.*')).slice(-2), [one, other])
  assert.equal(await from('?type=dev.ccx.job.finished.v1,dev.ccx.node.*'), [other])
  assert.equal(await from(`?subject=${one}`), [one])
  assert.equal(await from(`?subject=${one},${other}&type=dev.ccx.job.q*`), [one])
})

test('what is asked wrongly is refused with the rule', async () => {
  const refused = async (query: string, status: number, as = 'alice', headers = {}) =>
    assert.is((await rest.ask('GET', `${PATH}${query}`, { as, headers })).status, status, query)
  for (const query of [
    '?cursor=yesterday', '?cursor=1', '?cursor=1/2/3/4', '?cursor=-1/0', '?limit=0', '?limit=1001', '?wait=26', '?wait=-1',
    '?type=', '?type=,', '?type=dev.ccx.nothing.v1', '?type=%', '?subject=', '?organisation=mine',
    `?subject=${'x,'.repeat(60)}`, `?cursor=${'9'.repeat(60)}`,
  ]) await refused(query, 400)
  await refused('?organisation=all', 403)
  await refused(`?organisation=${principals.bob.ownerId}`, 403)
  await refused('', 400, 'alice', { Accept: 'text/event-stream', 'Last-Event-ID': 'nonsense' })
})

test('an operator names an organisation, or all', async () => {
  const subject = await queue('bob')
  assert.is(subjects(await pull(`?organisation=${principals.bob.ownerId}`, 'olga')).at(-1), subject)
  const all = await pull('?organisation=all&limit=1000&cursor=0/25000', 'olga')
  assert.is(new Set(all.events.map(({ source }) => source)).size, 2)
})

test('a pull waits for the next event', async () => {
  const { cursor } = await pull('?cursor=now')
  const waiting = pull(`?cursor=${cursor}&wait=20`)
  const before = pages
  await until(() => pages >= before, LIMIT)
  const subject = await queue('alice')
  assert.equal(subjects(await waiting), [subject])
  assert.equal((await pull('?cursor=now&wait=0.05')).events, [])
})

test('a stream begins where it is told, and goes on as things happen', async () => {
  const before = await pull('?limit=1000')
  const source = await listenTo(`${rest.url}${PATH}`, { headers: { authorization: 'Bearer alice' } })
  assert.match(source.headers.get('content-type') ?? '', /^text\/event-stream/)
  assert.is(source.headers.get('cache-control'), 'no-store')
  assert.is(source.headers.get('x-accel-buffering'), 'no')
  await until(() => source.events.length === before.events.length, LIMIT)
  const subject = await queue('alice')
  await until(() => source.events.at(-1)?.data.subject === subject, LIMIT)
  assert.is(source.events.at(-1)?.event, 'dev.ccx.job.queued.v1')
  assert.is(source.events.at(-1)?.id, source.events.at(-1)?.data.cursor)
  assert.equal(source.events.map(({ data }) => data), (await pull('?limit=1000')).events)
  source.close()
})

test('a client that comes back with its last id misses nothing', async () => {
  const headers = { authorization: 'Bearer alice' }
  const first = await listenTo(`${rest.url}${PATH}?cursor=now`, { headers })
  await until(() => first.lastEventId() !== '', LIMIT)
  first.close()
  const missed = [await queue('alice'), await queue('alice')]
  const second = await listenTo(`${rest.url}${PATH}?cursor=now`, {
    headers: { ...headers, 'Last-Event-ID': first.lastEventId() },
  })
  await until(() => second.events.length === 2, LIMIT)
  assert.equal(second.events.map(({ data }) => data.subject), missed)
  second.close()
})

test('a stream ends by itself after a while', async () => {
  const db = readStore.db.withSchema(READ_SCHEMA)
  const brief = await startRest(events({ db, tail, publicUrl: 'https://ccx.example', streamLifetimeMs: 30 }))
  const source = await listenTo(`${brief.url}${PATH}`, { headers: { authorization: 'Bearer alice' } })
  await source.ended
  await brief.close()
})

test('a stream ends when the one who reads it is signed in no more', async () => {
  const source = await listenTo(`${rest.url}${PATH}`, { headers: { authorization: 'Bearer bob' } })
  revoked.add('bob')
  await source.ended
  revoked.clear()
})

test('five hundred streams get every event of theirs, in its order', async () => {
  const open = (n: number) =>
    listenTo(`${rest.url}${PATH}?cursor=now`, { headers: { authorization: `Bearer ${n % 2 === 0 ? 'alice' : 'bob'}` } })
  const sources = await Promise.all(Array.from({ length: 500 }, (_, n) => open(n)))
  await until(() => sources.every((source) => source.lastEventId() !== ''), LIMIT)
  const mine: string[] = []
  for (let n = 0; n < 10; n++) mine.push(await queue('alice'))
  const theirs = await queue('bob')
  const wanted = [mine, [theirs]]
  await until(() => sources.every(({ events: got }, n) => got.length === wanted[n % 2]?.length), LIMIT)
  for (const [n, { events: got }] of sources.entries()) assert.equal(got.map(({ data }) => data.subject), wanted[n % 2])
  for (const source of sources) source.close()
})

test('who reads slowly costs no more than a few pages', async () => {
  let read = 0
  const counted = readStore.db.withSchema(READ_SCHEMA).withPlugin({
    transformQuery: ({ node }) => {
      read += 1
      return node
    },
    transformResult: async ({ result }) => result,
  })
  const slow = await startRest(events({ db: counted, tail, publicUrl: 'https://ccx.example' }))
  const source = await listenTo(`${slow.url}${PATH}?cursor=0/20000`, { headers: { authorization: 'Bearer olga' }, paused: true })
  await until(() => read > 4, LIMIT)
  source.resume()
  await until(() => source.events.length === 5_000, LIMIT)
  assert.equal(source.events.map(({ id }) => Number(id?.split('/')[1])), Array.from({ length: 5_000 }, (_, n) => 20_001 + n))
  source.close()
  await slow.close()
})

test('the contract is read by anybody', async () => {
  const { status, body } = await rest.ask('GET', '/api/asyncapi.json')
  assert.is(status, 200)
  assert.is(z.looseObject({ asyncapi: z.string() }).parse(body).asyncapi, '3.0.0')
})

test.run()
