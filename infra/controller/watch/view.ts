import type { Known, Monitor } from '../../../domain/failover/watched.ts'
import type { WatchedCluster } from '../../controller-store/controller-store.ts'
import type { Beside } from './beside.ts'
import type { Eye, Seen } from './eye.ts'
import type { WatchParts } from './parts.ts'

/** Whether a datastore is certainly ours to act on at this moment. */
export type IsOurs = () => boolean

/** What the watch over one datastore goes by. */
export type View = {
  readonly datastoreId: string
  /** As CMON DB has it. */
  watched: WatchedCluster
  monitor: Monitor
  /** The last look at each node. */
  readonly seen: Map<string, Seen>
  readonly eyes: Map<string, Eye>
  readonly isOurs: IsOurs
  readonly beside: Beside
}

/** What the monitor is to go by: CMON DB, and of those that are not the primary also what their machines say of themselves. */
export const knownOf = ({ clock }: Pick<WatchParts, 'clock'>, { watched, seen, isOurs }: View): Known => {
  const { cluster, standing, hosts } = watched
  const sinceMs = (at: string): number => clock.monotonicMs() - Math.max(Date.parse(clock.now()) - Date.parse(at), 0)
  return {
    owned: isOurs(),
    primaryId: standing.primaryId,
    nodes: cluster.nodes.flatMap(({ nodeId, name }) => {
      const host = hosts.find((one) => one.nodeId === nodeId)
      if (host === undefined) return []
      const look = seen.get(nodeId)?.look
      const marked = typeof look === 'object' && look.fenced && nodeId !== standing.primaryId
      const { lastSeenAt, positionBytes = null, shutDown, fencedEpoch, toldLostAt } = host
      const lastSeenAtMs = lastSeenAt === null ? null : sinceMs(lastSeenAt)
      const fenced = fencedEpoch !== null || marked
      return [{ nodeId, name, shutDown, fenced, lastSeenAtMs, positionBytes, toldLost: toldLostAt !== null }]
    }),
  }
}
