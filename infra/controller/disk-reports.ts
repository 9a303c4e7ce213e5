import type { ClusterRef } from '../../domain/job/orders.ts'
import type { VolumeUsage } from '../../domain/datastore/messages.ts'
import { observationIdOf } from '../messaging/ids.ts'
import type { Messaging } from '../messaging/messaging.ts'
import type { Observation } from '../messaging/observation.ts'
import { carrierOf } from '../telemetry/tracing.ts'

/** Below it nobody wants to know: no datastore grows or is guarded before. */
const FROM_PERCENT = 50
/** From here on it is told again, also where nothing changes: what followed from the last time may have come to nothing. */
const AGAIN_FROM_PERCENT = 75
const AGAIN_AFTER_MS = 60_000

type Told = { readonly state: string; readonly high: boolean; readonly atMs: number }

/** Tells how full the volumes of a cluster were, at an instant. */
export type DiskReports = (cluster: ClusterRef, volumes: readonly VolumeUsage[], at: string) => Promise<void>

/**
 * Tells the volumes of each cluster once, and then only what differs by a percent; where they are filling up also again and
 * again. What could not be told is told by the next look.
 */
export const diskReports = ({ observe }: Pick<Messaging, 'observe'>): DiskReports => {
  const told = new Map<string, Told>()
  return async ({ datastoreId, ownerId }, volumes, at) => {
    if (volumes.length === 0) return
    const percents = volumes.map(({ usedBytes, totalBytes }) => Math.floor((100 * usedBytes) / Math.max(totalBytes, 1)))
    const most = Math.max(...percents)
    const state = volumes.map(({ nodeId, totalBytes }, n) => `${nodeId} ${totalBytes} ${percents[n]}`).join()
    const high = most >= FROM_PERCENT
    const last = told.get(datastoreId)
    const differs = last === undefined || (last.state !== state && (high || last.high))
    const isDue = last !== undefined && most >= AGAIN_FROM_PERCENT && Date.parse(at) - last.atMs >= AGAIN_AFTER_MS
    if (!differs && !isDue) return
    const observation: Observation = {
      kind: 'disk-usage', datastoreId, ownerId, at, volumes: volumes.map((volume) => ({ ...volume })),
    }
    await observe(observation, observationIdOf(observation), carrierOf())
    told.set(datastoreId, { state, high, atMs: Date.parse(at) })
  }
}
