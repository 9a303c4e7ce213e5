import { virtualClock } from './virtual-clock.ts'
import { watchedCluster, watchScene } from './watch-scene.ts'

/** After so long all nodes were looked at, and leases given. */
export const SETTLED_MS = 5_000

/** A controller that has watched a datastore of three nodes, or of as many as are named, for some seconds. */
export const watchBegun = async (names: readonly string[] = ['db-a', 'db-b', 'db-c']) => {
  const { clock, pass } = virtualClock()
  const scene = watchScene(clock)
  const cluster = watchedCluster('dst_1', names)
  scene.begin(cluster)
  scene.control('one')
  await pass(SETTLED_MS)
  const end = async (): Promise<void> => {
    const ended = scene.end('one')
    await pass(10_000)
    await ended
  }
  const open = (): readonly string[] =>
    scene.alarms.filter(({ clearedAt }) => clearedAt === null).map(({ typeName, nodeId }) => `${typeName} ${nodeId}`)
  const [a = '', b = '', c = ''] = cluster.nodes.map(({ nodeId }) => nodeId)
  return { ...scene, cluster, clock, pass, finish: end, open, a, b, c }
}
