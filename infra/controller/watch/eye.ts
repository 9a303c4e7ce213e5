import type { LookResult } from '../../../domain/failover/watched.ts'
import type { ClusterRef, NodeRef } from '../../../domain/job/orders.ts'
import type { Engine, ReachedNode } from '../../engines/engine.ts'
import type { Lease, Look, Session } from '../../engines/session.ts'
import type { WatchParts } from './parts.ts'
import { within } from './within.ts'

/** What a look gave: an answer, or which kind of silence. */
export type Seen = { readonly look: Look | 'no-contact'; readonly beganAtMs: number }

/** A controller's eye on one node. One question at a time. */
export type Eye = {
  readonly node: NodeRef
  readonly engine: Engine
  readonly look: () => Promise<Seen>
  /** The node as verbs take it; undefined when there is no such machine. */
  readonly reached: () => Promise<ReachedNode | undefined>
  readonly renew: (lease: Lease) => Promise<void>
  readonly close: () => Promise<void>
}

/** How much longer than the session's own limit a look is waited for. */
const GRACE_MS = 250

/** Opens an eye on a node. Its session is begun with the first look, and anew after one that did not keep to its limit. */
export const eyeOn = (parts: WatchParts, cluster: ClusterRef, node: NodeRef): Eye => {
  const { nodes, clock, limits: { lookTimeoutMs } } = parts
  const engine = nodes.engine(cluster)
  const closed = new AbortController()
  const signal = AbortSignal.any([closed.signal, parts.signal])
  const limit = { clock, ms: lookTimeoutMs + GRACE_MS, signal }
  let open: { readonly reached: ReachedNode; readonly session: Session } | undefined

  const find = (): Promise<ReachedNode | undefined> =>
    nodes.find(cluster, node.nodeId, { signal, note: () => undefined, progress: () => undefined })
  const opened = async () => {
    const reached = await find()
    if (reached === undefined || closed.signal.aborted) return undefined
    return (open ??= { reached, session: engine.session(reached) })
  }
  const drop = async (): Promise<void> => {
    const session = open?.session
    open = undefined
    await session?.close().catch(() => undefined)
  }
  return {
    node,
    engine,
    async look() {
      const beganAtMs = clock.monotonicMs()
      try {
        const look = await within(limit, async () => {
          const session = (open ?? (await opened()))?.session
          return session === undefined ? undefined : session.look(lookTimeoutMs)
        })
        return { look: look ?? 'no-contact', beganAtMs }
      } catch {
        // A session that keeps to its limit is made good by itself; beyond that nothing can be expected of it.
        if (clock.monotonicMs() - beganAtMs >= lookTimeoutMs + GRACE_MS) void drop()
        return { look: 'no-contact', beganAtMs }
      }
    },
    reached: async () => open?.reached ?? (await find()),
    renew: async (lease) => open?.session.renewLease(lease),
    async close() {
      closed.abort()
      await drop()
    },
  }
}

/** What a look means to the monitor. */
export const resultOf = ({ look }: Seen): LookResult => {
  if (look === 'no-contact') return { kind: 'silent' }
  const { role, server, positionBytes, streaming, replyAgesMs } = look
  if (role === 'down') return { kind: 'server-down', server: server === 'answers' ? 'refuses' : server }
  // One that still catches up follows, too.
  return { kind: 'answered', role, positionBytes, streaming: [...new Set([...streaming, ...Object.keys(replyAgesMs)])] }
}
