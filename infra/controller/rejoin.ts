import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Work } from '../messaging/worker.ts'
import { endLease } from './end-lease.ts'
import { open } from './open.ts'
import { replaced } from './guard.ts'
import type { Parts } from './parts.ts'

const WORDS = {
  'as-it-was': 'follows with the data it had',
  rewound: 'was taken back to where it parted from the primary, and follows',
  copied: 'has a new copy of the data, and follows',
} as const

/**
 * Makes a streaming replica of whatever a node's machine holds. Only then it is no longer fenced, and only from then on it may
 * confirm what is acknowledged: an election asks nobody who is fenced.
 */
export const rejoin = async (
  parts: Parts,
  { cluster, nodeId, primaryId }: { readonly cluster: ClusterRef; readonly nodeId: string; readonly primaryId: string },
  work: Work,
): Promise<void> => {
  const { nodes, store } = parts
  const { datastoreId } = cluster
  const fencedEpoch = (await store.standing(datastoreId))?.fenced[nodeId] ?? null
  const [node, primary] = await Promise.all([
    open(parts, { cluster, nodeId }, work),
    nodes.reach(cluster, primaryId, work),
  ])
  const how = await nodes.engine(cluster).rejoin(node, primary, async () => {
    await endLease(parts, { cluster, nodeId }, node)
    if (!(await store.rejoined(datastoreId, nodeId, fencedEpoch))) throw replaced()
  })
  await store.intend(nodeId, { shutDown: false })
  work.note(`${node.member.name} ${WORDS[how]}`)
}
