import type { Place } from '../domain/job/orders.ts'
import type { JobStep } from './schema.ts'

type Steps = readonly JobStep[]

const change = (steps: Steps, name: string, how: (step: JobStep) => JobStep): Steps =>
  steps.map((step) => (step.name === name ? how(step) : step))

export const plannedSteps = (plan: readonly { readonly name: string; readonly title: string }[]): Steps =>
  plan.map(({ name, title }) => ({ name, title, state: 'pending', attempts: 0, orders: {} }))

export const orderedSteps = (steps: Steps, { step: name, key, attempt, course }: Place): Steps => {
  const at = steps.findIndex((step) => step.name === name)
  const state = course === 'forward' ? 'running' : 'undoing'
  return steps.map((step, index) => {
    // A plan passes over the steps that have nothing to do.
    if (index < at && step.state === 'pending') return { ...step, state: 'skipped' }
    if (index !== at) return step
    const same = step.state === state
    return {
      ...step,
      state,
      attempts: same ? Math.max(step.attempts, attempt) : attempt,
      orders: { ...(same ? step.orders : {}), [key]: 'ordered' },
    }
  })
}

export const succeededSteps = (steps: Steps, { step: name, key, course }: Place): Steps =>
  change(steps, name, (step) => {
    const orders: JobStep['orders'] = { ...step.orders, [key]: 'done' }
    if (Object.values(orders).some((state) => state !== 'done')) return { ...step, orders }
    return { ...step, orders, state: course === 'forward' ? 'done' : 'undone' }
  })

export const failedSteps = (steps: Steps, { step: name, key }: Place, isFinal: boolean): Steps =>
  change(steps, name, (step) => ({
    ...step,
    orders: { ...step.orders, [key]: isFinal ? 'failed' : 'waiting' },
    state: isFinal ? 'failed' : step.state,
  }))

/** Whatever has not begun by the end of the job never will. */
export const finishedSteps = (steps: Steps): Steps =>
  steps.map((step) => (step.state === 'pending' ? { ...step, state: 'skipped' } : step))

/** A step without an undo of its own went with those before it. */
export const unwoundSteps = (steps: Steps): Steps =>
  finishedSteps(steps).map((step) => (step.state === 'done' ? { ...step, state: 'undone' } : step))

/** What was under way is not awaited any more. */
export const abandonedSteps = (steps: Steps): Steps =>
  finishedSteps(steps).map((step) => (step.state === 'running' || step.state === 'undoing' ? { ...step, state: 'failed' } : step))
