import type { JobInput, JobKind } from '../datastore/messages.ts'
import type { Event } from '../kernel/decider.ts'
import type { Instant } from '../kernel/time.ts'
import type { Course, Extending, Order, OrderOutcome, OrderResult, Place } from './orders.ts'

type About<Data extends object = object> = Data & {
  readonly jobId: string
  readonly datastoreId: string
  readonly at: Instant
}

export type JobStarted = Event<
  'JobStarted',
  About<{
    readonly kind: JobKind
    readonly title: string
    readonly steps: readonly { readonly name: string; readonly title: string }[]
    readonly input: JobInput
  }>
>
/** The outbox: whoever reads this publishes the order. */
export type StepOrdered = Event<
  'StepOrdered',
  About<Place & { readonly order: Order; readonly notAfter: Instant; readonly extending?: Extending }>
>
/** A worker's remark while it is at it. `moved`: the work was seen to move, and its deadline with it. */
export type StepNoted = Event<
  'StepNoted',
  About<Place & { readonly line: string; readonly moved?: { readonly figure: number; readonly notAfter: Instant } }>
>
export type StepSucceeded = Event<
  'StepSucceeded',
  About<Place & { readonly result: OrderResult; readonly progressPercent: number }>
>
/** `retryAt` is null when this order is given up. */
export type StepFailed = Event<
  'StepFailed',
  About<Place & { readonly because: string; readonly retryAt: Instant | null }>
>
/** Repetition has not helped for long; it goes on, but an operator should look. */
export type AttentionNeeded = Event<
  'AttentionNeeded',
  About<{ readonly step: string; readonly key: string; readonly course: Course; readonly because: string }>
>
export type JobCancelled = Event<'JobCancelled', About<{ readonly because: string }>>
/** Nothing more is ordered forward; once what is under way has settled, the undoing begins. */
export type UnwindingBegun = Event<'UnwindingBegun', About<{ readonly step: string; readonly because: string }>>
export type JobFinished = Event<'JobFinished', About>
/** Unwound: everything the job made is gone. */
export type JobUnwound = Event<'JobUnwound', About<{ readonly because: string; readonly cancelled: boolean }>>

/** The job ends where it stands; nothing is undone. */
export type JobAbandoned = Event<'JobAbandoned', About<{ readonly because: string }>>

export type JobEvent =
  | JobStarted
  | StepOrdered
  | StepNoted
  | StepSucceeded
  | StepFailed
  | AttentionNeeded
  | JobCancelled
  | UnwindingBegun
  | JobFinished
  | JobUnwound
  | JobAbandoned

export type StartJob = {
  readonly type: 'StartJob'
  readonly data: { readonly jobId: string; readonly kind: JobKind; readonly input: JobInput; readonly now: Instant }
}
export type RecordOutcome = {
  readonly type: 'RecordOutcome'
  readonly data: { readonly jobId: string; readonly outcome: OrderOutcome; readonly now: Instant }
}
/** Time has passed: deadlines may have run out, retries may be due. */
export type PassTime = { readonly type: 'PassTime'; readonly data: { readonly jobId: string; readonly now: Instant } }
export type CancelJob = {
  readonly type: 'CancelJob'
  readonly data: { readonly jobId: string; readonly because: string; readonly now: Instant }
}

/** The job ends at once, wherever it stands: another one sees to what it leaves. */
export type AbandonJob = {
  readonly type: 'AbandonJob'
  readonly data: { readonly jobId: string; readonly because: string; readonly now: Instant }
}

/** What waits to be repeated is repeated now. */
export type ResumeJob = { readonly type: 'ResumeJob'; readonly data: { readonly jobId: string; readonly now: Instant } }

export type JobCommand = StartJob | RecordOutcome | PassTime | CancelJob | AbandonJob | ResumeJob
export type JobRejection = 'job-not-found' | 'job-past-return'
