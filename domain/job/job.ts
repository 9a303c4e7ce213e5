import { type Decider, reject } from '../kernel/decider.ts'
import { type Instant, reached } from '../kernel/time.ts'
import { type Draft, about, draft } from './draft.ts'
import type { JobCommand, JobEvent, JobRejection, StartJob } from './messages.ts'
import { advance, dueOf, fail, isHalting, isPastReturn, note, repeat, settle, succeed } from './moves.ts'
import type { OrderOutcome } from './orders.ts'
import type { Saga, Sagas } from './saga.ts'
import { type Job, type LiveJob, evolve } from './state.ts'

/**
 * A job is an instance of a saga, and its stream is its inbox and its outbox. Going forward and unwinding are written here
 * once, for every saga. Stale, late and repeated inputs change nothing.
 *
 * @param sagas the plan of each kind of job
 */
export const job = (sagas: Sagas): Decider<JobCommand, JobEvent, Job, JobRejection> => ({
  initial: { status: 'absent' },
  evolve,

  decide(command, state) {
    if (command.type === 'StartJob') {
      return state.status === 'absent' ? start(sagas[command.data.kind](command.data.input), command.data) : []
    }
    if (state.status === 'absent') return reject('job-not-found', `there is no job ${command.data.jobId}`)
    if (state.status !== 'running') return []
    const saga = sagas[state.kind](state.input)
    const decision = draft(saga, command.data.now, state)
    switch (command.type) {
      case 'RecordOutcome':
        record(decision, state, command.data.outcome)
        return decision.events
      case 'PassTime':
        passTime(decision, state)
        return decision.events
      case 'ResumeJob':
        if (isHalting(state)) return []
        for (const [key, { state: standing, attempt }] of Object.entries(state.work)) {
          if (standing === 'waiting') repeat(decision, key, attempt + 1)
        }
        return decision.events
      case 'AbandonJob': {
        const { now, because } = command.data
        return [{ type: 'JobAbandoned', data: { ...about(state, now), because } }]
      }
      case 'CancelJob':
        if (state.because !== null) return []
        if (isPastReturn(saga, state)) {
          return reject('job-past-return', 'the job has gone too far to be cancelled; it will be carried to its end')
        }
        decision.emit({
          type: 'JobCancelled',
          data: { ...about(state, command.data.now), because: command.data.because },
        })
        settle(decision)
        return decision.events
    }
  },
})

/** When `PassTime` will next change something about the job; undefined for a job that has ended. */
export const due = (state: Job): Instant | undefined => {
  if (state.status !== 'running') return undefined
  return Object.values(state.work)
    .flatMap((work) => dueOf(state, work) ?? [])
    .toSorted()[0]
}

const start = (saga: Saga, { jobId, kind, input, now }: StartJob['data']): readonly JobEvent[] => {
  const steps = saga.steps.map(({ name, title }) => ({ name, title }))
  const { datastoreId } = input
  const begun: JobEvent = {
    type: 'JobStarted',
    data: { jobId, datastoreId, at: now, kind, title: saga.title, steps, input },
  }
  const state = evolve({ status: 'absent' }, begun)
  if (state.status !== 'running') throw new Error('BUG: a job that has started is running')
  const decision = draft(saga, now, state)
  advance(decision)
  return [begun, ...decision.events]
}

const record = (decision: Draft, state: LiveJob, outcome: OrderOutcome): void => {
  const { step, key, attempt, course } = outcome
  const work = state.work[key]
  // Anything but the answer to an order that is still awaited is stale.
  if (state.step !== step || state.course !== course || work?.state !== 'ordered' || work.attempt !== attempt) return
  const at = { step, key, attempt, course }
  switch (outcome.kind) {
    case 'noted':
      return note(decision, at, outcome)
    case 'succeeded':
      return succeed(decision, at, outcome.result)
    case 'failed':
      return fail(decision, at, outcome)
  }
}

const passTime = (decision: Draft, state: LiveJob): void => {
  if (state.step === undefined) return
  for (const [key, work] of Object.entries(state.work)) {
    const dueAt = dueOf(state, work)
    if (dueAt === undefined || !reached(dueAt, decision.now)) continue
    // What an earlier order of this round decided may have made the rest pointless.
    const current = decision.live()
    if (current?.step !== state.step || current.course !== state.course) return
    const at = { step: state.step, key, attempt: work.attempt, course: state.course }
    if (work.state === 'ordered') fail(decision, at, { because: 'it took longer than it may', final: false })
    else if (current.because === state.because) repeat(decision, key, work.attempt + 1)
  }
}
