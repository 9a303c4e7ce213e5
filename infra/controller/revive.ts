import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Work } from '../messaging/worker.ts'
import { withLease } from './first-lease.ts'
import type { Parts } from './parts.ts'

const REVIVAL_MS = 60_000

/**
 * Starts a server that went down by itself, as one does whose volume is full. One that was stopped on purpose stays down;
 * one that does not come up is left for the watch to tell of, for whoever asks has done his own part already.
 */
export const revive = async (
  { nodes, store }: Parts,
  { cluster, nodeId }: { readonly cluster: ClusterRef; readonly nodeId: string },
  work: Work,
): Promise<void> => {
  const { name } = nodes.node(cluster, nodeId)
  const host = (await store.hosts(cluster.datastoreId)).find((one) => one.nodeId === nodeId)
  if (host?.shutDown === true) return work.note(`${name} was stopped on purpose`)
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(REVIVAL_MS)])
  try {
    const node = await nodes.find(cluster, nodeId, { ...work, signal })
    if (node === undefined) return work.note(`the machine of ${name} is not there`)
    const engine = nodes.engine(cluster)
    if ((await engine.probe(node)).role !== 'down') return
    await engine.start(await withLease({ store }, { cluster, nodeId }, node))
    work.note(`the server of ${name} was down and runs again`)
  } catch {
    work.signal.throwIfAborted()
    work.note(`the server of ${name} is down and does not come up`)
  }
}
