import { createConnection } from 'mysql2/promise'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Order, OrderResult } from '../../domain/job/orders.ts'
import type { ControllerStore } from '../../infra/controller-store/controller-store.ts'
import { controller } from '../../infra/controller/controller.ts'
import type { Engine } from '../../infra/engines/engine.ts'
import { type Handle, Failure } from '../../infra/messaging/worker.ts'
import { controllerWorld, placed, work } from '../support/controller-world.ts'
import { keptLog } from '../support/log.ts'
import { openPersonalData } from '../support/personal-data.ts'

const test = suite('the controller')
const world = await controllerWorld('0198d0ac', ['db-a', 'db-b'])
const { cluster, engine, machines, secrets, store } = world
const { log, lines: logLines } = keptLog()

const calls: string[] = []
const counted = (verb: 'bootstrap' | 'createAccount' | 'install'): Partial<Engine> => ({
  [verb]: (...args: [never, never]) => {
    calls.push(verb)
    return engine[verb](...args)
  },
})
const counting: Engine = { ...engine, ...counted('bootstrap'), ...counted('createAccount'), ...counted('install') }

const handler = (change: { readonly store?: ControllerStore; readonly engines?: readonly Engine[] } = {}): Handle =>
  controller({ engines: [counting], providers: [machines.provider], store, secrets, personal: openPersonalData, log, ...change })
const handle = handler()
const fulfil = (order: Order): Promise<OrderResult> => handle(placed(order), work())
const failure = async (promise: Promise<unknown>): Promise<Failure> => {
  const error = await promise.then(() => undefined, (it: unknown) => it)
  if (!(error instanceof Failure)) throw new Error('no Failure came of it', { cause: error })
  return error
}
const secret = (name: string): Promise<string | undefined> =>
  secrets.open({ ownerId: cluster.ownerId, subjectId: cluster.datastoreId, name })

test.after(() => world.remove())

test('a datastore is registered, set up, joined, given an account, and found whole', async () => {
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  for (const nodeId of ['db-a', 'db-b']) await fulfil({ subject: 'cmon.install-node', body: { cluster, nodeId } })
  await fulfil({ subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'db-a' } })
  await fulfil({ subject: 'cmon.join-replica', body: { cluster, nodeId: 'db-b', primaryId: 'db-a' } })
  const account = { username: 'ccxadmin', database: 'ccxdb' }
  await fulfil({ subject: 'cmon.create-account', body: { cluster, nodeId: 'db-a', ...account } })
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
  assert.equal(roles, { 'db-a': 'primary', 'db-b': 'replica' })
})

test('its passwords are 32 characters that a URL may hold, each another', async () => {
  const names = ['superuser-password', 'replication-password', 'admin-password']
  const passwords = await Promise.all(names.map(secret))
  for (const password of passwords) assert.match(password ?? '', /^[\w-]{32}$/)
  assert.is(new Set(passwords).size, 3)
})

test('the same order twice acts once and is answered alike', async () => {
  const order = placed({ subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'db-a' } })
  calls.length = 0
  assert.equal(await handle(order, work()), {})
  assert.equal(await handle(order, work()), {})
  const check = placed({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
  assert.equal(await handle(check, work()), await handle(check, work()))
  assert.equal(calls, ['bootstrap'])
})

test('a crash between the effect and the journal is harmless', async () => {
  const body = { cluster, nodeId: 'db-a', username: 'crashed', database: 'crash' }
  const order = placed({ subject: 'cmon.create-account', body })
  const crashing = handler({ store: { ...store, end: () => Promise.reject(new Error('killed here')) } })
  calls.length = 0
  await crashing(order, work()).catch(() => {})
  assert.is(await store.ended(order.orderId), undefined)
  assert.equal(await handle(order, work()), {})
  assert.equal(calls, ['createAccount', 'createAccount'])
})

test('two workers with the same order end it once', async () => {
  const order = placed({ subject: 'cmon.install-node', body: { cluster, nodeId: 'db-a' } })
  assert.equal(await Promise.all([handle(order, work()), handle(order, work())]), [{}, {}])
  assert.equal(await store.ended(order.orderId), { status: 'FINISHED', result: {} })
})

test('what was noted is in the job log and with the worker', async () => {
  await machines.machine('db-c')
  const host = await machines.provider.host('db-c')
  const [first] = cluster.nodes
  if (first === undefined) throw new Error('BUG: there is a node')
  const node = { ...first, nodeId: 'db-c', name: 'db-c', hostname: 'db-c.0198d0ac.ccx.test', address: host.address }
  const bigger = { ...cluster, nodes: [...cluster.nodes, node] }
  await fulfil({ subject: 'cmon.install-node', body: { cluster: bigger, nodeId: 'db-c' } })
  const order = placed({ subject: 'cmon.join-replica', body: { cluster: bigger, nodeId: 'db-c', primaryId: 'db-a' } })
  const { lines, ...rest } = work()
  await handle(order, rest)
  assert.ok(lines.length > 0)
  assert.equal((await store.jobLog(order.orderId)).map(({ line }) => line), lines)
  await fulfil({ subject: 'cmon.erase-node', body: { cluster: bigger, nodeId: 'db-c' } })
})

test('a node more is let in, joined and found whole, and taken out again', async () => {
  const [first] = cluster.nodes
  if (first === undefined) throw new Error('BUG: there is a node')
  await machines.machine('db-d')
  const { address } = await machines.provider.host('db-d')
  const node = { ...first, nodeId: 'db-d', name: 'db-d', hostname: 'db-d.0198d0ac.ccx.test', address }
  const bigger = { ...cluster, nodes: [...cluster.nodes, node] }
  const primaryId = 'db-a'
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster: bigger } })
  await fulfil({ subject: 'cmon.install-node', body: { cluster: bigger, nodeId: 'db-d' } })
  for (const { nodeId } of cluster.nodes) {
    const order = placed({ subject: 'cmon.configure-node', body: { cluster: bigger, nodeId, primaryId } })
    assert.equal([await handle(order, work()), await handle(order, work())], [{}, {}])
  }
  await fulfil({ subject: 'cmon.join-replica', body: { cluster: bigger, nodeId: 'db-d', primaryId } })
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster: bigger, primaryId } })
  assert.equal(roles, { 'db-a': 'primary', 'db-b': 'replica', 'db-d': 'replica' })

  await fulfil({ subject: 'cmon.erase-node', body: { cluster: bigger, nodeId: 'db-d' } })
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  for (const { nodeId } of cluster.nodes) {
    await fulfil({ subject: 'cmon.configure-node', body: { cluster, nodeId, primaryId } })
  }
  assert.equal((await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId } })).roles, {
    'db-a': 'primary', 'db-b': 'replica',
  })
  assert.equal((await store.hosts(cluster.datastoreId)).map(({ nodeId }) => nodeId), ['db-a', 'db-b'])
})

test('a node that cannot be told of the others says so', async () => {
  await machines.machine('db-e')
  const [first] = cluster.nodes
  if (first === undefined) throw new Error('BUG: there is a node')
  const { address } = await machines.provider.host('db-e')
  const bigger = { ...cluster, nodes: [...cluster.nodes, { ...first, nodeId: 'db-e', name: 'db-e', address }] }
  const body = { cluster: bigger, nodeId: 'db-e', primaryId: 'db-a' }
  const { because, final } = await failure(fulfil({ subject: 'cmon.configure-node', body }))
  assert.equal([because, final], ['The list of members could not be changed on db-e.', false])
})

test('a failure is told in words for the tenant, kept, and an alarm until the command succeeds', async () => {
  const away = { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, nodeId: `${node.nodeId}-away` })) }
  const order = placed({ subject: 'cmon.bootstrap-primary', body: { cluster: away, nodeId: 'db-a-away' } })
  const { because, final } = await failure(handle(order, work()))
  assert.equal([because, final], ['The machine of db-a is not there.', false])
  await machines.machine('db-a-away')
  assert.is((await failure(handle(order, work()))).because, because)
  const alarms = async () => (await store.alarms(cluster.datastoreId)).filter((it) => it.nodeId === 'db-a-away')
  const [alarm] = await alarms()
  const command = 'cmon.bootstrap-primary'
  assert.equal([alarm?.typeName, alarm?.subject, alarm?.message], ['CommandFailed', command, because])
  assert.is(alarm?.clearedAt, null)
  const lacking = placed({ subject: command, body: { cluster: away, nodeId: 'db-a-away' } })
  assert.is((await failure(handle(lacking, work()))).because, 'The primary could not be started on db-a.')
  await fulfil({ subject: 'cmon.install-node', body: { cluster: away, nodeId: 'db-a-away' } })
  const address = (await machines.provider.host('db-a-away')).address
  const mended = { ...away, nodes: away.nodes.slice(0, 1).map((node) => ({ ...node, address })) }
  await fulfil({ subject: command, body: { cluster: mended, nodeId: 'db-a-away' } })
  assert.equal((await alarms()).filter((it) => it.clearedAt === null), [])
  await fulfil({ subject: 'cmon.erase-node', body: { cluster: mended, nodeId: 'db-a-away' } })
})

test('what can never succeed fails for good', async () => {
  const old = { ...cluster, version: '9.6' }
  const refused = await failure(fulfil({ subject: 'cmon.install-node', body: { cluster: old, nodeId: 'db-a' } }))
  assert.is(refused.final, true)
  assert.match(refused.because, /^The database software could not be set up on db-a: .* is not available/)
  const strange = { ...cluster, engine: 'abacus' }
  const unknown = await failure(fulfil({ subject: 'cmon.install-node', body: { cluster: strange, nodeId: 'db-a' } }))
  assert.equal([unknown.because, unknown.final], ['There is no engine abacus here.', true])
})

test('an order that is stopped with its worker has not ended', async () => {
  const order = placed({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-b' } })
  const error = await handle(order, work(300)).catch((it: unknown) => it)
  assert.not.instance(error, Failure)
  assert.is(await store.ended(order.orderId), undefined)
})

test('a check that runs out of time says what is missing', async () => {
  const notAfter = new Date(Date.now() + 1_500).toISOString()
  const order = placed({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-b' } }, { notAfter })
  assert.is((await failure(handle(order, work()))).because, 'The primary db-b takes no writes.')
})

const promote = async (nodeId: string, formerId: string): Promise<void> => {
  await fulfil({ subject: 'cmon.stop-node', body: { cluster, nodeId: formerId } })
  await fulfil({ subject: 'cmon.catch-up', body: { cluster, nodeId, formerId } })
  await fulfil({ subject: 'cmon.promote-replica', body: { cluster, nodeId } })
  await fulfil({ subject: 'cmon.follow-primary', body: { cluster, nodeId: formerId, primaryId: nodeId } })
}

test('a replica and its primary change places, there and back, and nobody is meant to be silent', async () => {
  for (const [nodeId, formerId] of [['db-b', 'db-a'], ['db-a', 'db-b']] as const) {
    await promote(nodeId, formerId)
    const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: nodeId } })
    assert.equal(roles, { [nodeId]: 'primary', [formerId]: 'replica' })
    const hosts = await store.hosts(cluster.datastoreId)
    assert.not(hosts.some((host) => cluster.nodes.some((node) => node.nodeId === host.nodeId) && host.shutDown))
  }
})

test('a replica is not ready for its promotion while the primary runs, and says so for good', async () => {
  const early = await failure(fulfil({ subject: 'cmon.catch-up', body: { cluster, nodeId: 'db-b', formerId: 'db-a' } }))
  assert.equal([early.because, early.final], [
    'The replica could not be made ready for its promotion on db-b: db-a was not stopped cleanly.', true,
  ])
})

test('a restart is over when the node does its part again; of a primary it is announced', async () => {
  const announced: string[] = []
  for (const nodeId of ['db-b', 'db-a']) {
    const { lines, ...rest } = work()
    await handle(placed({ subject: 'cmon.restart-node', body: { cluster, nodeId, primaryId: 'db-a' } }), rest)
    assert.is(lines.at(-1), `${nodeId} does its part again`)
    announced.push(...lines.filter((line) => line.includes('takes no writes')))
  }
  assert.equal(announced, ['db-a is the primary: the datastore takes no writes until it is back'])
  await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
})

test('a node that is resumed has the settings of the machine and the datastore it is told of', async () => {
  const sized = (ramGb: number) => {
    const instance = { code: 'other', cpu: 1, ramGb }
    const nodes = cluster.nodes.map((node) => (node.nodeId === 'db-b' ? { ...node, instance } : node))
    return { ...cluster, instance, nodes }
  }
  const resumed = async (as: typeof cluster, nodeId: string): Promise<void> => {
    await fulfil({ subject: 'cmon.stop-node', body: { cluster, nodeId } })
    const order = placed({ subject: 'cmon.resume-node', body: { cluster: as, nodeId, primaryId: 'db-a' } })
    assert.equal([await handle(order, work()), await handle(order, work())], [{}, {}])
    await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
  }
  const told = async (nodeId: string) =>
    (await machines.provider.host(nodeId)).read(`${(await machines.provider.host(nodeId)).dataDir}/etc/postgresql.conf`)
  const of = async (nodeId: string) => {
    const text = (await told(nodeId)) ?? ''
    return ['max_connections', 'shared_buffers'].map((name) => new RegExp(`^${name} = (.*)$`, 'm').exec(text)?.[1])
  }
  await resumed(sized(4), 'db-b')
  assert.equal(await of('db-b'), ['200', "'1024MB'"])
  await resumed(sized(4), 'db-a')
  assert.equal(await of('db-a'), ['200', "'256MB'"])
  // Before the primary allows for less, a replica that did would not start.
  await resumed(sized(1), 'db-b')
  assert.equal(await of('db-b'), ['200', "'256MB'"])
  await resumed(sized(1), 'db-a')
  await resumed(sized(1), 'db-b')
  assert.equal([await of('db-a'), await of('db-b')], [['100', "'256MB'"], ['100', "'256MB'"]])
})

test('a node stops, starts and is erased, again and again, also when its machine is off or gone', async () => {
  const body = { cluster, nodeId: 'db-b' }
  for (const subject of ['cmon.stop-node', 'cmon.start-node', 'cmon.erase-node'] as const) {
    await fulfil({ subject, body })
    await fulfil({ subject, body })
  }
  await machines.provider.halt('db-b')
  const said = []
  for (const subject of ['cmon.stop-node', 'cmon.erase-node'] as const) {
    const { lines, ...rest } = work()
    await handle(placed({ subject, body }), rest)
    said.push(...lines)
  }
  assert.equal(said, ['the machine is off', 'the machine is off, and its data goes with its volume'])
  await machines.provider.deleteMachine('db-b')
  for (const subject of ['cmon.stop-node', 'cmon.start-node', 'cmon.erase-node'] as const) {
    const { lines, ...rest } = work()
    await handle(placed({ subject, body }), rest)
    assert.equal(lines, ['the machine is gone already'])
  }
})

test('no secret is in CMON DB or in the log', async () => {
  const names = ['superuser-password', 'replication-password', 'admin-password']
  const passwords = await Promise.all(names.map(secret))
  const connection = await createConnection(world.storeUrl)
  const texts: string[] = [...logLines]
  for (const table of ['clusters', 'hosts', 'jobs', 'job_log', 'alarms']) {
    texts.push(JSON.stringify((await connection.query(`select * from ${table}`))[0]))
  }
  await connection.end()
  for (const password of [...passwords, 'PRIVATE KEY']) assert.not(texts.some((text) => text.includes(password ?? '')))
})

test('a forgotten cluster leaves no row and no secret, forgotten twice', async () => {
  await fulfil({ subject: 'cmon.erase-node', body: { cluster, nodeId: 'db-a' } })
  await fulfil({ subject: 'cmon.forget-cluster', body: { cluster } })
  await fulfil({ subject: 'cmon.forget-cluster', body: { cluster } })
  assert.equal(await store.clusters(), [])
  for (const name of ['ca-key', 'ca-certificate', 'superuser-password', 'admin-password', 'node-key/db-a']) {
    assert.is(await secret(name), undefined)
  }
})

test.run()
