// limit: 300 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterRef, Order, OrderResult } from '../../domain/job/orders.ts'
import { controller } from '../../infra/controller/controller.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import { controllerWorld, placed, work } from '../support/controller-world.ts'
import { keptLog } from '../support/log.ts'
import { openPersonalData } from '../support/personal-data.ts'

const test = suite('the failover of a datastore')
const world = await controllerWorld('0198d0fa', ['db-a', 'db-b', 'db-c'])
const { engine, machines, secrets, store } = world
const { log } = keptLog()
const handle = controller({ engines: [engine], providers: [machines.provider], store, secrets, personal: openPersonalData, log })

/** The datastore as a job of this epoch knows it. */
const at = (epoch: number): ClusterRef => ({ ...world.cluster, epoch })
const lines: string[] = []
const fulfil = async (order: Order): Promise<OrderResult> => {
  const own = work()
  try {
    return await handle(placed(order), own)
  } finally {
    lines.push(...own.lines)
  }
}
const failure = async (order: Order): Promise<readonly [string, boolean]> => {
  const error = await fulfil(order).then(() => undefined, (it: unknown) => it)
  if (!(error instanceof Failure)) throw new Error('no Failure came of it', { cause: error })
  return [error.because, error.final]
}
const election = { synchronous: false, prefer: 'consistency', lagMaxBytes: 16_777_216, lastKnownBytes: null } as const

test.after(() => world.remove())

test.before(async () => {
  const cluster = at(1)
  await fulfil({ subject: 'cmon.register-cluster', body: { cluster } })
  for (const { nodeId } of cluster.nodes) await fulfil({ subject: 'cmon.install-node', body: { cluster, nodeId } })
  await fulfil({ subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'db-a' } })
  for (const nodeId of ['db-b', 'db-c']) {
    await fulfil({ subject: 'cmon.join-replica', body: { cluster, nodeId, primaryId: 'db-a' } })
  }
})

test('whoever was made the primary is on record', async () => {
  assert.equal(await store.standing(world.cluster.datastoreId), { epoch: 1, primaryId: 'db-a', fenced: {} })
})

test('an election that comes to nothing leaves the primary that was fenced the primary, with its replicas', async () => {
  const cluster = at(2)
  const fenced = await fulfil({ subject: 'cmon.fence-node', body: { cluster, nodeId: 'db-a', prefer: 'consistency' } })
  assert.equal(fenced, { fencedBy: 'server-stopped' })
  const beyond = { ...election, lastKnownBytes: 2 ** 50 }
  const [because] = await failure({ subject: 'cmon.elect-primary', body: { cluster, lostId: 'db-a', ...beyond } })
  assert.match(because, /^The best replica, db-b, lacks \d+ bytes of what the primary had written; 16777216 are allowed\.$/)
  await fulfil({ subject: 'cmon.unfence-node', body: { cluster, nodeId: 'db-a' } })
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
  assert.equal(roles, { 'db-a': 'primary', 'db-b': 'replica', 'db-c': 'replica' })
  // What comes late of it changes nothing any more.
  assert.equal(await failure({ subject: 'cmon.promote-replica', body: { cluster, nodeId: 'db-b' } }), [
    'The primary has been changed by a newer decision.', true,
  ])
})

test('a lost primary is fenced, another is elected and promoted, and the others follow it', async () => {
  const cluster = at(3)
  await fulfil({ subject: 'cmon.fence-node', body: { cluster, nodeId: 'db-a', prefer: 'consistency' } })
  const { elected = '', positions = {} } =
    await fulfil({ subject: 'cmon.elect-primary', body: { cluster, lostId: 'db-a', ...election } })
  assert.equal([Object.keys(positions).toSorted((a, b) => (a < b ? -1 : 1)), elected], [['db-b', 'db-c'], 'db-b'])
  const positionBytes = positions[elected] ?? 0
  await fulfil({ subject: 'cmon.promote-replica', body: { cluster, nodeId: elected, positionBytes } })
  for (const nodeId of ['db-b', 'db-c']) {
    await fulfil({ subject: 'cmon.configure-node', body: { cluster, nodeId, primaryId: elected } })
  }
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-b' } })
  assert.equal(roles, { 'db-b': 'primary', 'db-c': 'replica' })
  const { neededBytes = 0, ...standing } = (await store.standing(cluster.datastoreId)) ?? {}
  assert.equal(standing, { epoch: 3, primaryId: 'db-b', fenced: { 'db-a': 3 } })
  assert.ok(neededBytes > 0 && neededBytes <= positionBytes)
})

test('an older job goes on without the fenced node, and does the new primary no harm', async () => {
  const cluster = at(1)
  lines.length = 0
  await fulfil({ subject: 'cmon.start-node', body: { cluster, nodeId: 'db-a' } })
  await fulfil({ subject: 'cmon.restart-node', body: { cluster, nodeId: 'db-a', primaryId: 'db-a' } })
  await fulfil({ subject: 'cmon.stop-node', body: { cluster, nodeId: 'db-b' } })
  await fulfil({ subject: 'cmon.follow-primary', body: { cluster, nodeId: 'db-b', primaryId: 'db-a' } })
  assert.equal(lines, [
    'nothing is done on db-a, which is fenced', 'nothing is done on db-a, which is fenced',
    'nothing is done on db-b, which is the primary by now', 'nothing is done on db-b, which is the primary by now',
  ])
  lines.length = 0
  for (const nodeId of ['db-a', 'db-c']) await fulfil({ subject: 'cmon.promote-replica', body: { cluster, nodeId } })
  assert.equal(lines, [
    'db-a is not promoted, for a newer decision goes before', 'db-c is not promoted, for a newer decision goes before',
  ])
  const account = { username: 'ccxadmin', database: 'ccxdb' }
  await fulfil({ subject: 'cmon.create-account', body: { cluster, nodeId: 'db-a', ...account } })
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-a' } })
  assert.equal(roles, { 'db-b': 'primary', 'db-c': 'replica' })
})

test('the former primary comes back as a replica, and is not fenced any more', async () => {
  const cluster = at(4)
  lines.length = 0
  await fulfil({ subject: 'cmon.rejoin-node', body: { cluster, nodeId: 'db-a', primaryId: 'db-b' } })
  assert.ok(lines.some((line) => /^db-a .*follows/.test(line)))
  const { roles } = await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'db-b' } })
  assert.equal(roles, { 'db-a': 'replica', 'db-b': 'primary', 'db-c': 'replica' })
  assert.equal((await store.standing(cluster.datastoreId))?.fenced, {})
})

test('a machine that is off is fenced by its power, and rejoined once it is on again', async () => {
  const cluster = at(5)
  await machines.provider.halt('db-b')
  const { fencedBy } = await fulfil({ subject: 'cmon.fence-node', body: { cluster, nodeId: 'db-b', prefer: 'consistency' } })
  assert.is(fencedBy, 'powered-off')
  const { elected = '' } =
    await fulfil({ subject: 'cmon.elect-primary', body: { cluster, lostId: 'db-b', ...election, synchronous: true } })
  await fulfil({ subject: 'cmon.promote-replica', body: { cluster, nodeId: elected } })
  for (const nodeId of ['db-a', 'db-c']) {
    await fulfil({ subject: 'cmon.configure-node', body: { cluster, nodeId, primaryId: elected } })
  }
  await machines.provider.boot('db-b')
  await fulfil({ subject: 'cmon.rejoin-node', body: { cluster, nodeId: 'db-b', primaryId: elected } })
  await fulfil({ subject: 'cmon.check-cluster', body: { cluster, primaryId: elected } })
  const { neededBytes: _, ...standing } = (await store.standing(cluster.datastoreId)) ?? {}
  assert.equal(standing, { epoch: 5, primaryId: elected, fenced: {} })
})

test.run()
