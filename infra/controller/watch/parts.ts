import type { Observation } from '../../messaging/observation.ts'
import type { ControllerStore } from '../../controller-store/controller-store.ts'
import type { Log } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Clock } from '../clock.ts'
import type { DiskReports } from '../disk-reports.ts'
import type { Nodes } from '../nodes.ts'
import type { Leases } from './leases.ts'

/** What the watch needs of CMON DB. */
export type WatchStore = Pick<
  ControllerStore,
  | 'watched' | 'renewSlots' | 'controllers' | 'giveUpSlots' | 'standing' | 'hosts' | 'adoptPrimary' | 'fencedNodes' | 'leased'
  | 'exclusively' | 'toldLost' | 'toldWell' | 'seen' | 'alarms' | 'raise' | 'clear'
>

/** What is counted of the watch. */
export type WatchMetrics = Pick<Metrics, 'look' | 'watched' | 'suspicion' | 'lossReported'>

export type WatchLimits = {
  /** From the beginning of one look at a node to that of the next. */
  readonly intervalMs: number
  /** How long one look may take. */
  readonly lookTimeoutMs: number
  /** How long a primary among replicas goes on without hearing of us. */
  readonly leaseTtlMs: number
}

export type WatchParts = {
  readonly nodes: Nodes
  readonly store: WatchStore
  readonly leases: Leases
  readonly clock: Clock
  readonly log: Log
  readonly metrics: WatchMetrics | undefined
  readonly limits: WatchLimits
  /** Tells what was seen. */
  readonly observe: (observation: Observation) => Promise<void>
  readonly diskReports: DiskReports | undefined
  readonly signal: AbortSignal
}
