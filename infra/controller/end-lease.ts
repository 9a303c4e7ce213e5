import type { ReachedNode } from '../engines/engine.ts'
import type { NodeOf } from './open.ts'
import type { Parts } from './parts.ts'

/** A node that has become a replica needs no lease. The one it had would demote it as soon as it is a primary again. */
export const endLease = async ({ nodes, store }: Parts, { cluster, nodeId }: NodeOf, node: ReachedNode): Promise<void> => {
  const host = (await store.hosts(cluster.datastoreId)).find((one) => one.nodeId === nodeId)
  if (host?.leaseTtlMs == null) return
  await nodes.engine(cluster).keepLease(node, null)
  await store.leased(nodeId, null)
}
