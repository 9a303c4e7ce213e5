import type { Decision } from '../kernel/decider.ts'
import { type Change, type Shape, changed, isSo, refusalOf, specAtWork } from './changes/index.ts'
import { evolve } from './evolve.ts'
import type { ChangeDatastore, DatastoreEvent, DatastoreRejection, JobInput } from './messages.ts'
import { drop, unfitness } from './outcome.ts'
import type { Live, QueuedJob } from './state.ts'

export type Decided = Decision<DatastoreEvent, DatastoreRejection>
export type About = { readonly datastoreId: string; readonly at: string }

/** The state after further events. */
export const afterAll = (state: Live, events: readonly DatastoreEvent[]): Live =>
  events.reduce<Live>((folded, event) => {
    const next = evolve(folded, event)
    if (next.status === 'absent') throw new Error('BUG: a datastore has gone from its own events')
    return next
  }, state)

/** The datastore as it will be once everything that is queued is done: what a further change is held against. */
export const planned = (state: Live): Shape =>
  state.queue.reduce<Shape>((shape, job) => (job.change === undefined ? shape : changed(shape, job.change)), state)

/** The turn of a job has come. */
export const admit = ({ jobId, kind, change: wanted }: QueuedJob, state: Live, about: About): DatastoreEvent => {
  const { datastoreId, nodes } = state
  const epoch = state.epoch + 1
  const input: JobInput =
    wanted === undefined
      ? { datastoreId, spec: state.spec, nodes, epoch }
      : { datastoreId, spec: specAtWork(state, wanted), nodes, change: wanted, epoch }
  return { type: 'JobAdmitted', data: { ...about, jobId, kind, input } }
}

/** Whether a job may begin: none is at work, and no failover either. */
export const isFree = ({ atWork, failover }: Live): boolean => atWork === null && failover === null

/** Admits the next job that still makes sense; those that do not are dropped. */
export const goOn = (state: Live, about: About): readonly DatastoreEvent[] => {
  const [next] = state.queue
  if (next === undefined || !isFree(state)) return []
  const because = next.change === undefined ? undefined : whyNot(next.change, state)
  if (because === undefined) return [admit(next, state, about)]
  const dropped = drop(next, because, about)
  return [...dropped, ...goOn(afterAll(state, dropped), about)]
}

/** Why a change whose turn has come is not begun; undefined when it is. */
const whyNot = (wanted: Change, state: Live): string | undefined =>
  (unfitness(state) ?? refusalOf(state, wanted))?.because ?? (isSo(state, wanted) ? 'it is so already' : undefined)

/** A change that is asked for: its job waits, or begins at once. */
export const change = ({ datastoreId, jobId, change: wanted, now }: ChangeDatastore['data'], state: Live): Decided => {
  if (state.jobsSeen.has(jobId)) return []
  const unfit = unfitness(state)
  if (unfit !== undefined) return unfit
  const shape = planned(state)
  const refusal = refusalOf(shape, wanted)
  if (refusal !== undefined) return refusal
  if (isSo(shape, wanted)) return []
  const about = { datastoreId, at: now }
  const job = { jobId, kind: wanted.kind, change: wanted }
  return [
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(isFree(state) ? [admit(job, state, about)] : []),
  ]
}
