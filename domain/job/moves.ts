import { type Instant, later } from '../kernel/time.ts'
import { type Draft, about, atHand } from './draft.ts'
import { extended, type Order, type OrderOutcome, type OrderResult, type Place } from './orders.ts'
import { type Saga, type Step, keysOf } from './saga.ts'
import { type LiveJob, type Work, factsOf } from './state.ts'

/** A worker stops at the order's deadline; only this much later, in milliseconds, is it taken for stopped. */
export const GRACE_MS = 2_000
const BACKOFF_MS_MAX = 60_000

/** When passing time will next change something about one order of the job; undefined: never. */
export const dueOf = (state: LiveJob, work: Work): Instant | undefined => {
  if (work.state === 'ordered') return later(work.notAfter, GRACE_MS)
  return work.state === 'waiting' && !isHalting(state) ? work.retryAt : undefined
}

/** Waiting for what is under way, before the undoing begins: nothing is repeated any more. */
export const isHalting = ({ because, course }: LiveJob): boolean => because !== null && course === 'forward'

/** An irreversible step has been ordered: the job can only be carried to its end. */
export const isPastReturn = (saga: Saga, state: LiveJob): boolean =>
  saga.steps.slice(0, atHand(saga, state).index + 1).some(({ irreversible }) => irreversible === true)

const orderOf = (step: Step, state: LiveJob, key: string): Order | undefined =>
  state.course === 'forward' ? step.does(factsOf(state), key) : step.undo?.(factsOf(state), key)

const place = (draft: Draft, state: LiveJob, step: Step, order: Order, at: Omit<Place, 'step'>): void => {
  const { name, timeoutMs, movingMaxMs } = step
  const moving = movingMaxMs === undefined ? {} : { extending: { byMs: timeoutMs, until: later(draft.now, movingMaxMs) } }
  const notAfter = later(draft.now, timeoutMs)
  draft.emit({ type: 'StepOrdered', data: { ...about(state, draft.now), step: name, ...at, order, notAfter, ...moving } })
}

/** Orders the next step that has anything to do, or ends the job. */
export const advance = (draft: Draft): void => {
  const state = draft.live()
  if (state === undefined) return
  for (const step of draft.saga.steps.slice(atHand(draft.saga, state).index + 1)) {
    const keys = keysOf(step, factsOf(state))
    for (const key of keys) {
      place(draft, state, step, step.does(factsOf(state), key), { key, attempt: 1, course: 'forward' })
    }
    if (keys.length > 0) return
  }
  draft.emit({ type: 'JobFinished', data: about(state, draft.now) })
}

/** Once nothing is under way: undoes the step at hand, then those before it, or ends the job as unwound. */
export const unwind = (draft: Draft): void => {
  const state = draft.live()
  if (state === undefined || state.because === null) return
  const { index } = atHand(draft.saga, state)
  // A failed step is undone too: a time-out says nothing about what happened.
  const first = state.course === 'forward' ? index : index - 1
  for (const step of draft.saga.steps.slice(0, first + 1).toReversed()) {
    const orders = keysOf(step, factsOf(state)).flatMap((key) => {
      const order = step.undo?.(factsOf(state), key)
      return order === undefined ? [] : [{ key, order }]
    })
    for (const { key, order } of orders) place(draft, state, step, order, { key, attempt: 1, course: 'back' })
    if (orders.length > 0) return
  }
  const { because, cancelled } = state
  draft.emit({ type: 'JobUnwound', data: { ...about(state, draft.now), because, cancelled } })
}

/** Begins the undoing if nothing is under way any more. */
export const settle = (draft: Draft): void => {
  const state = draft.live()
  if (state === undefined || !isHalting(state)) return
  if (!Object.values(state.work).some((work) => work.state === 'ordered')) unwind(draft)
}

/**
 * A worker's remark on an order that is awaited. One with a figure is a remark only if that is more than was seen before;
 * the deadline then moves, where it may.
 */
export const note = (draft: Draft, at: Place, { line, figure, at: measured }: Extract<OrderOutcome, { kind: 'noted' }>): void => {
  const state = draft.live()
  const work = state?.work[at.key]
  if (state === undefined || work?.state !== 'ordered') return
  const data = { ...about(state, draft.now), ...at, line }
  if (figure === undefined) return draft.emit({ type: 'StepNoted', data })
  if (figure <= (work.figure ?? 0)) return
  // Of a worker whose clock is ahead.
  const then = measured < draft.now ? measured : draft.now
  const notAfter = work.extending === undefined ? work.notAfter : extended(work.notAfter, work.extending, then)
  draft.emit({ type: 'StepNoted', data: { ...data, moved: { figure, notAfter } } })
}

export const succeed = (draft: Draft, at: Place, result: OrderResult): void => {
  const state = draft.live()
  if (state === undefined) return
  const progressPercent = progressOf(draft.saga, state)
  draft.emit({ type: 'StepSucceeded', data: { ...about(state, draft.now), ...at, result, progressPercent } })
  const after = draft.live()
  if (after === undefined) return
  if (isHalting(after)) return settle(draft)
  if (Object.values(after.work).some((work) => work.state !== 'done')) return
  if (after.course === 'forward') advance(draft)
  else unwind(draft)
}

/**
 * How much of the plan will have been done with one more order of the step at hand, in whole percent below 100.
 * On the way back a step counts as undone from its first undo on, so that progress only shrinks there.
 */
const progressOf = (saga: Saga, state: LiveJob): number => {
  const counts = saga.steps.map((step) => keysOf(step, factsOf(state)).length)
  const { index } = atHand(saga, state)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, count) => total + count, 0)
  const done = Object.values(state.work).filter((work) => work.state === 'done').length
  const ahead = state.course === 'forward' ? done + 1 : 0
  return Math.min(99, Math.max(0, Math.floor((100 * (sum(counts.slice(0, Math.max(index, 0))) + ahead)) / sum(counts))))
}

/**
 * An order came to nothing: it is repeated later, or given up and the job unwound, or, where there is no way back, repeated
 * for ever.
 */
export const fail = (
  draft: Draft,
  at: Place,
  { because, final }: { readonly because: string; readonly final: boolean },
): void => {
  const state = draft.live()
  const { step } = state === undefined ? { step: undefined } : atHand(draft.saga, state)
  if (state === undefined || step === undefined) return
  const common = { ...about(state, draft.now), ...at }
  const noWayBack = state.course === 'back' || isPastReturn(draft.saga, state)
  const exhausted = final || at.attempt >= step.attemptsMax
  if (isHalting(state) || (exhausted && !noWayBack)) {
    draft.emit({ type: 'StepFailed', data: { ...common, because, retryAt: null } })
    if (!isHalting(state)) {
      draft.emit({
        type: 'UnwindingBegun',
        data: { ...about(state, draft.now), step: step.name, because: `${step.title}: ${because}` },
      })
    }
    return settle(draft)
  }
  const pauseMs = Math.min(step.backoffMs * 2 ** Math.min(at.attempt - 1, 20), BACKOFF_MS_MAX)
  draft.emit({ type: 'StepFailed', data: { ...common, because, retryAt: later(draft.now, pauseMs) } })
  if (noWayBack && (final || at.attempt % step.attemptsMax === 0)) {
    const { key, course } = at
    draft.emit({ type: 'AttentionNeeded', data: { ...about(state, draft.now), step: step.name, key, course, because } })
  }
}

export const repeat = (draft: Draft, key: string, attempt: number): void => {
  const state = draft.live()
  const { step } = state === undefined ? { step: undefined } : atHand(draft.saga, state)
  if (state === undefined || step === undefined) return
  const order = orderOf(step, state, key)
  if (order !== undefined) place(draft, state, step, order, { key, attempt, course: state.course })
}
