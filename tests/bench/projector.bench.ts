import type { Position } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { compare, rebuild } from '../../infra/read-store/rebuild.ts'
import { projections } from '../../projections/index.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { report, startEventStore } from './measure.ts'

// How fast the read models take in a log that is there: followed by a projector that has fallen behind, and made anew.
const SEEDS = [1, 2, 3]
const SIZE = { datastores: 250, moves: 40_000 }
const EVENTS_PER_SECOND_MIN = 20_000

const events = await startEventStore()
const server = await startPostgres()
const store = esdbEventStore({ connectionString: events.url })
const readStore = await emptyReadStore(server.url, 'bench')
const histories = SEEDS.map((seed) => randomHistory(seed, SIZE))
const count = histories.flat().reduce((sum, append) => sum + append.events.length, 0)

// A projector that has seen nothing but the start, so that what it does next is catching up and not making anew.
const [first = [], ...others] = histories
const write = writer(store)
await write(first.slice(0, 10))
const before = startProjector(store, readStore)
await before.caughtUp
await before.stop()
await Promise.all([write(first.slice(10)), ...others.map((history) => writer(store)(history))])

const rate = (ms: number): number => (count / ms) * 1_000
const told = (what: string, ms: number): void =>
  report(`${what} (${count} events)`, `${Math.round(rate(ms))} events/s`, {
    ok: rate(ms) >= EVENTS_PER_SECOND_MIN,
    text: `≥ ${EVENTS_PER_SECOND_MIN} events/s`,
  })

let began = performance.now()
let reached: Position | undefined
const running = startProjector(store, readStore, { onAdvanced: (position) => (reached = position) })
await running.caughtUp
told('projector catches up', performance.now() - began)
await running.stop()

began = performance.now()
const upTo = reached === undefined ? {} : { upTo: reached }
await rebuild({ store, readStore, projections, intoSchema: 'proof', ...upTo })
told('read models made anew', performance.now() - began)

const differences = await compare(readStore.pool, projections, ['read', 'proof'])
report('rows in which the two differ', `${differences.length}`, { ok: differences.length === 0, text: 'none' })

await readStore.close()
await store.close()
await server.stop()
await events.stop()
