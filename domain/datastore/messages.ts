import type { Event } from '../kernel/decider.ts'
import type { Instant } from '../kernel/time.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Change, ChangeKind, ChangeRejection, FreshNode } from './changes/index.ts'
import type {
  RecordServerRestart, ReportDiskUsage, ReportNodeBack, ReportNodeSilent, ReportNodeWell, ReportPrimaryUnreachable,
} from './reports.ts'
import type { FencedBy } from '../job/orders.ts'
import type { FailoverLearnt } from '../job/saga.ts'
import type { DatastoreSpec, HighAvailability, NodeRole, NodeState, TrustedSource, Wording } from './spec.ts'

export type {
  RecordServerRestart, ReportDiskUsage, ReportNodeBack, ReportNodeSilent, ReportNodeWell, ReportPrimaryUnreachable,
  VolumeUsage,
} from './reports.ts'

export type JobKind = 'deploy-datastore' | 'delete-datastore' | ChangeKind
export type JobEnd = 'finished' | 'failed' | 'cancelled'

/** Everything a job needs to know, as it was when the job was admitted. */
export type JobInput = {
  readonly datastoreId: string
  readonly spec: DatastoreSpec
  /** Empty until the datastore has been deployed. */
  readonly nodes: readonly NodeState[]
  /** What it does to a datastore that is there. */
  readonly change?: Change
  /** Counted up with every job of the datastore: what was decided later goes before. Absent in jobs of long ago: 0. */
  readonly epoch?: number
}

/** What a tenant may set without a job. What is absent stays as it is. */
export type Settings = Partial<Wording<Sealed>> &
  Partial<Pick<DatastoreSpec, 'maintenance' | 'autoscale' | 'upgradeInWindow'>> & {
    readonly highAvailability?: AvailabilitySettings
  }

/** Whether it is synchronous is not among them: a job sees to that. */
export type AvailabilitySettings = Omit<HighAvailability, 'synchronous'>

type About<Data extends object = object> = Data & { readonly datastoreId: string; readonly at: Instant }

export type DatastoreCreated = Event<
  'DatastoreCreated',
  About<{ readonly spec: DatastoreSpec; readonly fingerprint: string }>
>
export type DatastoreDeployed = Event<'DatastoreDeployed', About<{ readonly nodes: readonly NodeState[] }>>
export type DeploymentFailed = Event<'DeploymentFailed', About<{ readonly because: string }>>
/** A deployment that came to nothing is done again; its nodes are none of those before. */
export type DeploymentRetried = Event<'DeploymentRetried', About<{ readonly spec: DatastoreSpec }>>
export type DeletionStarted = Event<'DeletionStarted', About>
export type DeletionAbandoned = Event<'DeletionAbandoned', About<{ readonly because: string }>>
export type DatastoreDeleted = Event<'DatastoreDeleted', About>
export type SettingsChanged = Event<'SettingsChanged', About<{ readonly settings: Settings }>>
/** A change is carried out; `nodes` are those there are now. */
export type DatastoreChanged = Event<
  'DatastoreChanged',
  About<{ readonly jobId: string; readonly change: Change; readonly nodes: readonly NodeState[] }>
>
/** A change came to nothing: all it had done is undone, or it never began. */
export type ChangeAbandoned = Event<
  'ChangeAbandoned',
  About<{ readonly jobId: string; readonly change: Change; readonly because: string }>
>

/** Clients may connect from these. `jobId` is the job that carries it out, unless another one that waits does. */
export type SourcesTrusted = Event<
  'SourcesTrusted',
  About<{ readonly jobId: string; readonly sources: readonly TrustedSource[] }>
>
/** Clients may connect from these no more. */
export type SourcesRevoked = Event<'SourcesRevoked', About<{ readonly jobId: string; readonly ruleIds: readonly string[] }>>

/** Jobs of one datastore run one after the other, in the order they were queued. */
export type JobQueued = Event<
  'JobQueued',
  About<{ readonly jobId: string; readonly kind: JobKind; readonly ownerId: string; readonly change?: Change }>
>
/** The job's turn has come. */
export type JobAdmitted = Event<
  'JobAdmitted',
  About<{ readonly jobId: string; readonly kind: JobKind; readonly input: JobInput }>
>
export type JobCancellationAsked = Event<
  'JobCancellationAsked',
  About<{ readonly jobId: string; readonly because: string }>
>
/** The job at work is to end where it stands, and nothing of it is undone: what follows it sees to that. */
export type JobAbandonmentAsked = Event<'JobAbandonmentAsked', About<{ readonly jobId: string; readonly because: string }>>
/** The job never began: something made it pointless. */
export type JobDropped = Event<'JobDropped', About<{ readonly jobId: string; readonly kind: JobKind; readonly because: string }>>
export type JobEnded = Event<
  'JobEnded',
  About<{ readonly jobId: string; readonly kind: JobKind; readonly end: JobEnd; readonly because: string | null }>
>

/** Another node is the primary: computed from what the failover found out. */
export type PrimaryChanged = Event<
  'PrimaryChanged',
  About<{
    readonly jobId: string
    readonly epoch: number
    readonly formerId: string
    readonly primaryId: string
    /** Of what was written on the former primary, at most so much is lost; null: nobody knows. */
    readonly lostBytesMax: number | null
    /** Absent: a newer failover went before, and nobody waited to hear it. */
    readonly fencedBy?: FencedBy
    /** When the former primary was last seen to take writes. */
    readonly lastSeenAt: Instant
    readonly because: string
    /** When its name led to the new one. */
    readonly writesBackAt: Instant
  }>
>
/** The primary is lost, and its place is not taken by another one before `until`: that was tried too often of late. */
export type FailoverHeldBack = Event<
  'FailoverHeldBack',
  About<{ readonly primaryId: string; readonly lastSeenAt: Instant; readonly until: Instant; readonly because: string }>
>
/** A primary that was lost, and whose place nobody has taken, does its part again. */
export type PrimaryRecovered = Event<
  'PrimaryRecovered',
  About<{ readonly primaryId: string; readonly lastSeenAt: Instant }>
>
/** A node does not do its part. */
export type NodeLost = Event<
  'NodeLost',
  About<{ readonly nodeId: string; readonly since: Instant; readonly because: string }>
>
/** A node that was lost does its part again. */
export type NodeRecovered = Event<'NodeRecovered', About<{ readonly nodeId: string; readonly downMs: number }>>
/** A server that had died was started again where it was. */
export type ServerRestarted = Event<
  'ServerRestarted',
  About<{ readonly nodeId: string; readonly role: NodeRole; readonly downSince: Instant; readonly backAt: Instant }>
>

export type DatastoreEvent =
  | DatastoreCreated
  | DatastoreDeployed
  | DeploymentFailed
  | DeploymentRetried
  | DeletionStarted
  | DeletionAbandoned
  | DatastoreDeleted
  | SettingsChanged
  | DatastoreChanged
  | ChangeAbandoned
  | SourcesTrusted
  | SourcesRevoked
  | JobQueued
  | JobAdmitted
  | JobCancellationAsked
  | JobAbandonmentAsked
  | JobDropped
  | JobEnded
  | PrimaryChanged
  | FailoverHeldBack
  | PrimaryRecovered
  | NodeLost
  | NodeRecovered
  | ServerRestarted

export type CreateDatastore = {
  readonly type: 'CreateDatastore'
  readonly data: {
    readonly datastoreId: string
    readonly jobId: string
    readonly spec: DatastoreSpec
    /** Tells a repeat of the same request from another request under the same id. */
    readonly fingerprint: string
    readonly now: Instant
  }
}
export type DeleteDatastore = {
  readonly type: 'DeleteDatastore'
  readonly data: { readonly datastoreId: string; readonly jobId: string; readonly now: Instant }
}
/** From the runner: the job's saga has come to its end. */
export type RecordJobEnded = {
  readonly type: 'RecordJobEnded'
  readonly data: {
    readonly datastoreId: string
    readonly jobId: string
    readonly end: JobEnd
    readonly because: string | null
    /** What the job found out about the nodes. */
    readonly nodes: readonly NodeState[]
    /** What a failover found out, as far as it came. */
    readonly failover?: FailoverLearnt
    readonly now: Instant
  }
}

export type ChangeDatastore = {
  readonly type: 'ChangeDatastore'
  readonly data: { readonly datastoreId: string; readonly jobId: string; readonly change: Change; readonly now: Instant }
}
export type ChangeSettings = {
  readonly type: 'ChangeSettings'
  readonly data: { readonly datastoreId: string; readonly settings: Settings; readonly now: Instant }
}
export type TrustSources = {
  readonly type: 'TrustSources'
  readonly data: {
    readonly datastoreId: string
    readonly jobId: string
    readonly sources: readonly TrustedSource[]
    readonly now: Instant
  }
}
export type RevokeSources = {
  readonly type: 'RevokeSources'
  readonly data: {
    readonly datastoreId: string
    readonly jobId: string
    readonly ruleIds: readonly string[]
    readonly now: Instant
  }
}
/** Stops a job: one that waits never begins, one at work undoes what it has done. */
export type StopJob = {
  readonly type: 'StopJob'
  readonly data: { readonly datastoreId: string; readonly jobId: string; readonly because: string; readonly now: Instant }
}

/** Asks once more for what a job was to do that came to nothing. */
export type RetryJob = {
  readonly type: 'RetryJob'
  readonly data: {
    readonly datastoreId: string
    /** Of the new job. */
    readonly jobId: string
    /** The job that came to nothing. */
    readonly retried: string
    /** Ids and names for the nodes that are to come: as many as the datastore or the change has. */
    readonly fresh: readonly FreshNode[]
    readonly now: Instant
  }
}

export type DatastoreCommand =
  | CreateDatastore
  | DeleteDatastore
  | ChangeDatastore
  | ChangeSettings
  | TrustSources
  | RevokeSources
  | StopJob
  | RetryJob
  | RecordJobEnded
  | ReportDiskUsage
  | ReportPrimaryUnreachable
  | ReportNodeSilent
  | ReportNodeBack
  | ReportNodeWell
  | RecordServerRestart
export type DatastoreRejection =
  | 'datastore-not-found'
  | 'datastore-not-running'
  | 'idempotency-key-reused'
  | 'job-must-be-done'
  | 'job-not-found'
  | 'job-not-over'
  | 'job-not-retriable'
  | 'source-limit-reached'
  | 'source-not-trusted'
  | 'source-trusted-already'
  | ChangeRejection
