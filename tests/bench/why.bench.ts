import { randomUUID } from 'node:crypto'
import { derivedId, eventId } from '../../command-handlers/ids.ts'
import type { Event } from '../../domain/kernel/decider.ts'
import type { Metadata, NewEvent } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { jobs } from '../../projections/jobs.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { chronicle } from '../../read-api/history/chronicle.ts'
import { beginningOf, eventsOf } from '../../read-api/history/events.ts'
import { pastOf } from '../../read-api/history/past.ts'
import { startAudit } from '../support/audit.ts'
import { carryOut } from '../support/carry-out.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { pastIn } from '../support/past.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { latency, median, quantile, report, spread, timed } from './measure.ts'

// What it costs to ask a long history: a datastore that was set up a thousand times over, 50,000 events and more. Beside it,
// what it costs to do no more than read so many events.
const EVENTS_MIN = 50_000
const ROUNDS = 5
const RATIO_MAX = 0.5

const [datastoreId, firstJob, ownerId] = [randomUUID(), randomUUID(), randomUUID()]
const store = memoryEventStore()
const stream = `datastore-${datastoreId}`
const metadataOf = (commandId: string, kind: 'user' | 'system'): Metadata => ({
  commandId, correlationId: commandId, causationId: commandId, organisationId: ownerId, actor: { kind, id: ownerId },
})
const batch = (events: readonly Event[], kind: 'user' | 'system'): readonly NewEvent[] => {
  const commandId = randomUUID()
  return events.map(({ type, data }, n) => ({ type, data, id: eventId(commandId, n), metadata: metadataOf(commandId, kind) }))
}

const spec = { ...exampleSpec(3), ownerId }
const about = { datastoreId, at: noon }
const job = { jobId: firstJob, kind: 'deploy-datastore' }
const queued: readonly Event[] = [
  { type: 'JobQueued', data: { ...about, ...job, ownerId } },
  { type: 'JobAdmitted', data: { ...about, ...job, input: { datastoreId, spec, nodes: [] } } },
]
const created: Event = { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f' } }
await store.append(stream, batch([created, ...queued], 'user'), { expected: 'absent' })
await carryOut(store, { datastoreId, jobId: firstJob }, { now: noon })

const own = await store.read(stream)
const deployed = own.events.slice(1 + queued.length)
const doings = (await store.read(`job-${firstJob}`)).events
const again = (events: readonly Event[], jobId: string): readonly Event[] =>
  events.map(({ type, data }) => ({ type, data: JSON.parse(JSON.stringify(data).replaceAll(firstJob, jobId)) }))
let revision = own.revision
let count = own.events.length + doings.length
for (let n = 0; count < EVENTS_MIN; n++) {
  const jobId = derivedId('bench job', `${n}`)
  const before = await store.append(stream, batch(again(queued, jobId), 'user'), { expected: revision })
  await store.append(`job-${jobId}`, batch(again(doings, jobId), 'system'), { expected: 'absent' })
  const after = await store.append(stream, batch(again(deployed, jobId), 'system'), { expected: before.revision })
  revision = after.revision
  count += queued.length + doings.length + deployed.length
}

const server = await startPostgres()
const readStore = await emptyReadStore(server.url, 'why')
const projector = startProjector(store, readStore)
const audit = await startAudit(store, readStore)
await projector.caughtUp
await audit.settled()
await readStore.pool.query('vacuum analyze audit.entries')

const history = pastIn(store, readStore, audit, () => new Date().toISOString())
const db = readStore.db.withSchema(READ_SCHEMA)
const queries = { db, audit: history.audit, catalogue: readCatalogue(), personal: openPersonalData }
const beginning = await beginningOf(history.audit, datastoreId)
if (beginning === undefined) throw new Error('BUG: the datastore has begun')
const of = { datastoreId, beginning }
const rounds = async (work: () => Promise<unknown>): Promise<readonly number[]> => {
  const ms: number[] = []
  for (let round = 0; round < ROUNDS; round++) ms.push(await timed(work))
  return ms
}

const sql = 'select event from audit.entries where datastore_id = $1 order by position'
const raw = await rounds(() => readStore.pool.query(sql, [datastoreId]))
const parsed = await rounds(async () => {
  for await (const _ of eventsOf(history.audit, datastoreId, {})) continue
})
report(`reading ${count} events`, spread(raw, 'ms'))
report(`reading and parsing ${count} events, a page at a time`, spread(parsed, 'ms'))

const cold = await rounds(() => chronicle(queries).why(of))
const ratio = (median(cold) / median(raw)).toFixed(2)
report('why every field, asked for the first time', `${spread(cold, 'ms')}, ${ratio} times the reading`)
const told = chronicle(queries)
const { fields } = await told.why(of)
const each: number[] = []
for (const { field } of fields) each.push(await timed(() => told.why(of, field)))
const share = quantile(each, 0.99) / median(raw)
const bar = { ok: share <= RATIO_MAX, text: `p99 ≤ ${RATIO_MAX} of reading the events` }
report(`why each of ${fields.length} fields`, `${latency(each)}, p99 is ${share.toFixed(2)} of the reading`, bar)

const half = (await readStore.pool.query(`select event::jsonb->>'position' as at from audit.entries where datastore_id = $1
  order by position offset ${Math.floor(count / 2)} limit 1`, [datastoreId])).rows[0]?.at
const [commit = 0n, prepare = 0n] = String(half).split('/').map(BigInt)
const asOf = { position: { commit, prepare } }
const past = () => pastOf(history, { uuid: datastoreId, ownerId, asOf })
report('the datastore as it was in the middle', spread(await rounds(async () => {
  const then = await past()
  await Promise.all([then.datastore(), then.openJobs()])
}), 'ms'))
report('all its jobs as they were in the middle', spread(await rounds(async () => (await past()).row(jobs)), 'ms'))
const middle = (await past()).place
report('what differs between the middle and now', spread(await rounds(() => told.diff(of, middle, undefined)), 'ms'))
report('fifty events from the middle', spread(await rounds(() => told.page(of, { after: middle, limit: 50 })), 'ms'))

await projector.stop()
await audit.stop()
await readStore.close()
await server.stop()
