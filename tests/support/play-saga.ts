import type { JobInput } from '../../domain/datastore/messages.ts'
import { due, job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { OrderOutcome, Place } from '../../domain/job/orders.ts'
import type { Saga, Sagas } from '../../domain/job/saga.ts'
import type { Job } from '../../domain/job/state.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import { type Instant, later, reached } from '../../domain/kernel/time.ts'
import { noon } from './examples.ts'
import { sagas } from '../../sagas/index.ts'
import type { Things } from './estate.ts'
import { deepFreeze, fold } from './given.ts'
import { type World, resultOf, sagaWorld } from './saga-world.ts'

/** What becomes of an order at its worker. `silent`: nothing is ever heard of it. `late`: done only when its time runs out. */
export const fates = ['succeeds', 'fails', 'fails-when-done', 'refuses', 'silent', 'silent-when-done', 'silent-and-late'] as const
export type Fate = (typeof fates)[number]

export type Play = {
  readonly saga: Saga
  readonly input: JobInput
  /** What is there before the job. Default: nothing. */
  readonly before?: Things
  readonly fateOf?: (place: Place) => Fate
  /** What else is delivered after each input: itself again, or everything that ever was. */
  readonly echo?: 'none' | 'itself' | 'everything'
  /** Which of several outcomes arrives first. */
  readonly first?: 'oldest' | 'newest'
  /** Folds the state anew from the stream, as it was written, before every input. */
  readonly restarts?: boolean
  /** The job is cancelled before this input, counted from 0. */
  readonly cancelBefore?: number
  /** Draws a whole number below `limit`: inputs then arrive in any order, repeatedly, and after their time. */
  readonly draw?: (limit: number) => number
}

export type Played = {
  readonly events: readonly JobEvent[]
  readonly state: Exclude<Job, { readonly status: 'absent' }>
  readonly world: World
  readonly inputs: number
  readonly cancellation: 'none' | 'taken' | 'refused'
}

const INPUTS_MAX = 20_000
const A_DAY_MS = 86_400_000

type Table = {
  readonly play: Play
  readonly world: World
  readonly stream: JobEvent[]
  /** Outcomes on their way. */
  readonly mail: OrderOutcome[]
  readonly heard: JobCommand[]
  /** Effects that a worker brings about at an instant of its own. */
  readonly effects: { readonly at: Instant; readonly happen: () => void }[]
  readonly now: () => Instant
  readonly passTo: (instant: Instant) => void
  readonly state: () => Job
  readonly tell: (command: JobCommand) => 'taken' | 'refused'
}

const table = (play: Play): Table => {
  const { saga } = play
  // Whatever else is asked of this registry would be another kind of job.
  const decider = job({ ...sagas, [saga.kind]: () => saga } satisfies Sagas)
  const stream: JobEvent[] = []
  const written: JobEvent[] = []
  let state: Job = decider.initial
  let now = noon
  const here: Table = {
    play, stream,
    world: sagaWorld(play.before ?? {}), mail: [], heard: [], effects: [],
    now: () => now,
    passTo: (instant) => {
      now = reached(instant, now) ? now : instant
      for (const effect of here.effects.splice(0)) {
        if (reached(effect.at, now)) effect.happen()
        else here.effects.push(effect)
      }
    },
    state: () => state,
    tell: (command) => {
      if (play.restarts === true) state = fold(decider, written)
      const decision = decider.decide(deepFreeze(command), state)
      if (isRejection(decision)) return 'refused'
      for (const event of decision) {
        stream.push(event)
        if (play.restarts === true) written.push(JSON.parse(JSON.stringify(event)))
        state = deepFreeze(decider.evolve(state, deepFreeze(event)))
        if (event.type === 'StepOrdered') hand(here, event.data)
      }
      if (state.status === 'running' && due(state) === undefined) throw new Error('the job waits for nothing and has not ended')
      return 'taken'
    },
  }
  return here
}

/** Gives an order to its worker, who does with it what fate has decided. */
const hand = (here: Table, data: Extract<JobEvent, { readonly type: 'StepOrdered' }>['data']): void => {
  const { step, key, attempt, course, order, notAfter, jobId } = data
  const place = { step, key, attempt, course }
  const fate = here.play.fateOf?.(place) ?? 'succeeds'
  const happen = (): void => here.world.carryOut(order, place)
  if (fate === 'silent-and-late') here.effects.push({ at: notAfter, happen })
  else if (fate !== 'fails' && fate !== 'refuses' && fate !== 'silent') happen()
  if (fate.startsWith('silent')) return
  const about = { ...place, orderId: `${step}/${key}/${attempt}/${course}`, jobId, at: here.now() }
  if (fate === 'succeeds') here.mail.push({ ...about, kind: 'succeeded', result: resultOf(order, place) })
  else here.mail.push({ ...about, kind: 'failed', because: 'no luck', final: fate === 'refuses' })
}

const deliver = (here: Table, command: JobCommand): void => {
  here.tell(command)
  if (here.play.echo === 'itself') here.tell(command)
  here.heard.push(command)
  if (here.play.echo === 'everything') for (const old of here.heard) here.tell(old)
}

/** What reaches the job next: an outcome on its way, else the passing of as much time as it waits for. */
const next = (here: Table): JobCommand => {
  const { play, mail, heard } = here
  const luck = play.draw?.(10) ?? 0
  const old = heard[play.draw?.(Math.max(heard.length, 1)) ?? 0]
  if (luck === 9 && old !== undefined) return old
  const index = play.draw?.(Math.max(mail.length, 1)) ?? (play.first === 'newest' ? mail.length - 1 : 0)
  const outcome = luck < 7 ? mail.splice(Math.max(index, 0), 1)[0] : undefined
  here.passTo(later(here.now(), 1))
  if (outcome !== undefined) return { type: 'RecordOutcome', data: { jobId: 'job_1', outcome, now: here.now() } }
  const dueAt = due(here.state())
  if (dueAt !== undefined) here.passTo(dueAt)
  // The clock of a runner that was down jumps past several instants at once.
  here.passTo(later(here.now(), 20_000 * (play.draw?.(4) ?? 0)))
  return { type: 'PassTime', data: { jobId: 'job_1', now: here.now() } }
}

/**
 * Plays a job of a saga to its end, against a world in which orders have effects and their outcomes take their time.
 *
 * @throws when the job does not end, or is in a state that nothing will ever change
 */
export const playSaga = (play: Play): Played => {
  const here = table(play)
  const { input, saga, cancelBefore } = play
  let cancellation: Played['cancellation'] = 'none'
  here.tell({ type: 'StartJob', data: { jobId: 'job_1', kind: saga.kind, input, now: noon } })
  let inputs = 0
  for (; here.state().status === 'running'; inputs++) {
    if (inputs > INPUTS_MAX) throw new Error(`the job has not ended after ${INPUTS_MAX} inputs`)
    if (inputs === cancelBefore) {
      cancellation = here.tell({ type: 'CancelJob', data: { jobId: 'job_1', because: 'enough', now: here.now() } })
    }
    if (here.state().status === 'running') deliver(here, next(here))
  }
  // A worker that is still at something would bring it about after the end; the world then shows it.
  here.passTo(later(here.now(), A_DAY_MS))
  const count = here.stream.length
  for (const command of here.heard) here.tell(command)
  if (here.stream.length > count) throw new Error('an old input changed a job that has ended')
  const state = here.state()
  if (state.status === 'absent') throw new Error('BUG: a job that was played is there')
  return { events: here.stream, state, world: here.world, inputs, cancellation }
}
