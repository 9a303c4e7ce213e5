import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Parts } from './parts.ts'

/** So long a job waits for a node that is lost. What makes the node whole again waits behind that job. */
export const LOST_MS = 30_000

/**
 * The cluster without the nodes that have been lost for some time: a job that can only go on is not kept from its end by them.
 *
 * @param primaryId is never left out
 */
export const withoutLost = async (
  { store, now }: Pick<Parts, 'store' | 'now'>,
  cluster: ClusterRef,
  primaryId: string,
): Promise<{ readonly cluster: ClusterRef; readonly lost: readonly string[] }> => {
  const before = Date.parse(now()) - LOST_MS
  const hosts = await store.hosts(cluster.datastoreId)
  const isLost = (nodeId: string): boolean =>
    nodeId !== primaryId && hosts.some((host) => host.nodeId === nodeId && Date.parse(host.lostSince ?? now()) <= before)
  return {
    cluster: { ...cluster, nodes: cluster.nodes.filter(({ nodeId }) => !isLost(nodeId)) },
    lost: cluster.nodes.filter(({ nodeId }) => isLost(nodeId)).map(({ name }) => name),
  }
}
