import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { rebuild } from '../support/rebuild.ts'
import { renew } from '../../infra/read-store/renew.ts'
import { projections } from '../../projections/index.ts'
import { startEventStore } from '../support/event-store-child.ts'
import { freePort } from '../support/free-port.ts'
import { longLog } from '../support/long-log.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'
import { atInterrupt, quantile, report, timed } from './measure.ts'

// A million events: all read models are made from them by a projector that starts; made anew beside the live ones,
// compared, and swapped; and the same while those are written and read. Then the live ones are compared with the log.
const EVENTS = 1_000_000
const SECONDS_MAX = 60
const EVENTS_PER_SECOND_MIN = 20_000
const SWAP_MS_MAX = 50
/** Each writes and reads in turn, as fast as it is answered. */
const CLIENTS = 4

const events = await startPostgres()
const server = await startPostgres()
const started = performance.now()
const count = await longLog(events.url, EVENTS)
console.log(`${count} events, written in ${((performance.now() - started) / 1_000).toFixed(0)} s`)
const port = await freePort()
const eventStore = await startEventStore({ port, databaseUrl: events.url })
const eventStoreUrl = `esdb://127.0.0.1:${port}?tls=false`
const readStore = await emptyReadStore(server.url, 'rebuild')
const store = esdbEventStore({ connectionString: eventStoreUrl })

let projecting: ChildProcess | undefined
const clean = async (): Promise<void> => {
  projecting?.kill('SIGKILL')
  eventStore.kill('SIGKILL')
  await Promise.all([events.stop(), server.stop()])
}
atInterrupt(clean)

const rate = (ms: number): number => (count / ms) * 1_000
const loads = (): string => `load ${loadavg()[0]?.toFixed(1)}`

const firstMs = await timed(async () => {
  projecting = fork(join(import.meta.dirname, '../support/projector-process.ts'))
  projecting.send({ eventStoreUrl, databaseUrl: readStore.url })
  await once(projecting, 'message')
})
const firstly = `${(firstMs / 1_000).toFixed(1)} s, ${rate(firstMs).toFixed(0)} events/s`
report(`a projector starts and makes all read models (${loads()})`, firstly)

const madeAnew = async () => {
  let filledMs = 0
  const began = performance.now()
  const onProgress = () => {
    filledMs = performance.now() - began
  }
  const options = { store, pool: readStore.pool, schema: 'read', projections, accept: false, swap: true, onProgress }
  const renewed = await renew(options)
  return { renewed, filledMs, ms: performance.now() - began }
}

const alone = await madeAnew()
report(`made anew beside, nobody else at work (${loads()})`, `${rate(alone.filledMs).toFixed(0)} events/s`, {
  ok: rate(alone.filledMs) >= EVENTS_PER_SECOND_MIN,
  text: `≥ ${EVENTS_PER_SECOND_MIN} events/s`,
})
report('until all are compared and swapped', `${(alone.ms / 1_000).toFixed(1)} s`, {
  ok: alone.ms < SECONDS_MAX * 1_000,
  text: `< ${SECONDS_MAX} s`,
})

const Seen = z.object({ written: z.number(), readMs: z.array(z.number()), failures: z.array(z.string()) })
const loading = fork(join(import.meta.dirname, 'load-process.ts'))
loading.send({ eventStoreUrl, databaseUrl: readStore.url, clients: CLIENTS })
const loaded = await madeAnew()
loading.send('stop')
const [answer]: unknown[] = await once(loading, 'message')
const { written, readMs, failures } = Seen.parse(answer)
loading.disconnect()
const figures = `${rate(loaded.filledMs).toFixed(0)} events/s, ${(loaded.ms / 1_000).toFixed(1)} s until swapped`
report(`the same under load, ${written} commands written meanwhile (${loads()})`, figures)
const atRestMs = Math.max(...[alone, loaded].flatMap(({ renewed }) => renewed).map((each) => each.atRestMs))
report('the projector waited, longest of the tables', `${atRestMs.toFixed(1)} ms`, {
  ok: atRestMs < SWAP_MS_MAX,
  text: `< ${SWAP_MS_MAX} ms`,
})
report(`reads (${readMs.length})`, `p50 ${quantile(readMs, 0.5).toFixed(1)} ms, longest ${Math.max(...readMs).toFixed(1)} ms`)
report('reads that failed or lost a row', `${failures.length}`, { ok: failures.length === 0, text: 'none' })
const refused = [alone, loaded].flatMap(({ renewed }) => renewed).filter(({ outcome }) => outcome !== 'swapped')
report('tables not swapped', `${refused.length}`, { ok: refused.length === 0, text: 'none' })

projecting?.kill('SIGKILL')
const upTo = await readStore.db.withSchema('read').selectFrom('checkpoints')
  .select(['position_commit', 'position_prepare']).limit(1).executeTakeFirstOrThrow()
const at = { commit: BigInt(upTo.position_commit), prepare: BigInt(upTo.position_prepare) }
await rebuild({ store, readStore, projections, intoSchema: 'proof', upTo: at })
const differences = await compare(readStore.pool, projections, ['read', 'proof'])
const none = { ok: differences.length === 0, text: 'none' }
report('rows in which the live tables and the log differ', `${differences.length}`, none)

await store.close()
await readStore.close()
await clean()
