import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Order } from '../../domain/job/orders.ts'
import { controller } from '../../infra/controller/controller.ts'
import { watch, watchOnce, type WatchOptions } from '../../infra/controller/watch.ts'
import type { ReachedNode } from '../../infra/engines/engine.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Provider } from '../../infra/providers/provider.ts'
import { cutPower } from '../../infra/providers/process-host/units.ts'
import { controllerWorld, placed, work } from '../support/controller-world.ts'
import { keptLog } from '../support/log.ts'
import { parameterSamples } from '../support/parameter-samples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { until } from '../support/until.ts'

const test = suite('the watch over the clusters')
const world = await controllerWorld('0198d0ad', ['db-a', 'db-b'])
const { cluster, machines, secrets, store } = world
const { log } = keptLog()
const handle = controller({ engines, providers: [machines.provider], store, secrets, personal: openPersonalData, log })
const fulfil = (order: Order): Promise<unknown> => handle(placed(order), work())

const stop = new AbortController()
const options: WatchOptions = {
  engines,
  providers: [machines.provider],
  store,
  log,
  intervalMs: 100,
  signal: stop.signal,
}
const round = (change: Partial<WatchOptions> = {}): Promise<void> => watchOnce({ ...options, ...change })
const hosts = async (): Promise<readonly string[]> =>
  (await store.hosts(cluster.datastoreId)).map(({ nodeId, role, status }) => `${nodeId} ${role} ${status}`)
const open = async (): Promise<readonly string[]> =>
  (await store.alarms(cluster.datastoreId))
    .filter(({ clearedAt }) => clearedAt === null)
    .map(({ typeName, nodeId }) => `${typeName} ${nodeId}`)
const whole = ['db-a primary CmonHostOnline', 'db-b replica CmonHostOnline']
const untilWhole = (): Promise<unknown> =>
  until(
    async () => {
      await round()
      return String([await hosts(), await open()]) === String([whole, []])
    },
    { withinMs: 20_000 },
  )

test.after(() => world.remove())

test('a cluster that is being made is unknown, and no cause for alarm', async () => {
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  await round()
  assert.equal(await hosts(), ['db-a unknown CmonHostUnknown', 'db-b unknown CmonHostUnknown'])
  assert.equal(await open(), [])
})

test('a whole cluster is online, with its roles, its lag, and when it was seen', async () => {
  for (const nodeId of ['db-a', 'db-b']) await fulfil({ subject: 'cmon.install-node', body: { cluster, nodeId } })
  await fulfil({ subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'db-a' } })
  await fulfil({ subject: 'cmon.join-replica', body: { cluster, nodeId: 'db-b', primaryId: 'db-a' } })
  await untilWhole()
  const [primary, replica] = await store.hosts(cluster.datastoreId)
  assert.is(primary?.lagBytes, null)
  assert.type(replica?.lagBytes, 'number')
  assert.match(replica?.lastSeenAt ?? '', /Z$/)
})

test('a server that dies is an alarm, once, until it is back', async () => {
  await cutPower(dirname((await machines.provider.host('db-b')).dataDir))
  await round()
  await round()
  assert.equal(await hosts(), ['db-a primary CmonHostOnline', 'db-b unknown CmonHostFailed'])
  const [alarm] = await store.alarms(cluster.datastoreId)
  assert.equal([alarm?.typeName, alarm?.nodeId, alarm?.counter], ['DatabaseDown', 'db-b', 1])
  await machines.provider.boot('db-b')
  await untilWhole()
})

test('a server that was stopped on purpose is no alarm', async () => {
  await fulfil({ subject: 'cmon.stop-node', body: { cluster, nodeId: 'db-b' } })
  await round()
  assert.equal(await hosts(), ['db-a primary CmonHostOnline', 'db-b unknown CmonHostShutDown'])
  assert.equal(await open(), [])
  await fulfil({ subject: 'cmon.start-node', body: { cluster, nodeId: 'db-b' } })
  await untilWhole()
})

test('a machine that does not answer in time is unreachable, and holds up nobody', async () => {
  const silent: Provider = {
    ...machines.provider,
    find: (nodeId) => (nodeId === 'db-b' ? new Promise(() => {}) : machines.provider.find(nodeId)),
  }
  await round({ providers: [silent], probeTimeoutMs: 1_000 })
  assert.equal(await hosts(), ['db-a primary CmonHostOnline', 'db-b unknown CmonHostOffLine'])
  assert.equal(await open(), ['HostUnreachable db-b'])
  await untilWhole()
})

test('a replica whose primary no longer lists it is broken replication', async () => {
  const [engine] = engines
  if (engine === undefined) throw new Error('BUG: there is an engine')
  const probe = async (node: ReachedNode) => ({ ...(await engine.probe(node)), streaming: [] })
  const forgetful = { ...engine, probe }
  await round({ engines: [forgetful] })
  assert.equal(await open(), ['ReplicationBroken db-b'])
  await untilWhole()
})

test('parameters that are not what was applied are an alarm, until they are applied anew', async () => {
  const engineSamples = parameterSamples[cluster.engine]
  assert.ok(engineSamples !== undefined)
  const [name, value] = engineSamples.reloaded
  const tuned = { ...cluster, parameters: { [name]: value } }
  const applyAll = async (to: typeof cluster): Promise<void> => {
    for (const nodeId of ['db-b', 'db-a']) {
      await fulfil({ subject: 'cmon.apply-parameters', body: { cluster: to, nodeId, primaryId: 'db-a', restart: false } })
    }
  }
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster: tuned } })
  await round()
  assert.equal((await open()).toSorted(), ['ParametersDrifted db-a', 'ParametersDrifted db-b'])
  const { message } = (await store.alarms(cluster.datastoreId)).findLast(({ nodeId }) => nodeId === 'db-a') ?? {}
  assert.is(message, `Parameters of db-a are not what was applied: ${name}.`)
  await applyAll(tuned)
  await untilWhole()
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  await applyAll(cluster)
  await untilWhole()
})

test('it goes on, round after round, until it is told to end', async () => {
  const before = (await store.hosts(cluster.datastoreId))[0]?.lastSeenAt ?? ''
  const watching = watch(options)
  const seen = async (): Promise<string> => (await store.hosts(cluster.datastoreId))[0]?.lastSeenAt ?? ''
  await until(async () => (await seen()) > before, { withinMs: 20_000 })
  stop.abort()
  await watching
})

test.run()
