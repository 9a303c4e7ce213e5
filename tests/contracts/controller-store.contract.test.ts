import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { PlacedOrder } from '../../domain/job/orders.ts'
import { controllerStore } from '../../infra/controller-store/mysql.ts'
import { clusterOf as cluster, controllerStores } from '../support/controller-stores.ts'

const noon = '2026-07-01T12:00:00.000Z'
const later = '2026-07-01T12:00:01.500Z'

const neverJoined = { fencedEpoch: null, leaseTtlMs: null, toldLostAt: null, lostSince: null, joined: false }
const order = (orderId: string): PlacedOrder => ({
  orderId,
  jobId: 'job_1',
  datastoreId: 'dat_1',
  step: 'register',
  key: '',
  attempt: 1,
  course: 'forward',
  order: { subject: 'cmon.register-cluster', body: { cluster: cluster('dat_1') } },
  notAfter: later,
})

for (const { name, start } of controllerStores) {
  const test = suite(`the controller's store on ${name}`)
  const server = await start()
  const store = server.store()
  const other = server.store()

  test.after(async () => {
    await store.close()
    await other.close()
    await server.stop()
  })

  test('racing processes bring the schema up to date, and again', async () => {
    await Promise.all([store.migrate(), other.migrate()])
    await store.migrate()
    await store.ping()
  })

  test('a registered cluster is listed as it was given, registered twice', async () => {
    await Promise.all([store.registerCluster(cluster('dat_1'), noon), other.registerCluster(cluster('dat_1'), later)])
    assert.equal(await store.clusters(), [cluster('dat_1')])
  })

  test('a host is unknown until it was seen, and keeps when it last answered', async () => {
    const nothing = { role: 'unknown', status: 'CmonHostUnknown', lagBytes: null, lastSeenAt: null, shutDown: false }
    const unseen = { datastoreId: 'dat_1', ...nothing, ...neverJoined }
    assert.equal(await store.hosts('dat_1'), [{ nodeId: 'dat_1-a', ...unseen }, { nodeId: 'dat_1-b', ...unseen }])
    const online = { role: 'replica', status: 'CmonHostOnline', lagBytes: 5_000_000_000, lastSeenAt: later } as const
    const positionBytes = 7_000_000_000_000
    await store.seen('dat_1-a', { ...online, positionBytes })
    const [seen] = await store.hosts('dat_1')
    assert.equal(seen, { nodeId: 'dat_1-a', datastoreId: 'dat_1', ...online, positionBytes, shutDown: false, ...neverJoined })
    await store.seen('dat_1-a', { role: 'unknown', status: 'CmonHostOffLine', lagBytes: null })
    await store.intend('dat_1-a', { shutDown: true })
    await store.registerCluster(cluster('dat_1'), later)
    const [host] = await store.hosts('dat_1')
    const expected = { role: 'unknown', status: 'CmonHostOffLine', lagBytes: null, lastSeenAt: later, shutDown: true }
    assert.equal(host, { nodeId: 'dat_1-a', datastoreId: 'dat_1', ...expected, positionBytes, ...neverJoined })
  })

  test('the parameters of a cluster are kept until it is registered without', async () => {
    const tuned = { ...cluster('dat_1'), parameters: { lock_timeout: '5' } }
    await store.registerCluster(tuned, later)
    assert.equal(await store.clusters(), [tuned])
    await store.registerCluster(cluster('dat_1'), later)
    assert.equal(await store.clusters(), [cluster('dat_1')])
  })

  test('a host that is no longer named is dropped', async () => {
    const smaller = { ...cluster('dat_1'), nodes: cluster('dat_1').nodes.slice(0, 1) }
    await store.registerCluster(smaller, later)
    assert.equal(await store.clusters(), [smaller])
  })

  test('an order has not ended until its ending is in the journal, and the first ending counts', async () => {
    assert.is(await store.ended('ord_1'), undefined)
    await Promise.all([store.begin(order('ord_1'), noon), other.begin(order('ord_1'), later)])
    assert.is(await store.ended('ord_1'), undefined)
    await store.end('ord_1', { status: 'FINISHED', result: { roles: { 'dat_1-a': 'primary' } } }, later)
    await store.end('ord_1', { status: 'FAILED', because: 'too late', final: true }, later)
    assert.equal(await other.ended('ord_1'), { status: 'FINISHED', result: { roles: { 'dat_1-a': 'primary' } } })
  })

  test('a failed order keeps why, and whether for good', async () => {
    await store.begin(order('ord_2'), noon)
    await store.end('ord_2', { status: 'FAILED', because: 'no space left', final: false }, later)
    assert.equal(await store.ended('ord_2'), { status: 'FAILED', because: 'no space left', final: false })
  })

  test("an order's lines come back in their order", async () => {
    for (const line of ['one', 'zwei 🐘', 'one']) await store.logLine('ord_1', line, later)
    assert.equal(await store.jobLog('ord_1'), [
      { at: later, line: 'one' },
      { at: later, line: 'zwei 🐘' },
      { at: later, line: 'one' },
    ])
  })

  test('an alarm is raised once, counts, is cleared, and begins anew when it comes back', async () => {
    const key = { datastoreId: 'dat_1', nodeId: 'dat_1-a', typeName: 'HostUnreachable', subject: '' }
    const words = { component: 'Node', severity: 'ALARM_CRITICAL', title: 'gone', message: 'no answer' } as const
    const alarm = { ...key, ...words }
    await store.raise(alarm, noon)
    await store.raise(alarm, later)
    assert.equal(await store.alarms('dat_1'), [{ ...alarm, counter: 2, raisedAt: noon, clearedAt: null }])
    await store.clear(key, later)
    await store.clear(key, '2026-07-01T13:00:00.000Z')
    assert.equal(await store.alarms('dat_1'), [{ ...alarm, counter: 2, raisedAt: noon, clearedAt: later }])
    await store.raise(alarm, later)
    assert.equal(await store.alarms('dat_1'), [{ ...alarm, counter: 3, raisedAt: later, clearedAt: null }])
  })

  test('a forgotten cluster leaves no row but its journal, forgotten twice, and no other is touched', async () => {
    await store.registerCluster(cluster('dat_2'), later)
    await Promise.all([store.forgetCluster('dat_1'), other.forgetCluster('dat_1')])
    assert.equal(await store.clusters(), [cluster('dat_2')])
    assert.equal([await store.hosts('dat_1'), await store.alarms('dat_1')], [[], []])
    assert.is((await store.ended('ord_1'))?.status, 'FINISHED')
  })

  test('an alarm of a cluster that is forgotten meanwhile leaves no row', async () => {
    const alarm = {
      datastoreId: 'dat_3', nodeId: 'dat_3-a', typeName: 'DatabaseDown', subject: '',
      component: 'Node', severity: 'ALARM_CRITICAL', title: 'down', message: 'no answer',
    } as const
    for (let round = 0; round < 20; round++) {
      await store.registerCluster(cluster('dat_3'), later)
      const raised = Array.from({ length: 4 }, (_, i) => other.raise({ ...alarm, nodeId: `dat_3-${i}` }, later))
      await Promise.all([...raised, store.forgetCluster('dat_3')])
      await other.raise(alarm, later)
      assert.equal(await store.alarms('dat_3'), [])
    }
  })

  test('many clusters at once do not stand in each other’s way', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `many_${i}`)
    await Promise.all(ids.map((id, i) => (i % 2 === 0 ? store : other).registerCluster(cluster(id), noon)))
    await Promise.all(ids.map((id, i) => (i % 2 === 0 ? other : store).forgetCluster(id)))
    assert.equal(await store.clusters(), [cluster('dat_2')])
  })

  test('a server that is gone is told from one that answers', async () => {
    const nowhere = controllerStore({ url: 'mysql://nobody:nothing@127.0.0.1:1/none' })
    const error = await nowhere.ping().catch((it: unknown) => it)
    assert.is(error instanceof Error ? error.message : '', 'CMON DB could not answer')
    await nowhere.close()
  })

  test.run()
}
