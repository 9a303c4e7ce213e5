import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sendToInstallation } from '../../command-handlers/admission.ts'
import { knownDatastore, sendingAdmitted, sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { beginInWindows, type WindowClock, windowClock } from '../../infra/runners/window-clock.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { exampleNodes, exampleSpec } from '../support/examples.ts'
import { keptLog } from '../support/log.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, type RunningProjector, startProjector } from '../support/read-store.ts'
import { until } from '../support/until.ts'

const test = suite("the clock of the datastores' maintenance windows")
const withinMs = 20_000

/** A Tuesday; the windows are on Mondays, from midnight to two. */
const built = '2030-01-01T12:00:00.000Z'
const wish = '2030-01-03T00:00:00.000Z'
const before = '2030-01-06T23:59:59.999Z'
const open = '2030-01-07T00:30:00.000Z'
const after = '2030-01-07T02:00:00.000Z'
const nextWeek = '2030-01-14T01:00:00.000Z'

const store = memoryEventStore()
let postgres: Awaited<ReturnType<typeof startPostgres>>
let readStore: Awaited<ReturnType<typeof emptyReadStore>>
let projector: RunningProjector
let now = built

test.before(async () => {
  postgres = await startPostgres()
  readStore = await emptyReadStore(postgres.url, 'windows')
  projector = startProjector(store, readStore)
})
test.before.each(() => {
  now = built
})
test.after(async () => {
  await projector.stop()
  await readStore.close()
  await postgres.stop()
})

const { log } = keptLog()
const cause = () => {
  const commandId = randomUUID()
  return { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'test' } } as const
}
const send = async (command: DatastoreCommand) => {
  const outcome = await sendToDatastore({ store })(command, cause())
  if ('rejection' in outcome) throw new Error(outcome.rejection.because)
}
const stateOf = async (datastoreId: string) => (await knownDatastore({ store }, datastoreId, undefined)).state
const jobsOf = async (datastoreId: string) => (await stateOf(datastoreId)).queue.map(({ jobId }) => jobId)
const replacedOf = async (datastoreId: string) =>
  (await stateOf(datastoreId)).queue.map(({ change }) => (change?.kind === 'upgrade-node' ? change.nodeId : undefined))

const ended = async (datastoreId: string, jobId: string, end: 'finished' | 'failed' | 'cancelled') => {
  const because = end === 'finished' ? null : 'no room in the region'
  await send({ type: 'RecordJobEnded', data: { datastoreId, jobId, end, because, nodes: exampleNodes(2), now } })
}

/** A datastore of two nodes that is to be upgraded in its window; the read models know so. */
const waiting = async (): Promise<string> => {
  const [datastoreId, jobId] = [randomUUID(), randomUUID()]
  const spec = { ...exampleSpec(2), ownerId: randomUUID() }
  await send({ type: 'CreateDatastore', data: { datastoreId, jobId, spec, fingerprint: 'f', now } })
  await ended(datastoreId, jobId, 'finished')
  await send({ type: 'ChangeSettings', data: { datastoreId, settings: { upgradeInWindow: wish }, now } })
  await until(async () => {
    const query = readStore.db.withSchema(READ_SCHEMA).selectFrom('datastores').select('upgrade_in_window')
    return (await query.where('datastore_id', '=', datastoreId).executeTakeFirst())?.upgrade_in_window === wish
  }, { withinMs })
  return datastoreId
}

const clockOf = (more: Partial<WindowClock> = {}): WindowClock => ({
  store, db: readStore.db.withSchema(READ_SCHEMA), pool: readStore.pool, send: sendingAdmitted({ store }).send,
  now: () => now, intervalMs: 10, pauseMs: 1, signal: new AbortController().signal, log, ...more,
})
const look = (more: Partial<WindowClock> = {}) => beginInWindows(clockOf(more), new Map())

test('begin nothing before the window and after it, and in it every outdated node once, the primary last', async () => {
  const datastoreId = await waiting()
  for (now of [built, before, after]) await look()
  assert.equal(await jobsOf(datastoreId), [])
  now = open
  await look()
  assert.equal(await replacedOf(datastoreId), ['nod_2', 'nod_1'])
  const jobs = await jobsOf(datastoreId)
  now = '2030-01-07T01:59:59.999Z'
  await look()
  assert.equal(await jobsOf(datastoreId), jobs)
})

test('asks for the same only once when several look at once, or one is cut off between two nodes', async () => {
  const [one, other] = [await waiting(), await waiting()]
  now = open
  let left = 1
  const { send: sent } = sendingAdmitted({ store })
  const cutOff: typeof sent = (command, why) => {
    if (command.data.datastoreId === one && left-- <= 0) throw new Error('the log is away')
    return sent(command, why)
  }
  await look({ send: cutOff })
  assert.equal(await replacedOf(one), ['nod_2'])
  assert.equal(await replacedOf(other), ['nod_2', 'nod_1'], 'the trouble of one is not that of another')
  await Promise.all([look(), look(), look()])
  assert.equal(await replacedOf(one), ['nod_2', 'nod_1'])
  assert.equal(await replacedOf(other), ['nod_2', 'nod_1'])
})

test('tries what failed, or was cancelled, again in the next window and not in the same', async () => {
  const datastoreId = await waiting()
  now = open
  await look()
  const [first = '', second = ''] = await jobsOf(datastoreId)
  await send({ type: 'StopJob', data: { datastoreId, jobId: second, because: 'not today', now } })
  await ended(datastoreId, first, 'failed')
  await look()
  assert.equal(await jobsOf(datastoreId), [])
  now = nextWeek
  await look()
  assert.equal(await replacedOf(datastoreId), ['nod_2', 'nod_1'])
  assert.not.ok((await jobsOf(datastoreId)).some((jobId) => [first, second].includes(jobId)))
})

test('begins nothing that was taken back, whatever the read models still say', async () => {
  const datastoreId = await waiting()
  await projector.stop()
  await send({ type: 'ChangeSettings', data: { datastoreId, settings: { upgradeInWindow: null }, now } })
  now = open
  await look()
  assert.equal(await jobsOf(datastoreId), [])
  projector = startProjector(store, readStore)
})

test('begins nothing while admission is stopped; once it is open again, what it did not begin is begun', async () => {
  const datastoreId = await waiting()
  const { region } = (await stateOf(datastoreId)).spec
  const scope = { kind: 'region', name: region } as const
  const admission = sendToInstallation({ store })
  await admission({ type: 'StopAdmission', data: { scope, because: 'it is rebuilt', deletions: true, now } }, cause())
  now = open
  await look()
  assert.equal(await jobsOf(datastoreId), [])
  await admission({ type: 'OpenAdmission', data: { scope, now } }, cause())
  now = after
  await look()
  assert.equal(await jobsOf(datastoreId), [])
  now = nextWeek
  await look()
  assert.equal(await replacedOf(datastoreId), ['nod_2', 'nod_1'])
})

test('is one at work; another takes its place when it goes', async () => {
  const begun: string[] = []
  const { send: sent } = sendingAdmitted({ store })
  const start = (name: string) => {
    const stopping = new AbortController()
    const kept = keptLog()
    const counting: typeof sent = (command, why) => {
      begun.push(`${name} ${command.data.datastoreId}`)
      return sent(command, why)
    }
    const done = windowClock(clockOf({ send: counting, signal: stopping.signal, log: kept.log }))
    const stop = async () => {
      stopping.abort()
      await done
    }
    return { stop, stands: () => kept.lines.some((line) => line.includes('waiting for its place')) }
  }
  const begins = async (datastoreId: string) => {
    await until(async () => (await jobsOf(datastoreId)).length === 2, { withinMs })
    return begun.filter((one) => one.endsWith(datastoreId))
  }
  const idle = await waiting()
  const clocks = [start('first'), start('second')]
  await until(() => clocks.some(({ stands }) => stands()), { withinMs })
  assert.equal(await jobsOf(idle), [])
  now = open
  const [by = ''] = (await begins(idle)).map((one) => one.split(' ')[0])
  assert.equal(await begins(idle), [`${by} ${idle}`, `${by} ${idle}`])
  const [working, standing] = by === 'first' ? clocks : clocks.toReversed()
  await working?.stop()
  now = built
  const later = await waiting()
  now = nextWeek
  const successor = by === 'first' ? 'second' : 'first'
  assert.equal(await begins(later), [`${successor} ${later}`, `${successor} ${later}`])
  await standing?.stop()
})

test.run()
