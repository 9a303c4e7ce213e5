import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { later } from '../../domain/kernel/time.ts'
import { sha256 } from '../../infra/audit/sha256.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { feedTail } from '../../infra/read-store/feed-tail.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { auditApi, auditDb } from '../../read-api/audit/index.ts'
import { events } from '../../read-api/events.ts'
import { whyReply } from '../../read-api/history/replies.ts'
import { readApi } from '../../read-api/index.ts'
import { outagesReply } from '../../read-api/outages-reply.ts'
import { startAudit } from '../support/audit.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { pastIn } from '../support/past.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'

const test = suite('what befell a datastore, over REST')

const WAIT_MS = 20_000
const { ownerId } = principals.alice
const shop = '0d000000-0000-4000-8000-000000000001'

const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'outages')
let clock = noon
const store = memoryEventStore(() => clock)
const position = readPosition({ url: readStore.url })
const projector = startProjector(store, readStore)
const audit = await startAudit(store, readStore)
const { db } = readStore
const endpoints = [
  ...readApi({
    db, catalogue: readCatalogue(), personal: openPersonalData, history: pastIn(store, readStore, audit, () => clock),
    version: '0.0.1', openPassword: async () => undefined, openAuthority: async () => undefined,
  }),
  ...auditApi({ db: auditDb(db), personal: openPersonalData, sha256, waitFor: audit.waitFor }),
  ...events({ db: db.withSchema(READ_SCHEMA), tail: feedTail({ db, position }), publicUrl: 'https://ccx.example' }),
]
const rest = await startRest(endpoints, { waitFor: (wanted) => position.waitFor(wanted, WAIT_MS) })
test.after(async () => {
  await rest.close()
  await projector.stop()
  await audit.stop()
  await position.close()
  await readStore.close()
  await server.stop()
})

const at = (seconds: number): string => later(noon, seconds * 1_000)
const send = sendToDatastore({ store })

/** Carries out what is said to a datastore, some seconds after noon. */
const say = async (seconds: number, command: (now: string) => DatastoreCommand): Promise<void> => {
  clock = at(seconds)
  const id = randomUUID()
  const actor = { kind: 'system', id: 'ccx-runner-service' } as const
  const outcome = await send(command(clock), {
    commandId: id, correlationId: id, causationId: id, organisationId: ownerId, actor,
  })
  assert.not.ok('rejection' in outcome)
  const head = await store.head()
  assert.ok(head !== 'start' && (await position.waitFor(head, WAIT_MS)))
}
const job = (n: number): string => `0e000000-0000-4000-8000-00000000000${n}`

type Told = { readonly status: number; readonly body: unknown }
const ask = (path: string, as = 'alice'): Promise<Told> => rest.ask('GET', `/api/v1/datastores/${shop}${path}`, { as })
const outages = async (query = '') => outagesReply.parse((await ask(`/outages${query}`)).body)
const Stored = z.object({ cluster_status: z.string(), cluster_status_text: z.string() })
const statusOf = async (): Promise<z.infer<typeof Stored>> =>
  Stored.parse((await rest.ask('GET', `/api/deployment/v3/data-stores/${shop}`, { as: 'alice' })).body)

const whyOf = async (): Promise<string | undefined> => {
  await audit.settled()
  return whyReply.parse((await ask('/why?field=cluster_status')).body).fields[0]?.set_by.type
}

const statuses: Record<string, z.infer<typeof Stored> & { readonly setBy: string | undefined }> = {}
const notedAs = async (moment: string): Promise<void> => {
  statuses[moment] = { ...(await statusOf()), setBy: await whyOf() }
}

await say(0, (now) => ({
  type: 'CreateDatastore',
  data: { datastoreId: shop, jobId: job(1), spec: { ...exampleSpec(3), ownerId }, fingerprint: 'f', now },
}))
const end = (n: number, more: object = {}) => (now: string): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId: shop, jobId: job(n), end: 'finished', because: null, nodes: exampleNodes(3), now, ...more },
})
await say(1, end(1))

const unreachable = (n: number, primaryId: string, epoch: number) => (now: string): DatastoreCommand => ({
  type: 'ReportPrimaryUnreachable',
  data: {
    datastoreId: shop, jobId: job(n), primaryId, epoch, lastSeenAt: later(now, -2_000), observedAt: now,
    because: `The primary ${primaryId} answers nobody.`, positionBytes: 5_000, now,
  },
})
const well = (nodeId: string) => (now: string): DatastoreCommand => ({
  type: 'ReportNodeWell', data: { datastoreId: shop, jobId: job(9), nodeId, observedAt: now, now },
})

await say(10, unreachable(2, 'nod_1', 1))
await notedAs('failing over')
await say(13, end(2, {
  failover: { fencedBy: 'powered-off', elected: 'nod_2', positions: { nod_2: 4_900, nod_3: 4_000 }, writesBackAt: at(12) },
}))
await notedAs('degraded')
await say(40, well('nod_1'))
await notedAs('whole')
const highAvailability = { prefer: 'consistency', repairAfterSeconds: 300, lagMaxBytes: 1, failoversPerHourMax: 1 } as const
await say(41, (now) => ({ type: 'ChangeSettings', data: { datastoreId: shop, settings: { highAvailability }, now } }))
await say(42, unreachable(3, 'nod_2', 2))
await notedAs('held back')
await say(45, well('nod_2'))
await notedAs('back')
await say(50, (now) => ({
  type: 'RecordServerRestart',
  data: { datastoreId: shop, nodeId: 'nod_2', role: 'primary', downSince: at(48), backAt: at(49), now },
}))

const named = (n: number) => ({ host_uuid: `nod_${n}`, hostname: `db-${n}.${shop}.ccx.test` })
const nothing = { new_primary: null, detected_at: null, reason: null, fenced_by: null, lost_bytes_max: null, job_uuid: null }
const restart = {
  ...nothing, kind: 'server-restart', outcome: 'over', node: named(2), last_seen_at: at(48), ended_at: at(49),
  writes_out_since: at(48), writes_back_at: at(49), writes_out_ms: 1_000,
}
const hold = {
  ...nothing, kind: 'failover-held-back', outcome: 'over', node: named(2), last_seen_at: at(40), detected_at: at(42),
  ended_at: at(45), writes_out_since: at(40), writes_back_at: at(45), writes_out_ms: 5_000,
  reason: 'it has failed over once within an hour',
}
const failover = {
  kind: 'failover', outcome: 'over', node: named(1), new_primary: named(2), last_seen_at: at(8), detected_at: at(10),
  ended_at: at(12), writes_out_since: at(8), writes_back_at: at(12), writes_out_ms: 4_000,
  reason: 'The primary nod_1 answers nobody.', fenced_by: 'powered-off', lost_bytes_max: 100, job_uuid: job(2),
}

test('its owner reads what befell it, newest first: when, why, how long no writes were taken, and what was lost', async () => {
  assert.equal(await outages(), { uuid: shop, outages: [restart, hold, failover], cursor: null })
})

test('it is read part by part', async () => {
  const first = await outages('?limit=2')
  assert.equal(first.outages, [restart, hold])
  const second = await outages(`?limit=2&cursor=${encodeURIComponent(first.cursor ?? '')}`)
  assert.equal([second.outages, second.cursor], [[failover], null])
  for (const query of ['?limit=0', '?limit=101', '?cursor=x']) assert.is((await ask(`/outages${query}`)).status, 400)
})

test('nobody else reads any of it, and of what never was nothing is told', async () => {
  assert.is((await ask('/outages', 'bob')).status, 404)
  assert.is((await ask(`/outages?asOf=${at(20)}`, 'bob')).status, 404)
  const path = `/api/v1/datastores/${randomUUID()}/outages`
  assert.is((await rest.ask('GET', path, { as: 'alice' })).status, 404)
  assert.is((await rest.ask('GET', `/api/v1/datastores/${shop}/outages`)).status, 401)
})

test('it is also read as it was known before', async () => {
  await audit.settled()
  const then = await outages(`?asOf=${at(11)}`)
  const unknown = { new_primary: null, ended_at: null, writes_back_at: null, writes_out_ms: null, fenced_by: null }
  assert.equal(then.outages, [{ ...failover, ...unknown, outcome: 'going-on', lost_bytes_max: null }])
  assert.equal((await outages(`?asOf=${at(30)}`)).outages, [failover])
})

test('the status says what is the matter, and is as before once it is over', () => {
  assert.equal(Object.entries(statuses).map(([moment, { cluster_status: status }]) => [moment, status]), [
    ['failing over', 'FAILURE'], ['degraded', 'DEGRADED'], ['whole', 'STARTED'], ['held back', 'FAILURE'], ['back', 'STARTED'],
  ])
  assert.equal(Object.values(statuses).map(({ cluster_status_text: text }) => text), [
    'No writes are taken: The primary nod_1 answers nobody.',
    '2 of 3 nodes are running',
    'All nodes are running',
    `No writes are taken: the primary was lost at ${at(40)}, and none takes its place before ${at(43)}: ` +
      'it has failed over once within an hour',
    'All nodes are running',
  ])
})

test('why its status is what it is, the trail and the feed tell of each step', async () => {
  await audit.settled()
  assert.equal(Object.entries(statuses).map(([moment, { setBy }]) => [moment, setBy]), [
    ['failing over', 'JobQueued'], ['degraded', 'PrimaryChanged'], ['whole', 'NodeRecovered'],
    ['held back', 'FailoverHeldBack'], ['back', 'PrimaryRecovered'],
  ])
  const happened = ['PrimaryChanged', 'NodeRecovered', 'FailoverHeldBack', 'PrimaryRecovered', 'ServerRestarted']
  const Trail = z.object({ entries: z.array(z.looseObject({ type: z.string() })) })
  const { entries } = Trail.parse((await ask('/audit?order=oldest&limit=100')).body)
  assert.equal(entries.map(({ type }) => type).filter((type) => happened.includes(type)), happened)
  const Feed = z.object({ events: z.array(z.looseObject({ type: z.string() })) })
  const feed = Feed.parse((await rest.ask('GET', '/api/v1/events?limit=100', { as: 'alice' })).body)
  const public_ = [
    'datastore.primary-changed', 'node.recovered', 'datastore.failover-held-back', 'datastore.primary-recovered',
    'node.server-restarted',
  ].map((type) => `dev.ccx.${type}.v1`)
  assert.equal(feed.events.map(({ type }) => type).filter((type) => public_.includes(type)), public_)
  const others = Feed.parse((await rest.ask('GET', '/api/v1/events?limit=100', { as: 'bob' })).body)
  assert.equal(others.events, [])
})

test('what befell it stays to be read when it is deleted', async () => {
  await say(60, (now) => ({ type: 'DeleteDatastore', data: { datastoreId: shop, jobId: job(8), now } }))
  await say(61, end(8, { nodes: [] }))
  assert.is((await outages()).outages.length, 3)
})

test.run()
