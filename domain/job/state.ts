import type { JobInput, JobKind } from '../datastore/messages.ts'
import type { Instant } from '../kernel/time.ts'
import type { JobEvent, StepSucceeded } from './messages.ts'
import type { Course, Extending, OrderResult } from './orders.ts'
import { type Facts, type FailoverLearnt, type Learned, WRITES_BACK } from './saga.ts'

/** One order of the step at hand. */
export type Work =
  | {
      readonly state: 'ordered'
      readonly attempt: number
      readonly notAfter: Instant
      readonly extending?: Extending
      /** The most that its worker was seen to have done. */
      readonly figure?: number
    }
  | { readonly state: 'waiting'; readonly attempt: number; readonly retryAt: Instant }
  | { readonly state: 'done' | 'given-up'; readonly attempt: number }

type Known = {
  readonly jobId: string
  readonly datastoreId: string
  readonly kind: JobKind
  readonly input: JobInput
  readonly learned: Learned
  readonly course: Course
  /** The step at hand; none before the first order. */
  readonly step: string | undefined
  /** The orders of the step at hand, by key. */
  readonly work: Readonly<Record<string, Work>>
  /** Why the job is unwinding, or will once what is under way has settled. */
  readonly because: string | null
  readonly cancelled: boolean
}

export type LiveJob = Known & { readonly status: 'running' }
export type EndedJob = Known & { readonly status: 'finished' | 'failed' | 'cancelled' }
export type Job = { readonly status: 'absent' } | LiveJob | EndedJob

export const factsOf = ({ input, learned }: Pick<Known, 'input' | 'learned'>): Facts => ({ input, learned })

export const evolve = (state: Job, event: JobEvent): Job => {
  if (event.type === 'JobStarted') {
    const { jobId, datastoreId, kind, input } = event.data
    const nothing = { course: 'forward', step: undefined, work: {}, because: null, cancelled: false } as const
    return { status: 'running', jobId, datastoreId, kind, input, learned: { nodes: {} }, ...nothing }
  }
  if (state.status !== 'running') throw new Error(`BUG: ${event.type} on a job that is ${state.status}`)
  switch (event.type) {
    case 'StepOrdered': {
      const { step, key, course, attempt, notAfter, extending } = event.data
      const same = state.step === step && state.course === course
      const work: Work = { state: 'ordered', attempt, notAfter, ...(extending === undefined ? {} : { extending }) }
      return { ...state, step, course, work: { ...(same ? state.work : {}), [key]: work } }
    }
    case 'StepSucceeded': {
      const { key, attempt } = event.data
      const learned = state.course === 'forward' ? learn(state, event) : state.learned
      return { ...state, learned, work: { ...state.work, [key]: { state: 'done', attempt } } }
    }
    case 'StepFailed': {
      const { key, attempt, retryAt } = event.data
      const work: Work = retryAt === null ? { state: 'given-up', attempt } : { state: 'waiting', attempt, retryAt }
      return { ...state, work: { ...state.work, [key]: work } }
    }
    case 'JobCancelled':
      return { ...state, because: event.data.because, cancelled: true }
    case 'UnwindingBegun':
      return { ...state, because: event.data.because }
    case 'JobFinished':
      return { ...state, status: 'finished' }
    case 'JobAbandoned':
      return { ...state, status: 'failed', because: event.data.because }
    case 'JobUnwound':
      return { ...state, status: state.cancelled ? 'cancelled' : 'failed' }
    case 'StepNoted': {
      const { key, moved } = event.data
      const work = state.work[key]
      if (moved === undefined || work?.state !== 'ordered') return state
      return { ...state, work: { ...state.work, [key]: { ...work, ...moved } } }
    }
    case 'AttentionNeeded':
      return state
  }
}

/** Results of a node's order are kept under the node, which is the order's key. */
const learn = ({ kind, input, learned }: LiveJob, { data: { key, result, at } }: StepSucceeded): Learned => {
  const { privateAddress, publicAddress, roles } = result
  const nodes = { ...learned.nodes }
  if (privateAddress !== undefined) nodes[key] = { ...nodes[key], privateAddress }
  if (publicAddress !== undefined) nodes[key] = { ...nodes[key], publicAddress }
  const told = Object.entries(roles ?? {})
  // Whoever was not asked, being lost, is not the primary beside the one that is.
  const isLed = told.some(([, role]) => role === 'primary')
  const unasked = input.nodes.filter(({ nodeId }) => isLed && roles?.[nodeId] === undefined)
  for (const { nodeId } of unasked) nodes[nodeId] = { ...nodes[nodeId], role: 'replica' }
  for (const [nodeId, role] of told) nodes[nodeId] = { ...nodes[nodeId], role }
  if (kind !== 'fail-over') return { nodes }
  const back = key === WRITES_BACK ? { writesBackAt: at } : {}
  return { nodes, failover: { ...learned.failover, ...learntOfFailover(result), ...back } }
}

const learntOfFailover = ({ fencedBy, elected, positions }: OrderResult): FailoverLearnt => ({
  ...(fencedBy === undefined ? {} : { fencedBy }),
  ...(elected === undefined ? {} : { elected }),
  ...(positions === undefined ? {} : { positions }),
})
