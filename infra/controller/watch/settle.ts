import { alarmKeeper, alarmsOf, seenOf } from './alarms.ts'
import type { Seen } from './eye.ts'
import type { WatchParts } from './parts.ts'
import { rowKeeper } from './rows.ts'
import type { View } from './view.ts'
import { within } from './within.ts'

/** How often it is asked how full the volumes are. */
const DISK_MS = 5_000
const DISK_TIMEOUT_MS = 5_000

/**
 * Brings CMON DB in step with what is seen of a datastore, round after round: its hosts, its alarms, and who its primary is
 * where nobody has written that down. What fails is made good by the next round.
 */
export const settling = async (parts: WatchParts, view: View): Promise<void> => {
  const { clock, log, signal, limits: { intervalMs } } = parts
  const { datastoreId } = view
  const kept = { alarms: alarmKeeper(parts, datastoreId), row: rowKeeper(parts) }
  const steady = new Map<string, Seen>()
  let diskAtMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    const beganMs = clock.monotonicMs()
    try {
      if (view.isOurs()) await settle(parts, view, kept, steady)
    } catch (err) {
      if (!signal.aborted) log.warn({ datastoreId, err }, 'what was seen of a datastore could not be kept')
    }
    if (parts.diskReports !== undefined && beganMs - diskAtMs >= DISK_MS && view.isOurs()) {
      diskAtMs = beganMs
      view.beside.once('disks', () => disks(parts, view))
    }
    await clock.sleep(Math.max(intervalMs - (clock.monotonicMs() - beganMs), 0), signal)
  }
}

type Kept = { readonly alarms: ReturnType<typeof alarmKeeper>; readonly row: ReturnType<typeof rowKeeper> }

const settle = async (parts: WatchParts, view: View, kept: Kept, steady: Map<string, Seen>): Promise<void> => {
  const { cluster, hosts, standing } = view.watched
  const { nodes } = view.monitor
  const at = parts.clock.now()
  for (const { nodeId } of cluster.nodes) {
    const seen = view.seen.get(nodeId)
    // A single look that was missed is nothing yet.
    if (seen !== undefined && nodes[nodeId]?.misses !== 1) steady.set(nodeId, seen)
  }
  const looks = cluster.nodes.flatMap((node) => {
    const one = steady.get(node.nodeId)
    const before = hosts.find(({ nodeId }) => nodeId === node.nodeId)
    return one === undefined ? [] : [{ ...one, node, seen: seenOf(one, before, at) }]
  })
  if (looks.length < cluster.nodes.length) return
  await kept.alarms(alarmsOf(cluster, looks, standing.primaryId))
  for (const { node, seen } of looks) await kept.row(node.nodeId, seen)
  if (standing.primaryId !== null) return
  const answering = looks.flatMap(({ node, look }) => (look === 'no-contact' || look.role === 'down' ? [] : [{ node, look }]))
  const primaries = answering.filter(({ look }) => look.role === 'primary')
  const [primary] = primaries
  if (primary === undefined || primaries.length > 1 || answering.length < looks.length || !view.isOurs()) return
  await parts.store.adoptPrimary(cluster.datastoreId, primary.node.nodeId)
}

const disks = async ({ clock, signal, diskReports }: WatchParts, { watched, eyes }: View): Promise<void> => {
  const volumes = await Promise.all(
    [...eyes.values()].map(async ({ node: { nodeId }, reached }) => {
      try {
        const usage = await within({ clock, ms: DISK_TIMEOUT_MS, signal }, async () => (await reached())?.host.diskUsage())
        return usage === undefined ? [] : [{ nodeId, ...usage }]
      } catch {
        return []
      }
    }),
  )
  await diskReports?.(watched.cluster, volumes.flat(), clock.now())
}
