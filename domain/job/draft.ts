import type { Instant } from '../kernel/time.ts'
import type { JobEvent } from './messages.ts'
import type { Saga, Step } from './saga.ts'
import { type LiveJob, evolve } from './state.ts'

/** A decision being made: the events so far, and the state they lead to, so that each rule sees what the one before decided. */
export type Draft = {
  readonly saga: Saga
  readonly now: Instant
  readonly events: readonly JobEvent[]
  readonly emit: (event: JobEvent) => void
  /** Undefined once the job has ended. */
  readonly live: () => LiveJob | undefined
}

export const draft = (saga: Saga, now: Instant, initial: LiveJob): Draft => {
  const events: JobEvent[] = []
  let live: LiveJob | undefined = initial
  return {
    saga,
    now,
    events,
    emit: (event) => {
      if (live === undefined) throw new Error(`BUG: ${event.type} after the job's end`)
      events.push(event)
      const next = evolve(live, event)
      live = next.status === 'running' ? next : undefined
    },
    live: () => live,
  }
}

export const about = ({ jobId, datastoreId }: Pick<LiveJob, 'jobId' | 'datastoreId'>, at: Instant) =>
  ({ jobId, datastoreId, at }) as const

/** The step at hand and its place in the plan; -1 before the first. */
export const atHand = (
  saga: Saga,
  { step }: Pick<LiveJob, 'step'>,
): { readonly index: number; readonly step: Step | undefined } => {
  const index = saga.steps.findIndex(({ name }) => name === step)
  return { index, step: saga.steps[index] }
}
