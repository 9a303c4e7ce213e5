import type { Heard } from '../../../domain/failover/watched.ts'
import type { ClusterRef } from '../../../domain/job/orders.ts'
import { Occupied } from '../../controller-store/controller-store.ts'
import type { Eye } from './eye.ts'
import type { WatchParts } from './parts.ts'
import type { View } from './view.ts'
import { within } from './within.ts'

const RESTART_TIMEOUT_MS = 120_000
const FENCE_TIMEOUT_MS = 30_000
/** A replica gives its primary about a second, and is asked over the machine's shell. */
const HEARSAY_TIMEOUT_MS = 2_000

/**
 * Starts a server that died where it is, while nobody else works on the node, unless it was stopped on purpose or fenced in the
 * meantime. A primary that ended itself, and that nobody has taken the place of, is let begin again; one that was to be
 * promoted, and that nobody has come to promote for some time, is promoted.
 */
export const restartInPlace = async (parts: WatchParts, { datastoreId, seen, isOurs }: View, eye: Eye): Promise<void> => {
  const { store, log, clock, signal } = parts
  const { node: { nodeId }, engine } = eye
  try {
    await store.exclusively(
      nodeId,
      async (vouched) => {
        const [standing, hosts] = await Promise.all([store.standing(datastoreId), store.hosts(datastoreId)])
        const host = hosts.find((one) => one.nodeId === nodeId)
        if (standing === undefined || host === undefined || host.shutDown || host.fencedEpoch !== null) return
        const reached = await eye.reached()
        if (reached === undefined || !isOurs()) return
        const limited = AbortSignal.any([vouched, signal])
        const node = { ...reached, signal: limited }
        const look = seen.get(nodeId)?.look
        const marked = typeof look === 'object' && look.fenced
        const leads = standing.primaryId === nodeId
        const follows = typeof look === 'object' && look.role === 'replica'
        log.warn({ datastoreId, nodeId, leads, marked, follows }, 'a server is started where it is, or made what it is to be')
        await within({ clock, ms: RESTART_TIMEOUT_MS, signal: limited }, async () => {
          if (leads && marked) return engine.unfence(node)
          if (!leads || !follows) return engine.start(node)
          // Whoever was to promote it has not come to it, and nobody else may be promoted in its epoch.
          await engine.promote(node)
        })
      },
      { waitMs: 0, signal },
    )
  } catch (err) {
    // Whoever works on the node knows what he does with it.
    if (err instanceof Occupied || signal.aborted) return
    log.warn({ datastoreId, nodeId, err }, 'a server that died could not be started where it is')
  }
}

/** Fences a node that takes writes while another is the primary by the newest decision. */
export const fenceSecond = async (parts: WatchParts, { datastoreId, isOurs }: View, eye: Eye): Promise<void> => {
  const { store, log, clock, signal } = parts
  const { node: { nodeId }, engine } = eye
  try {
    const standing = await store.standing(datastoreId)
    if (standing === undefined || standing.primaryId === null || standing.primaryId === nodeId) return
    const reached = await eye.reached()
    if (reached === undefined || !isOurs()) return
    log.error({ datastoreId, nodeId, epoch: standing.epoch }, 'a node takes writes and is not the primary: it is fenced')
    await within({ clock, ms: FENCE_TIMEOUT_MS, signal }, () => engine.fence({ ...reached, signal }))
  } catch (err) {
    if (signal.aborted) return
    log.error({ datastoreId, nodeId, err }, 'a node that takes writes and is not the primary could not be fenced')
  }
}

/** Asks replicas, side by side, from their own machines, what they hear of the primary. */
export const askReplicas = (
  { nodes, clock, signal }: WatchParts,
  cluster: ClusterRef,
  primaryId: string,
  replicas: readonly Eye[],
): Promise<readonly Heard[]> => {
  const primary = nodes.member(cluster, primaryId)
  return Promise.all(
    replicas.map(async ({ node: { nodeId }, engine, reached }): Promise<Heard> => {
      try {
        const said = await within({ clock, ms: HEARSAY_TIMEOUT_MS, signal }, async () => {
          const node = await reached()
          return node && engine.hears(node, primary)
        })
        return { nodeId, said }
      } catch {
        return { nodeId, said: undefined }
      }
    }),
  )
}
