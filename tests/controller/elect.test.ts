import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterRef, OrderBodies } from '../../domain/job/orders.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Engine, Standing } from '../../infra/engines/engine.ts'
import { HostUnreachable } from '../../infra/host.ts'
import { elect } from '../../infra/controller/elect.ts'
import { nodes } from '../../infra/controller/nodes.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import { work } from '../support/controller-world.ts'
import { clusterOf, controllerStores } from '../support/controller-stores.ts'
import { deafMachines } from '../support/deaf-machines.ts'

const test = suite('the election of a new primary')
const [kind] = controllerStores
const [engine] = engines
if (kind === undefined || engine === undefined) throw new Error('BUG: there is a store, and an engine')
const server = await kind.start()
const store = server.store()
await store.migrate()

test.after(async () => {
  await store.close()
  await server.stop()
})

const now = () => new Date().toISOString()
const unreachable = (): Promise<never> => Promise.reject(new HostUnreachable())

/** A cluster of four: `-a` was the primary and is fenced. */
const lost = async (datastoreId: string): Promise<ClusterRef> => {
  const two = clusterOf(datastoreId)
  const [first] = two.nodes
  if (first === undefined) throw new Error('BUG: there is a node')
  const more = ['c', 'd'].map((letter) => ({ ...first, nodeId: `${datastoreId}-${letter}`, name: `db-${letter}` }))
  const cluster = { ...two, nodes: [...two.nodes, ...more], epoch: 2 }
  await store.registerCluster(cluster, now())
  for (const { nodeId } of cluster.nodes) await store.joins(nodeId)
  await store.claimPromotion(datastoreId, 1, `${datastoreId}-a`)
  await store.fence(datastoreId, `${datastoreId}-a`, 2)
  return cluster
}

type Positions = Readonly<Record<string, number | Promise<Standing>>>

type Change = Partial<OrderBodies['cmon.elect-primary']>

const elected = async (cluster: ClusterRef, positions: Positions, change: Change = {}, momentMs?: number) => {
  const asked: string[] = []
  const standing: Engine['standing'] = async ({ member }) => {
    asked.push(member.name)
    const position = positions[member.name] ?? unreachable()
    return typeof position === 'number' ? { positionBytes: position, timeline: 1 } : position
  }
  const own: Engine = { ...engine, name: cluster.engine, standing }
  const parts = { nodes: nodes({ engines: [own], providers: [deafMachines] }), store }
  const choice = { synchronous: false, prefer: 'consistency', lagMaxBytes: 100, lastKnownBytes: 1_000 } as const
  const body = { cluster, lostId: `${cluster.datastoreId}-a`, ...choice, ...change }
  const { lines, ...rest } = work()
  const result = await elect(parts, body, rest, momentMs === undefined ? {} : { momentMs }).catch((it: unknown) => it)
  return { result, asked: asked.toSorted((a, b) => (a < b ? -1 : 1)), lines }
}
const because = (result: unknown) => (result instanceof Failure ? [result.because, result.final] : result)

test('asks all replicas and takes the one that has received the most', async () => {
  const { result, asked } = await elected(await lost('most'), { 'db-b': 950, 'db-c': 999, 'db-d': 998 })
  assert.equal(result, { elected: 'most-c', positions: { 'most-b': 950, 'most-c': 999, 'most-d': 998 } })
  assert.equal(asked, ['db-b', 'db-c', 'db-d'])
})

test('waits for nobody who does not answer, and says who does not', async () => {
  const never = new Promise<Standing>(() => undefined)
  const { result, lines } = await elected(await lost('silent'), { 'db-b': 950, 'db-c': never })
  assert.equal(result, { elected: 'silent-b', positions: { 'silent-b': 950 } })
  assert.equal(lines, [
    'db-b has received 950 bytes', 'db-c does not answer', 'db-d does not answer', 'db-b is to be the primary',
  ])
})

test('waits a while for one without which nobody can be chosen', async () => {
  const cluster = await lost('late')
  const late = async (): Promise<Standing> => {
    for (let n = 0; n < 20; n++) await store.ping()
    return { positionBytes: 950, timeline: 1 }
  }
  const { result } = await elected(cluster, { 'db-b': 100, 'db-c': late() }, {}, 0)
  assert.equal(result, { elected: 'late-c', positions: { 'late-b': 100, 'late-c': 950 } })
})

test('does not promote a replica that lacks too much, and says how much', async () => {
  const { result } = await elected(await lost('lagging'), { 'db-b': 899, 'db-c': 100 })
  assert.equal(because(result), [
    'The best replica, db-b, lacks 101 bytes of what the primary had written; 100 are allowed.', false,
  ])
})

test('comes to nothing when no replica answers', async () => {
  const { result } = await elected(await lost('alone'), {}, { prefer: 'availability' })
  assert.equal(because(result), ['No replica answers that could be promoted.', false])
})

test('needs all replicas in synchronous mode, but those that are fenced or have never joined', async () => {
  const cluster = await lost('strict')
  const synchronous = { synchronous: true }
  const { result } = await elected(cluster, { 'db-b': 999, 'db-c': 1_000 }, synchronous)
  assert.equal(because(result), ['db-d does not answer, and may hold a transaction that no other replica has.', false])
  await store.fence('strict', 'strict-d', 2)
  const without = await elected(cluster, { 'db-b': 999, 'db-c': 1_000 }, synchronous)
  assert.equal(without.result, { elected: 'strict-c', positions: { 'strict-b': 999, 'strict-c': 1_000 } })
  assert.equal(without.asked, ['db-b', 'db-c'])
  const [first] = cluster.nodes
  if (first === undefined) throw new Error('BUG: there is a node')
  const bigger = { ...cluster, nodes: [...cluster.nodes, { ...first, nodeId: 'strict-e', name: 'db-e' }] }
  await store.registerCluster(bigger, now())
  assert.equal((await elected(bigger, { 'db-b': 999, 'db-c': 1_000 }, synchronous)).asked, ['db-b', 'db-c'])
})

test('in synchronous mode takes nobody who lacks what a primary had that was promoted and is lost, too', async () => {
  const cluster = await lost('twice')
  await store.claimPromotion('twice', 2, 'twice-b', 1_000)
  await store.fence('twice', 'twice-b', 3)
  const again = { ...cluster, epoch: 3 }
  const strict = { synchronous: true, lostId: 'twice-b' }
  const { result, asked } = await elected(again, { 'db-c': 990, 'db-d': 999 }, strict)
  assert.equal([because(result), asked], [
    ['The best replica, db-d, lacks 1 bytes of what the lost primary had when it was promoted.', true], ['db-c', 'db-d'],
  ])
  const { result: found } = await elected(again, { 'db-c': 990, 'db-d': 1_000 }, strict)
  assert.equal(found, { elected: 'twice-d', positions: { 'twice-c': 990, 'twice-d': 1_000 } })
  const { result: dear } = await elected(again, { 'db-c': 990, 'db-d': 999 }, { ...strict, prefer: 'availability' })
  assert.equal(dear, { elected: 'twice-d', positions: { 'twice-c': 990, 'twice-d': 999 } })
})

test('prefers the zone of the lost primary among those that have the same', async () => {
  const cluster = await lost('zones')
  const zoneOf: Readonly<Record<string, string>> = { 'db-a': 'x', 'db-b': 'y', 'db-c': 'x', 'db-d': 'y' }
  const zoned = { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, zone: zoneOf[node.name] ?? '' })) }
  const { result } = await elected(zoned, { 'db-b': 1_000, 'db-c': 1_000, 'db-d': 1_000 })
  assert.equal(result, { elected: 'zones-c', positions: { 'zones-b': 1_000, 'zones-c': 1_000, 'zones-d': 1_000 } })
})

test('is refused for good once a newer decision was made, and stops nobody from receiving', async () => {
  const cluster = await lost('newer')
  await store.fence('newer', 'newer-b', 3)
  const { result, asked } = await elected(cluster, { 'db-b': 1_000 })
  assert.equal([because(result), asked], [['The primary has been changed by a newer decision.', true], []])
})

test.run()
