import type { Action } from '../../../domain/failover/watched.ts'
import { LIMITS } from '../../../domain/failover/limits.ts'
import { later } from '../../../domain/kernel/time.ts'
import type { Observation } from '../../messaging/observation.ts'
import type { WatchParts } from './parts.ts'
import type { View } from './view.ts'

export type Telling = Extract<Action, { readonly type: `tell-${string}` }>

const RESTART_TOLD_PAUSE_MS = 2_000
const RESTART_TOLD_ATTEMPTS = 30

/**
 * Tells what the monitor found, unless CMON DB says by now that it is meant to be so. What could not be told is told again while
 * it lasts; of a restart, which is over, it is tried for a minute.
 *
 * @throws when CMON DB or the broker does not answer
 */
export const tell = async (parts: WatchParts, { watched: { cluster }, isOurs }: View, found: Telling): Promise<void> => {
  const { store, clock, metrics } = parts
  const { datastoreId, ownerId } = cluster
  const nowMs = clock.monotonicMs()
  const at = clock.now()
  const instant = (ms: number): string => later(at, Math.min(Math.round(ms - nowMs), 0))
  const about = { datastoreId, ownerId, at }
  if (found.type === 'tell-restarted') {
    const { nodeId, role, downSinceMs, backAtMs } = found
    const [downSince, backAt] = [instant(downSinceMs), instant(backAtMs)]
    return again(parts, { ...about, kind: 'server-restarted', nodeId, role, downSince, backAt })
  }
  const nodeId = found.type === 'tell-unreachable' ? found.primaryId : found.nodeId
  const [standing, hosts] = await Promise.all([store.standing(datastoreId), store.hosts(datastoreId)])
  const host = hosts.find((one) => one.nodeId === nodeId)
  if (standing === undefined || host === undefined || host.shutDown || !isOurs()) return
  switch (found.type) {
    case 'tell-unreachable': {
      if (standing.primaryId !== nodeId) return
      const name = cluster.nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId
      const lastSeenAt = instant(found.lastSeenAtMs)
      await store.toldLost(nodeId, at)
      await parts.observe({
        ...about, kind: 'primary-unreachable', primaryId: nodeId, epoch: standing.epoch, lastSeenAt,
        because: words(found.because, name), positionBytes: found.positionBytes,
      })
      return metrics?.lossReported()
    }
    case 'tell-silent':
      await store.toldLost(nodeId, at)
      return parts.observe({
        ...about, kind: 'node-silent', nodeId, since: instant(found.sinceMs), machineAnswers: found.machineAnswers,
      })
    case 'tell-back':
      await store.toldLost(nodeId, at)
      return parts.observe({ ...about, kind: 'node-back', nodeId })
    case 'tell-well': {
      const { toldLostAt, fencedEpoch } = host
      if (toldLostAt === null || fencedEpoch !== null) return
      // The clocks of controllers differ; that it was lost comes first in any case.
      const seenAt = at > toldLostAt ? at : later(toldLostAt, 1)
      await parts.observe({ ...about, at: seenAt, kind: 'node-well', nodeId })
      return store.toldWell(nodeId, toldLostAt)
    }
  }
}

const words = (because: Extract<Telling, { type: 'tell-unreachable' }>['because'], name: string): string => {
  switch (because) {
    case 'silent':
      return `The primary ${name} answers neither the controller nor its replicas.`
    case 'server-died':
      return `The server of ${name} died and did not come back within ${LIMITS.inPlaceMs / 1_000} seconds.`
    case 'keeps-dying':
      return `The server of ${name} died ${LIMITS.deathsMax} times within ${LIMITS.deathsWithinMs / 1_000} seconds.`
  }
}

const again = async ({ observe, clock, signal }: WatchParts, observation: Observation): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await observe(observation)
    } catch (cause) {
      if (attempt === RESTART_TOLD_ATTEMPTS || signal.aborted) throw cause
      await clock.sleep(RESTART_TOLD_PAUSE_MS, signal)
    }
  }
}
