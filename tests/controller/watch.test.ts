import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Order } from '../../domain/job/orders.ts'
import { controller } from '../../infra/controller/controller.ts'
import { systemClock } from '../../infra/controller/clock.ts'
import { nodes } from '../../infra/controller/nodes.ts'
import { watch, type WatchOptions } from '../../infra/controller/watch.ts'
import type { ReachedNode } from '../../infra/engines/engine.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Observation } from '../../infra/messaging/observation.ts'
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

const withinMs = 30_000
const observed: Observation[] = []
/** Watches while `work` goes on, as one controller of its own each time. */
const watching = async (work: () => Promise<unknown>, change: Partial<WatchOptions> = {}): Promise<void> => {
  const stop = new AbortController()
  const watched = watch({
    controllerId: 'one', nodes: nodes({ engines, providers: [machines.provider] }), store, log, clock: systemClock,
    metrics: undefined, diskReports: undefined, limits: { intervalMs: 200, lookTimeoutMs: 2_000, leaseTtlMs: 30_000 },
    observe: async (observation) => void observed.push(observation),
    signal: stop.signal,
    ...change,
  })
  try {
    await work()
  } finally {
    stop.abort()
    await watched
  }
}
/** Kills the server of a node, and not what watches over its lease. */
const killServer = async (nodeId: string): Promise<void> => {
  const units = join(dirname((await machines.provider.host(nodeId)).dataDir), 'units')
  for (const file of (await readdir(units)).filter((name) => name.endsWith('.pid') && !name.startsWith('lease'))) {
    process.kill(Number((await readFile(join(units, file), 'utf8')).split(' ')[0]), 'SIGKILL')
  }
}
const hosts = async (): Promise<readonly string[]> =>
  (await store.hosts(cluster.datastoreId)).map(({ nodeId, role, status }) => `${nodeId} ${role} ${status}`)
const open = async (): Promise<readonly string[]> =>
  (await store.alarms(cluster.datastoreId))
    .filter(({ clearedAt }) => clearedAt === null)
    .map(({ typeName, nodeId }) => `${typeName} ${nodeId}`)
const whole = ['db-a primary CmonHostOnline', 'db-b replica CmonHostOnline']
const come = (wanted: readonly string[], alarms: readonly string[]): Promise<unknown> =>
  until(async () => String([await hosts(), (await open()).toSorted()]) === String([wanted, alarms]), {
    withinMs, what: `${wanted.join()} with ${alarms.join() || 'no alarms'}`,
  })

test.after(() => world.remove())

test('a cluster that is being made is unknown, and no cause for alarm', async () => {
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  await watching(() => come(['db-a unknown CmonHostUnknown', 'db-b unknown CmonHostUnknown'], []))
})

test('a whole cluster is online, with its roles, its lag, who its primary is, and when it was seen', async () => {
  await watching(async () => {
    for (const nodeId of ['db-a', 'db-b']) await fulfil({ subject: 'cmon.install-node', body: { cluster, nodeId } })
    await fulfil({ subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'db-a' } })
    await fulfil({ subject: 'cmon.join-replica', body: { cluster, nodeId: 'db-b', primaryId: 'db-a' } })
    await come(whole, [])
  })
  const [primary, replica] = await store.hosts(cluster.datastoreId)
  assert.is(primary?.lagBytes, null)
  assert.ok((primary?.positionBytes ?? 0) > 0)
  assert.type(replica?.lagBytes, 'number')
  assert.match(replica?.lastSeenAt ?? '', /Z$/)
  assert.is((await store.standing(cluster.datastoreId))?.primaryId, 'db-a')
})

test('a primary with a replica is guarded and given a lease, which CMON DB knows of', async () => {
  await watching(async () => {
    await until(async () => (await store.hosts(cluster.datastoreId))[0]?.leaseTtlMs === 30_000, { withinMs })
  })
})

test('a server that dies is started where it is, and that is told', async () => {
  await watching(async () => {
    await come(whole, [])
    await killServer('db-b')
    await until(() => observed.find(({ kind }) => kind === 'server-restarted'), { withinMs })
    await come(whole, [])
  })
  const told = observed.find((one) => one.kind === 'server-restarted')
  assert.equal([told?.nodeId, told?.role], ['db-b', 'replica'])
  assert.ok((told?.downSince ?? '') < (told?.backAt ?? ''))
})

test('a server that was stopped on purpose is no alarm, and stays down', async () => {
  await watching(async () => {
    await fulfil({ subject: 'cmon.stop-node', body: { cluster, nodeId: 'db-b' } })
    await come(['db-a primary CmonHostOnline', 'db-b unknown CmonHostShutDown'], [])
    await fulfil({ subject: 'cmon.start-node', body: { cluster, nodeId: 'db-b' } })
    await come(whole, [])
  })
})

test('a machine that does not answer in time is unreachable, and holds up nobody', async () => {
  const all = nodes({ engines, providers: [machines.provider] })
  const silent: WatchOptions['nodes'] = {
    ...all, find: (of, nodeId, work) => (nodeId === 'db-b' ? new Promise(() => undefined) : all.find(of, nodeId, work)),
  }
  await watching(() => come(['db-a primary CmonHostOnline', 'db-b unknown CmonHostOffLine'], ['HostUnreachable db-b']), {
    nodes: silent,
  })
  await watching(() => come(whole, []))
})

test('a replica whose primary no longer lists it is broken replication', async () => {
  const session = (node: ReachedNode) => {
    const real = world.engine.session(node)
    return { ...real, look: async (timeoutMs: number) => ({ ...(await real.look(timeoutMs)), streaming: [] }) }
  }
  const forgetful = nodes({ engines: [{ ...world.engine, session }], providers: [machines.provider] })
  await watching(() => come(whole, ['ReplicationBroken db-b']), { nodes: forgetful })
  await watching(() => come(whole, []))
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
  await watching(async () => {
    await fulfil({ subject: 'cmon.register-cluster', body: { cluster: tuned } })
    await come(whole, ['ParametersDrifted db-a', 'ParametersDrifted db-b'])
    const { message } = (await store.alarms(cluster.datastoreId)).findLast(({ nodeId }) => nodeId === 'db-a') ?? {}
    assert.is(message, `Parameters of db-a are not what was applied: ${name}.`)
    await applyAll(tuned)
    await come(whole, [])
    await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
    await applyAll(cluster)
    await come(whole, [])
  })
})

test('how full the volumes are is told of every node', async () => {
  const told: string[] = []
  const diskReports: WatchOptions['diskReports'] = async ({ datastoreId }, volumes) =>
    void told.push(`${datastoreId} ${volumes.map(({ nodeId }) => nodeId).join()}`)
  await watching(() => until(() => told.length > 0, { withinMs }), { diskReports })
})

test.run()
