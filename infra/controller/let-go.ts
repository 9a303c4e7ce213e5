import type { Work } from '../messaging/worker.ts'
import type { NodeOf } from './open.ts'
import type { Parts } from './parts.ts'
import { attempted } from './unfence.ts'

/**
 * Has the primary go on without hearing from a node that is about to go. It would else end itself while nobody renews its lease,
 * for one of its replicas is silent.
 */
export const letGo = async (parts: Pick<Parts, 'nodes' | 'store'>, { cluster, nodeId }: NodeOf, work: Work): Promise<void> => {
  const { nodes, store } = parts
  const { name } = nodes.node(cluster, nodeId)
  const primaryId = (await store.standing(cluster.datastoreId))?.primaryId ?? nodeId
  if (primaryId === nodeId || !cluster.nodes.some((one) => one.nodeId === primaryId)) return
  await store.leaves(nodeId)
  await attempted(work, `the primary did not answer when it was to go on without ${name}`, (signal) =>
    // Its own erasure takes its lease away.
    store.exclusively(
      primaryId,
      async () => {
        const standing = await store.standing(cluster.datastoreId)
        const primary = (await store.hosts(cluster.datastoreId)).find((host) => host.nodeId === primaryId)
        const { leaseTtlMs: ttlMs = null, leaseReplicas = [], shutDown, fencedEpoch = null } = primary ?? {}
        const isAnother = standing?.primaryId !== primaryId || shutDown !== false || fencedEpoch !== null
        if (isAnother || ttlMs === null || !leaseReplicas.includes(name)) return
        const replicas = leaseReplicas.filter((one) => one !== name)
        // Nobody may count on a replica that the machine does not wait for any more.
        await (replicas.length === 0 ? store.leased(primaryId, null) : store.leased(primaryId, ttlMs, replicas))
        const lease = replicas.length === 0 ? null : { epoch: standing.epoch, ttlMs, replicas }
        await nodes.engine(cluster).keepLease(await nodes.reach(cluster, primaryId, { ...work, signal }), lease)
      },
      // The watch changes its terms within moments.
      { waitMs: 2_000, signal },
    ),
  )
}
