import * as assert from 'uvu/assert'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { Saga } from '../../domain/job/saga.ts'

type Ordered = Extract<JobEvent, { readonly type: 'StepOrdered' }>['data']

const spot = ({ step, key, course }: Pick<Ordered, 'step' | 'key' | 'course'>): string => `${course} ${step} ${key}`

/** One step at a time; forward in the order of the plan, then back in the opposite one, and never forward again. */
const assertCourse = (saga: Saga, events: readonly JobEvent[]): void => {
  const open = new Set<string>()
  const attempts = new Map<string, number>()
  let last: Ordered | undefined
  let halted = false
  const indexOf = (step: string): number => saga.steps.findIndex(({ name }) => name === step)
  for (const { type, data } of events) {
    if (type === 'JobCancelled' || type === 'UnwindingBegun') halted = true
    if (type === 'StepSucceeded' || type === 'StepFailed') open.delete(spot(data))
    if (type !== 'StepOrdered') continue
    assert.ok(data.course === 'back' || !halted, `${spot(data)} is ordered although the job is to unwind`)
    if (last !== undefined && (last.step !== data.step || last.course !== data.course)) {
      assert.equal([...open], [], `${spot(data)} is ordered while something else is under way`)
      const steps = indexOf(data.step) - indexOf(last.step)
      const goesOn = last.course === 'forward'
      const isInOrder = data.course === 'forward' ? goesOn && steps > 0 : steps < 0 || goesOn
      assert.ok(isInOrder, `${spot(data)} is ordered after ${spot(last)}`)
    }
    assert.is(data.attempt, (attempts.get(spot(data)) ?? 0) + 1, `attempts of ${spot(data)} are counted`)
    assert.is(open.has(spot(data)), false, `${spot(data)} is ordered once at a time`)
    attempts.set(spot(data), data.attempt)
    open.add(spot(data))
    last = data
  }
  assert.equal([...open], [], 'nothing is under way when a job has ended')
}

const assertProgress = (events: readonly JobEvent[]): void => {
  let [percent, course] = [0, 'forward']
  for (const { type, data } of events) {
    if (type !== 'StepSucceeded') continue
    assert.ok(data.progressPercent >= 0 && data.progressPercent < 100, `progress is ${data.progressPercent}`)
    const grows = data.progressPercent >= percent
    const shrinks = data.progressPercent <= percent
    assert.ok(data.course === 'forward' ? grows : shrinks || course === 'forward', `progress goes ${course} with the job`)
    percent = data.progressPercent
    course = data.course
  }
}

/** What holds of the stream of every job that has ended, whatever its saga and its fate. */
export const assertLawful = (saga: Saga, events: readonly JobEvent[]): void => {
  const types = events.map(({ type }) => type)
  assert.is(types.filter((type) => type === 'JobStarted').length, 1)
  assert.is(types.filter((type) => type === 'JobFinished' || type === 'JobUnwound').length, 1)
  assert.is(types[0], 'JobStarted')
  assert.ok(['JobFinished', 'JobUnwound'].includes(types.at(-1) ?? ''), 'the end comes last')
  assertCourse(saga, events)
  assertProgress(events)
}
