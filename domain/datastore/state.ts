import type { Instant } from '../kernel/time.ts'
import type { Change, ChangeOf } from './changes/index.ts'
import type { JobKind } from './messages.ts'
import type { PastJob } from './retry.ts'
import type { DatastoreSpec, NodeState } from './spec.ts'
import type { Built } from './upgrade.ts'

/** A job that waits or is at work. `change` is that of a job which changes the datastore. */
export type QueuedJob = {
  readonly jobId: string
  readonly kind: JobKind
  readonly change?: Change
  /** Of one that is at work. */
  readonly epoch?: number
  /** It was asked to stop. */
  readonly stopping?: true
}

/** A failover at work, beside whatever else is. */
export type Failover = {
  readonly jobId: string
  readonly epoch: number
  readonly change: ChangeOf<'fail-over'>
  readonly begunAt: Instant
}

/** What is known of the primaries there were. */
export type Primacy = {
  /** The epoch in which the primary last changed by a failover; 0: never. */
  readonly epoch: number
  /** When the primary last changed, in whichever way. */
  readonly since: Instant | null
  /** When it failed over: the last time, and those less than an hour before. */
  readonly failovers: readonly Instant[]
  /** Until when a failover was last said to be held back. */
  readonly heldUntil: Instant | null
  /** When the primary was last seen before it was lost; null: it was not, or another has its place, or it is back. */
  readonly lostSince: Instant | null
}

type Known = {
  readonly datastoreId: string
  readonly spec: DatastoreSpec
  readonly fingerprint: string
  readonly nodes: readonly NodeState[]
  /** The jobs that wait, after the one at work. */
  readonly queue: readonly QueuedJob[]
  /** The job of the queue that is at work; a failover is beside it. */
  readonly atWork: string | null
  readonly failover: Failover | null
  /** Of the newest job that was admitted. */
  readonly epoch: number
  readonly primacy: Primacy
  /** Since when nodes do not do their part. */
  readonly lost: Readonly<Record<string, Instant>>
  /** When servers that had died were back. */
  readonly restarted: Readonly<Record<string, Instant>>
  readonly jobsSeen: ReadonlySet<string>
  readonly past: ReadonlyMap<string, PastJob>
  readonly built: Built
}

export type Datastore =
  | { readonly status: 'absent' }
  | (Known & { readonly status: 'deploying' | 'running' | 'deploy-failed' | 'deleting' | 'deleted' })

export type Live = Exclude<Datastore, { status: 'absent' }>

/** The job of the queue that is at work. */
export const workOf = ({ queue, atWork }: Live): QueuedJob | undefined => queue.find(({ jobId }) => jobId === atWork)

/** Those that wait for their turn. */
export const waitingIn = ({ queue, atWork }: Live): readonly QueuedJob[] => queue.filter(({ jobId }) => jobId !== atWork)
