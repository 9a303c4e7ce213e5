import { randomUUID } from 'node:crypto'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { rebuild } from '../support/rebuild.ts'
import { projections } from '../../projections/index.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { latency, median, report, spread, startEventStore, timed } from './measure.ts'

// How fast the read models take in a log that is there: followed by a projector that has fallen behind, and made anew.
// Beside it, how fast the log can be read at all. Then how long after an append its row is there.
const SEEDS = [1, 2, 3, 4, 5]
const SIZE = { datastores: 250, moves: 40_000 }
const ROUNDS = 3
const EVENTS_PER_SECOND_MIN = 20_000
const APPENDS = 500

const events = await startEventStore()
const server = await startPostgres()
const store = esdbEventStore({ connectionString: events.url })
const histories = SEEDS.map((seed) => randomHistory(seed, SIZE))
const count = histories.flat().reduce((sum, append) => sum + append.events.length, 0)

// Projectors that have seen nothing but the start, so that what they do next is catching up and not making anew.
const [first = [], ...others] = histories
const write = writer(store)
await write(first.slice(0, 10))
const readStores = []
for (let round = 0; round < ROUNDS; round++) {
  const readStore = await emptyReadStore(server.url, `round_${round}`)
  const before = startProjector(store, readStore)
  await before.caughtUp
  await before.stop()
  readStores.push(readStore)
}
await Promise.all([write(first.slice(10)), ...others.map((history) => writer(store)(history))])
const upTo = await store.head()
if (upTo === 'start') throw new Error('BUG: the log is empty')

const aloneRates: number[] = []
const catchUpRates: number[] = []
const anewRates: number[] = []
let differences = 0
for (const readStore of readStores) {
  const rate = async (work: () => Promise<unknown>): Promise<number> => (count / (await timed(work))) * 1_000
  aloneRates.push(
    await rate(async () => {
      const stopping = new AbortController()
      const from = { after: 'start', prefixes: PREFIXES, signal: stopping.signal, batchMax: 4_000 } as const
      for await (const { caughtUp } of store.subscribe(from)) if (caughtUp) stopping.abort()
    }),
  )
  const running = startProjector(store, readStore)
  catchUpRates.push(await rate(() => running.caughtUp))
  await running.stop()
  anewRates.push(await rate(() => rebuild({ store, readStore, projections, intoSchema: 'proof', upTo })))
  differences += (await compare(readStore.pool, projections, ['read', 'proof'])).length
}
const bar = (rates: readonly number[]) => ({
  ok: median(rates) >= EVENTS_PER_SECOND_MIN,
  text: `≥ ${EVENTS_PER_SECOND_MIN} events/s`,
})
report(`subscription alone (${count} events)`, spread(aloneRates, 'events/s'))
report(`projector catches up (${count} events)`, spread(catchUpRates, 'events/s'), bar(catchUpRates))
report(`read models made anew (${count} events)`, spread(anewRates, 'events/s'), bar(anewRates))
report('rows in which the two differ', `${differences}`, { ok: differences === 0, text: 'none' })

const readStore = readStores[0]
if (readStore === undefined) throw new Error('BUG: there is at least one round')
const live = startProjector(store, readStore)
await live.caughtUp
const send = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
const isThere = async (datastoreId: string): Promise<boolean> => {
  const sql = 'select from read.datastores where datastore_id = $1'
  return (await readStore.pool.query(sql, [datastoreId])).rowCount === 1
}
const lagMs: number[] = []
for (let n = 0; n < APPENDS; n++) {
  const [datastoreId, jobId, commandId] = [randomUUID(), randomUUID(), randomUUID()]
  const data = { datastoreId, jobId, spec: exampleSpec(3), fingerprint: 'f', now: noon }
  const cause = { commandId, correlationId: commandId, causationId: commandId } as const
  await send({ type: 'CreateDatastore', data }, { ...cause, actor: { kind: 'system', id: 'bench' } })
  const until = async () => {
    while (!(await isThere(datastoreId))) continue
  }
  lagMs.push(await timed(until))
}
report(`acknowledged append to visible row (${APPENDS})`, latency(lagMs))
await live.stop()

for (const each of readStores) await each.close()
await store.close()
await server.stop()
await events.stop()
