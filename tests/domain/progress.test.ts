import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import { due, job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import { at, building, exampleSagas, start } from '../support/example-saga.ts'
import { fold, given } from '../support/given.ts'

const test = suite('a deadline that moves with the work')

const GRACE_MS = 2_000
const MAX_MS = 100_000
const first = building.steps[0]
if (first === undefined) throw new Error('BUG: the example has steps')
const { timeoutMs } = first
const moving = { ...building, steps: [{ ...first, movingMaxMs: MAX_MS }, ...building.steps.slice(1)] }
const decider = job({ ...exampleSagas, 'deploy-datastore': () => moving })
const still = job(exampleSagas)

const progress = (ms: number, figure: number, measuredMs = ms): JobCommand => {
  const place = { step: 'wall', key: 'all', attempt: 1, course: 'forward' } as const
  const told = { kind: 'noted', line: `${figure} laid`, figure } as const
  const outcome = { orderId: 'o', jobId: 'job_1', at: at(measuredMs), ...place, ...told }
  return { type: 'RecordOutcome', data: { jobId: 'job_1', outcome, now: at(ms) } }
}
const streamOf = (by: typeof decider, ...commands: readonly JobCommand[]): readonly JobEvent[] =>
  commands.reduce<readonly JobEvent[]>((events, command) => {
    const decision = by.decide(command, fold(by, events))
    if (isRejection(decision)) throw new Error(decision.because)
    return [...events, ...decision]
  }, [])
const dueOf = (by: typeof decider, ...commands: readonly JobCommand[]) => due(fold(by, streamOf(by, ...commands)))
const begin = start(building)

test('it moves when more is done than was seen before', () => {
  assert.is(dueOf(decider, begin), at(timeoutMs + GRACE_MS))
  assert.is(dueOf(decider, begin, progress(5_000, 10)), at(5_000 + timeoutMs + GRACE_MS))
  assert.is(dueOf(decider, begin, progress(5_000, 10), progress(9_000, 11)), at(9_000 + timeoutMs + GRACE_MS))
})

test('what stands still, goes back or is repeated changes nothing', () => {
  const moved = streamOf(decider, begin, progress(5_000, 10))
  for (const figure of [10, 9, 0]) given(decider, ...moved).when(progress(9_000, figure)).thenNothing()
})

test('it counts from the measurement, and never from one in the future', () => {
  assert.is(dueOf(decider, begin, progress(9_000, 10, 5_000)), at(5_000 + timeoutMs + GRACE_MS))
  assert.is(dueOf(decider, begin, progress(5_000, 10, 90_000)), at(5_000 + timeoutMs + GRACE_MS))
})

test('without growth it runs out as ever', () => {
  const stuck = streamOf(decider, begin, progress(5_000, 10))
  const late = { type: 'PassTime', data: { jobId: 'job_1', now: at(5_000 + timeoutMs + GRACE_MS) } } as const
  assert.ok(streamOf(decider, begin, progress(5_000, 10), progress(6_000, 10), late).some(({ type }) => type === 'StepFailed'))
  given(decider, ...stuck).when({ ...late, data: { ...late.data, now: at(timeoutMs + GRACE_MS) } }).thenNothing()
})

test('of a step that has no such limit it never moves, though the remark is kept', () => {
  assert.is(dueOf(still, begin, progress(5_000, 10)), at(timeoutMs + GRACE_MS))
  assert.is(streamOf(still, begin, progress(5_000, 10)).at(-1)?.type, 'StepNoted')
})

test('it never moves back, and never past its limit, whatever is told', () =>
  fc.assert(
    fc.property(fc.array(fc.record({ ms: fc.nat(MAX_MS), figure: fc.nat(50), measuredMs: fc.nat(2 * MAX_MS) })), (told) => {
      let before = at(timeoutMs + GRACE_MS)
      const commands: JobCommand[] = [begin]
      for (const { ms, figure, measuredMs } of told.toSorted((a, b) => a.ms - b.ms)) {
        commands.push(progress(ms, figure, measuredMs))
        const now = dueOf(decider, ...commands) ?? ''
        assert.ok(now >= before)
        assert.ok(now <= at(MAX_MS + GRACE_MS))
        before = now
      }
    }),
  ))

test.run()
