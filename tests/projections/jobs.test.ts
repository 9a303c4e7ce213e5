import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { Course } from '../../domain/job/orders.ts'
import { jobLog } from '../../projections/job-log.ts'
import { jobs } from '../../projections/jobs.ts'
import { newInput, noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'

const test = suite('jobs, as they are read')

type Events = readonly (DatastoreEvent | JobEvent)[]

const ids = { datastoreId: 'clu_1', jobId: 'job_1' }
const about = { ...ids, at: noon }
const evening = '2030-01-01T18:00:00.000Z'
const kind = 'deploy-datastore' as const
const order = { subject: 'infra.withdraw-names', body: { datastoreId: 'clu_1', names: [] } } as const

const queued: DatastoreEvent = { type: 'JobQueued', data: { ...about, kind, ownerId: 'own_1' } }
const dropped: DatastoreEvent = { type: 'JobDropped', data: { ...about, at: evening, kind, because: 'to be deleted' } }
const ended = (end: JobEnd, because: string | null): DatastoreEvent => ({
  type: 'JobEnded',
  data: { ...about, at: evening, kind, end, because },
})
const steps = ['network', 'volumes', 'primary'].map((name) => ({ name, title: `Make the ${name}` }))
const started: JobEvent = { type: 'JobStarted', data: { ...about, kind, title: 'Deploy', steps, input: newInput(2) } }
const place = (step: string, key: string, attempt = 1, course: Course = 'forward') =>
  ({ ...about, step, key, attempt, course })
const ordered = (...at: Parameters<typeof place>): JobEvent => ({
  type: 'StepOrdered',
  data: { ...place(...at), order, notAfter: evening },
})
const succeeded = (progressPercent: number, ...at: Parameters<typeof place>): JobEvent => ({
  type: 'StepSucceeded',
  data: { ...place(...at), result: {}, progressPercent },
})
const failed = (retryAt: string | null, ...at: Parameters<typeof place>): JobEvent => ({
  type: 'StepFailed',
  data: { ...place(...at), because: 'no room', retryAt },
})
const noted: JobEvent = { type: 'StepNoted', data: { ...place('network', 'all'), line: 'found a bridge' } }
const attention: JobEvent = {
  type: 'AttentionNeeded',
  data: { ...about, step: 'network', key: 'all', course: 'back', because: 'no room' },
}
const because = 'Make the network: no room'
const unwinding: JobEvent = { type: 'UnwindingBegun', data: { ...about, step: 'network', because } }
const unwound: JobEvent = { type: 'JobUnwound', data: { ...about, because, cancelled: false } }
const finished: JobEvent = { type: 'JobFinished', data: about }

const onDatastore = new Set(['JobQueued', 'JobDropped', 'JobEnded'])
const log = (events: Events) =>
  recorded(({ type }) => (onDatastore.has(type) ? 'datastore-clu_1' : 'job-job_1'), events)
const row = (...events: Events) => rowsAfter(jobs, log(events)).get('job_1')
const stepStates = (...events: Events) => row(queued, started, ...events)?.steps.map(({ state }) => state)
const lines = (...events: Events) =>
  [...rowsAfter(jobLog, log(events)).values()].map((row) => [row.severity, row.step, row.node_id, row.line])

test('a job can be read as soon as it is queued', () => {
  assert.equal(row(queued), {
    job_id: 'job_1',
    datastore_id: 'clu_1',
    owner_id: 'own_1',
    kind: 'deploy-datastore',
    state: 'queued',
    title: null,
    progress_percent: 0,
    reason: null,
    needs_attention: false,
    steps: [],
    queued_by: 'acc_1',
    queued_position: `${'0'.repeat(20)}/${'0'.repeat(20)}`,
    queued_at: noon,
    started_at: null,
    ended_at: null,
  })
})

test('a job that has started shows its plan', () => {
  assert.is(row(queued, started)?.state, 'running')
  assert.is(row(queued, started)?.started_at, noon)
  assert.equal(stepStates(), ['pending', 'pending', 'pending'])
})

test('a step is done when each of its orders is', () => {
  const both = [ordered('network', 'nod_1'), ordered('network', 'nod_2'), succeeded(10, 'network', 'nod_1')]
  assert.equal(stepStates(...both), ['running', 'pending', 'pending'])
  assert.equal(stepStates(...both, succeeded(20, 'network', 'nod_2')), ['done', 'pending', 'pending'])
  assert.is(row(queued, started, ...both, succeeded(20, 'network', 'nod_2'))?.progress_percent, 20)
})

test('a step that has nothing to do is skipped', () => {
  assert.equal(stepStates(ordered('volumes', 'all')), ['skipped', 'running', 'pending'])
  const done = succeeded(50, 'volumes', 'all')
  assert.equal(stepStates(ordered('volumes', 'all'), done, finished), ['skipped', 'done', 'skipped'])
})

test('attempts are counted', () => {
  const first = [ordered('network', 'all'), failed(evening, 'network', 'all')]
  const retried = row(queued, started, ...first, ordered('network', 'all', 2))
  assert.equal(retried?.steps[0], {
    name: 'network',
    title: 'Make the network',
    state: 'running',
    attempts: 2,
    orders: { all: 'ordered' },
  })
})

test('a job is finished only when its datastore knows it', () => {
  assert.is(row(queued, started, finished)?.state, 'running')
  const end = row(queued, started, finished, ended('finished', null))
  assert.equal([end?.state, end?.progress_percent, end?.ended_at, end?.reason], ['finished', 100, evening, null])
})

test('a failed job says why, and what it has undone', () => {
  const good = [ordered('network', 'all'), succeeded(30, 'network', 'all')]
  const course = [...good, ordered('volumes', 'all'), failed(null, 'volumes', 'all')]
  assert.equal(stepStates(...course, unwinding), ['done', 'failed', 'pending'])
  const back = [...course, unwinding, ordered('volumes', 'all', 1, 'back'), succeeded(15, 'volumes', 'all', 1, 'back')]
  assert.equal(stepStates(...back), ['done', 'undone', 'pending'])
  assert.equal(stepStates(...back, unwound), ['undone', 'undone', 'skipped'])
  const end = row(queued, started, ...back, unwound, ended('failed', 'Make the network: no room'))
  assert.equal([end?.state, end?.progress_percent, end?.reason], ['failed', 15, 'Make the network: no room'])
})

test('a job that needs an operator says so until it goes on', () => {
  const back = [ordered('network', 'all', 1, 'back'), failed(evening, 'network', 'all', 1, 'back')]
  const stuck = [queued, started, ...back, attention]
  assert.is(row(...stuck)?.needs_attention, true)
  assert.is(row(...stuck, ordered('network', 'all', 2, 'back'))?.needs_attention, true)
  assert.is(row(...stuck, ordered('volumes', 'all', 1, 'back'))?.needs_attention, false)
  assert.is(row(...stuck, unwound, ended('failed', 'x'))?.needs_attention, false)
})

test('a job that is dropped never began', () => {
  const end = row(queued, dropped)
  assert.equal([end?.state, end?.reason, end?.started_at, end?.ended_at], ['dropped', 'to be deleted', null, evening])
})

test('a tenant can read what happens', () => {
  assert.equal(
    lines(
      queued,
      started,
      ordered('network', 'all'),
      noted,
      failed(evening, 'network', 'all'),
      ordered('network', 'all', 2),
      succeeded(30, 'network', 'all', 2),
      ordered('volumes', 'nod_1'),
      failed(null, 'volumes', 'nod_1'),
      unwinding,
      attention,
      unwound,
      ended('failed', 'x'),
    ),
    [
      ['info', null, null, 'Deploy: begun'],
      ['info', 'network', null, 'begun'],
      ['info', 'network', null, 'found a bridge'],
      ['warning', 'network', null, 'no room; it will be tried again'],
      ['info', 'network', null, 'attempt 2'],
      ['info', 'network', null, 'done'],
      ['info', 'volumes', 'nod_1', 'begun'],
      ['error', 'volumes', 'nod_1', 'no room'],
      ['error', null, null, 'what was done is being undone: Make the network: no room'],
      ['error', 'network', null, 'an operator was asked to look: no room'],
      ['warning', null, null, 'everything it had done is undone: Make the network: no room'],
    ],
  )
})

test.run()
