import type { Event } from '../kernel/decider.ts'
import type { Instant } from '../kernel/time.ts'
import type { DatastoreSpec, NodeState } from './spec.ts'

export type JobKind = 'deploy-datastore' | 'delete-datastore'
export type JobEnd = 'finished' | 'failed' | 'cancelled'

/** Everything a job needs to know, as it was when the job was admitted. */
export type JobInput = {
  readonly datastoreId: string
  readonly spec: DatastoreSpec
  /** Empty until the datastore has been deployed. */
  readonly nodes: readonly NodeState[]
}

type About<Data extends object = object> = Data & { readonly datastoreId: string; readonly at: Instant }

export type DatastoreCreated = Event<
  'DatastoreCreated',
  About<{ readonly spec: DatastoreSpec; readonly fingerprint: string }>
>
export type DatastoreDeployed = Event<'DatastoreDeployed', About<{ readonly nodes: readonly NodeState[] }>>
export type DeploymentFailed = Event<'DeploymentFailed', About<{ readonly because: string }>>
export type DeletionStarted = Event<'DeletionStarted', About>
export type DeletionAbandoned = Event<'DeletionAbandoned', About<{ readonly because: string }>>
export type DatastoreDeleted = Event<'DatastoreDeleted', About>

/** Jobs of one datastore run one after the other, in the order they were queued. */
export type JobQueued = Event<
  'JobQueued',
  About<{ readonly jobId: string; readonly kind: JobKind; readonly ownerId: string }>
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
/** The job never began: something made it pointless. */
export type JobDropped = Event<'JobDropped', About<{ readonly jobId: string; readonly kind: JobKind; readonly because: string }>>
export type JobEnded = Event<
  'JobEnded',
  About<{ readonly jobId: string; readonly kind: JobKind; readonly end: JobEnd; readonly because: string | null }>
>

export type DatastoreEvent =
  | DatastoreCreated
  | DatastoreDeployed
  | DeploymentFailed
  | DeletionStarted
  | DeletionAbandoned
  | DatastoreDeleted
  | JobQueued
  | JobAdmitted
  | JobCancellationAsked
  | JobDropped
  | JobEnded

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
    readonly now: Instant
  }
}

export type DatastoreCommand = CreateDatastore | DeleteDatastore | RecordJobEnded
export type DatastoreRejection = 'datastore-not-found' | 'idempotency-key-reused'
