import type { Instant } from '../kernel/time.ts'
import type { FreshNode } from './changes/index.ts'
import type { NodeRole } from './spec.ts'

/** How full a node's volume is; `totalBytes` is all that can ever be in it. */
export type VolumeUsage = { readonly nodeId: string; readonly usedBytes: number; readonly totalBytes: number }
/** From the controller, by way of the runner: how full the volumes were, of those nodes that answered. */
export type ReportDiskUsage = {
  readonly type: 'ReportDiskUsage'
  readonly data: {
    readonly datastoreId: string
    /** Of the job that may follow from it. */
    readonly jobId: string
    readonly observedAt: Instant
    readonly volumes: readonly VolumeUsage[]
    readonly now: Instant
  }
}

/** From the controller, by way of the runner: the primary answers nobody that can be asked. */
export type ReportPrimaryUnreachable = {
  readonly type: 'ReportPrimaryUnreachable'
  readonly data: {
    readonly datastoreId: string
    /** Of the failover that may follow from it. */
    readonly jobId: string
    readonly primaryId: string
    /** The newest epoch that the controller knows a primary of. */
    readonly epoch: number
    readonly lastSeenAt: Instant
    readonly observedAt: Instant
    readonly because: string
    readonly positionBytes: number | null
    readonly now: Instant
  }
}
type AboutNode = {
  readonly datastoreId: string
  /** Of the job that may follow from it. */
  readonly jobId: string
  readonly nodeId: string
  readonly observedAt: Instant
  readonly now: Instant
}
/** From the controller: a node has been silent since then. */
export type ReportNodeSilent = {
  readonly type: 'ReportNodeSilent'
  readonly data: AboutNode & {
    readonly since: Instant
    readonly machineAnswers: boolean
    /** An id and a name for the node that may come in its place. */
    readonly fresh: FreshNode
  }
}
/** From the controller: the machine of a node that was silent or fenced answers again, and the node is no replica yet. */
export type ReportNodeBack = { readonly type: 'ReportNodeBack'; readonly data: AboutNode }
/** From the controller: a node that it had told to be lost does its part again, whoever has seen to that. */
export type ReportNodeWell = { readonly type: 'ReportNodeWell'; readonly data: AboutNode }
/** From the controller: a server that had died is up again, started where it was. */
export type RecordServerRestart = {
  readonly type: 'RecordServerRestart'
  readonly data: {
    readonly datastoreId: string
    readonly nodeId: string
    readonly role: NodeRole
    readonly downSince: Instant
    readonly backAt: Instant
    readonly now: Instant
  }
}
