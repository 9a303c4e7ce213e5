import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { job } from '../../domain/job/job.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { fullestPlan } from '../support/every-plan.ts'
import { fold, given } from '../support/given.ts'

const test = suite('a job that is abandoned')

const decider = job(sagas)
const { kind, input } = fullestPlan('fail-over')
const begun = decider.decide({ type: 'StartJob', data: { jobId: 'job_1', kind, input, now: noon } }, decider.initial)
if (isRejection(begun)) throw new Error('BUG: a job is refused its beginning')
const because = 'it can lead to nothing any more'
const abandon = { type: 'AbandonJob', data: { jobId: 'job_1', because, now: noon } } as const
const abandoned = { type: 'JobAbandoned', data: { jobId: 'job_1', datastoreId: 'clu_1', at: noon, because } } as const

test('ends where it stands, and undoes nothing', () => {
  given(decider, ...begun).when(abandon).then(abandoned)
  assert.is(fold(decider, [...begun, abandoned]).status, 'failed')
})

test('hears of nothing that comes later', () => {
  const late = { orderId: 'o', jobId: 'job_1', at: noon, step: 'fence', key: 'nod_1', attempt: 1, course: 'forward' } as const
  const outcome = { ...late, kind: 'succeeded', result: { fencedBy: 'powered-off' } } as const
  given(decider, ...begun, abandoned).when({ type: 'RecordOutcome', data: { jobId: 'job_1', outcome, now: noon } }).thenNothing()
  given(decider, ...begun, abandoned).when(abandon).thenNothing()
})

test.run()
