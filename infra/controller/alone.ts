import type { OrderSubject, PlacedOrder } from '../../domain/job/orders.ts'
import { Occupied } from '../controller-store/controller-store.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import type { Parts } from './parts.ts'

/** How long before an order's time is up it says that somebody else is at work on its node. */
const LAST_WORD_MS = 1_000

/** What stops or starts a server, as the watch does with one that went down. A fence waits for nobody. */
const ALONE: readonly OrderSubject[] = [
  'cmon.restart-node', 'cmon.resume-node', 'cmon.apply-parameters', 'cmon.stop-node', 'cmon.start-node', 'cmon.revive-node',
  'cmon.follow-primary', 'cmon.rejoin-node', 'cmon.erase-node',
]

/** Carries an order out while nobody else stops or starts the server of its node. */
export const alone = async <T>(
  { store, now }: Pick<Parts, 'store' | 'now'>,
  { order: { subject, body }, notAfter }: PlacedOrder,
  work: Work,
  carryOut: (work: Work) => Promise<T>,
): Promise<T> => {
  if (!ALONE.includes(subject) || !('nodeId' in body) || !('cluster' in body)) return carryOut(work)
  const { cluster, nodeId } = body
  const waitMs = Math.max(Date.parse(notAfter) - Date.parse(now()) - LAST_WORD_MS, 0)
  try {
    return await store.exclusively(nodeId, (signal) => carryOut({ ...work, signal }), { waitMs, signal: work.signal })
  } catch (cause) {
    if (!(cause instanceof Occupied)) throw cause
    const name = cluster.nodes.find((node) => node.nodeId === nodeId)?.name ?? 'the node'
    throw new Failure(`Something else is being done with the server of ${name}.`, { cause })
  }
}
