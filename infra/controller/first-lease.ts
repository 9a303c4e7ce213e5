import type { ReachedNode } from '../engines/engine.ts'
import type { NodeOf } from './open.ts'
import type { Parts } from './parts.ts'

/**
 * The node with the lease that it is given should it begin as a primary. Whoever is shut down on purpose is not renewed one by
 * the watch, and would wait for it. Whether it needs one its machine knows: that is on record here only once it has been seen.
 */
export const withLease = async <T extends ReachedNode>(
  { store }: Pick<Parts, 'store'>,
  { cluster, nodeId }: NodeOf,
  node: T,
): Promise<T> => {
  const hosts = await store.hosts(cluster.datastoreId)
  const { leaseTtlMs: ttlMs = null, leaseReplicas } = hosts.find((host) => host.nodeId === nodeId) ?? {}
  const others = hosts.filter((host) => host.nodeId !== nodeId && host.joined && host.fencedEpoch === null)
  const joined = cluster.nodes.filter((one) => others.some((host) => host.nodeId === one.nodeId)).map(({ name }) => name)
  const replicas = leaseReplicas ?? joined
  const mayBeGiven = async (): Promise<boolean> => {
    const standing = await store.standing(cluster.datastoreId)
    return standing !== undefined && standing.fenced[nodeId] === undefined && (standing.primaryId ?? nodeId) === nodeId
  }
  const epoch = (await store.standing(cluster.datastoreId))?.epoch ?? 0
  return { ...node, lease: { epoch, ttlMs, replicas, mayBeGiven } }
}
