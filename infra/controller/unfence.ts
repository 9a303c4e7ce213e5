import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Work } from '../messaging/worker.ts'
import { open } from './open.ts'
import { withLease } from './first-lease.ts'
import type { Parts } from './parts.ts'
import { within } from '../within.ts'

/** One that does not answer for so long is left to the watch: nothing waits for a machine that may never come back. */
const NODE_TIMEOUT_MS = 20_000

/**
 * Makes a fenced node the primary that it was, and the others its replicas, unless another has been promoted. What does not
 * answer keeps nobody from going on: the watch finds it as it finds any other that is lost.
 */
export const unfence = async (
  parts: Parts,
  { cluster, nodeId }: { readonly cluster: ClusterRef; readonly nodeId: string },
  work: Work,
): Promise<void> => {
  const { nodes, store } = parts
  const { name } = nodes.node(cluster, nodeId)
  if (!(await store.unfence(cluster.datastoreId, nodeId, cluster.epoch ?? 0))) {
    return work.note(`${name} stays fenced, for another node is the primary by now`)
  }
  // A switchover may have stopped it; from here on it is meant to be up.
  await store.intend(nodeId, { shutDown: false })
  const primary = nodes.member(cluster, nodeId)
  const engine = nodes.engine(cluster)
  await attempted(work, `${name} does not answer; it is the primary as soon as it does`, async (signal) => {
    // It may be off, for that is one way to fence it.
    await nodes.provider(cluster, nodeId).boot(nodeId)
    const node = await nodes.reach(cluster, nodeId, { ...work, signal })
    await engine.unfence(await withLease(parts, { cluster, nodeId }, node))
    work.note(`${name} is the primary again`)
  })
  const standing = await store.standing(cluster.datastoreId)
  const replicas = cluster.nodes.filter((one) => one.nodeId !== nodeId && standing?.fenced[one.nodeId] === undefined)
  await Promise.all(
    replicas.map((one) =>
      attempted(work, `${one.name} did not answer when it was to follow ${name} again`, async (signal) => {
        const node = await open(parts, { cluster, nodeId: one.nodeId }, { ...work, signal })
        await engine.configure(node, primary)
      }),
    ),
  )
}

/** Acts on a node that may not answer: then a remark is all that comes of it. */
export const attempted = async (work: Work, otherwise: string, act: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(NODE_TIMEOUT_MS)])
  try {
    await within(signal, () => act(signal))
  } catch {
    work.signal.throwIfAborted()
    work.note(otherwise)
  }
}
