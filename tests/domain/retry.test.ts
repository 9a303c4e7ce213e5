import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change } from '../../domain/datastore/changes/index.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import { cancel, exampleSagas, eventsOf, building, failure, start, success, at } from '../support/example-saga.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { fold, given } from '../support/given.ts'
import { givenDatastore } from '../support/given-datastore.ts'

const test = suite('a job that is tried once more')

const datastoreId = 'clu_1'
const about = { datastoreId, at: noon }
const spec = exampleSpec(2)
const fresh = Array.from({ length: 4 }, (_, n) => ({ nodeId: `new_${n + 1}`, name: `db-new${n + 1}` }))
const ownerId = spec.ownerId

const create: DatastoreCommand = {
  type: 'CreateDatastore', data: { datastoreId, jobId: 'job_1', spec, fingerprint: 'f', now: noon },
}
const ended = (jobId: string, end: JobEnd): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId, jobId, end, because: 'no room', nodes: end === 'finished' ? exampleNodes(2) : [], now: noon },
})
const change = (jobId: string, wanted: Change): DatastoreCommand => ({
  type: 'ChangeDatastore', data: { datastoreId, jobId, change: wanted, now: noon },
})
const retry = (jobId: string, retried: string): DatastoreCommand => ({
  type: 'RetryJob', data: { datastoreId, jobId, retried, fresh, now: noon },
})
const remove: DatastoreCommand = { type: 'DeleteDatastore', data: { datastoreId, jobId: 'job_9', now: noon } }

/** The stream that these commands lead to. */
const after = (...commands: readonly DatastoreCommand[]): readonly DatastoreEvent[] =>
  commands.reduce<readonly DatastoreEvent[]>((events, command) => {
    const decision = datastore.decide(command, fold(datastore, events))
    if (isRejection(decision)) throw new Error(decision.because)
    return [...events, ...decision]
  }, [])

const failed = [create, ended('job_1', 'failed')]
const running = [create, ended('job_1', 'finished')]
const added = exampleSpec(4).nodes.slice(2)
const adding: Change = { kind: 'add-nodes', nodes: added, nodesMax: 5 }

test('a deployment that failed is done again on nodes that never were', () => {
  const renewed = { ...spec, nodes: spec.nodes.map((node, n) => ({ ...node, ...fresh[n] })) }
  const again = { jobId: 'job_2', kind: 'deploy-datastore' } as const
  givenDatastore(...after(...failed))
    .when(retry('job_2', 'job_1'))
    .then(
      { type: 'DeploymentRetried', data: { ...about, spec: renewed } },
      { type: 'JobQueued', data: { ...about, ...again, ownerId } },
      { type: 'JobAdmitted', data: { ...about, ...again, input: { datastoreId, spec: renewed, nodes: [] } } },
    )
  assert.is(fold(datastore, after(...failed, retry('job_2', 'job_1'))).status, 'deploying')
})

test('a change that came to nothing is asked for again, with other nodes where it brings any', () => {
  const state = fold(datastore, after(...running, change('job_2', adding), ended('job_2', 'failed'), retry('job_3', 'job_2')))
  assert.equal(
    state.status === 'running' && state.queue.map(({ jobId, change: wanted }) => ({ jobId, wanted })),
    [{ jobId: 'job_3', wanted: { ...adding, nodes: added.map((node, n) => ({ ...node, ...fresh[n] })) } }],
  )
})

test('a deletion that came to nothing is asked for again', () => {
  const removed = [...running, remove, ended('job_9', 'cancelled'), retry('job_2', 'job_9')]
  assert.is(fold(datastore, after(...removed)).status, 'deleting')
})

test('asking twice is asking once', () =>
  givenDatastore(...after(...failed, retry('job_2', 'job_1'))).when(retry('job_2', 'job_1')).thenNothing())

test('what makes no sense any more is refused', () => {
  givenDatastore(...after(...running)).when(retry('job_2', 'job_1')).thenRejected('job-not-retriable')
  givenDatastore(...after(create)).when(retry('job_2', 'job_1')).thenRejected('job-not-over')
  givenDatastore(...after(create)).when(retry('job_2', 'job_7')).thenRejected('job-not-found')
  givenDatastore(...after(...failed, retry('job_2', 'job_1'))).when(retry('job_3', 'job_1')).thenRejected('job-not-retriable')
  givenDatastore(...after(...failed, remove)).when(retry('job_2', 'job_1')).thenRejected('job-not-retriable')
  const two: Change = { kind: 'remove-nodes', nodeIds: ['nod_2'] }
  const gone = [...running, change('job_2', two), ended('job_2', 'failed'), retry('job_3', 'job_2')]
  givenDatastore(...after(...gone)).when(retry('job_4', 'job_2')).thenRejected('node-not-found')
})

const decider = job(exampleSagas)
const build = eventsOf(building)
const streamOf = (...commands: readonly JobCommand[]): readonly JobEvent[] =>
  commands.reduce<readonly JobEvent[]>((events, command) => {
    const decision = decider.decide(command, fold(decider, events))
    if (isRejection(decision)) throw new Error(decision.because)
    return [...events, ...decision]
  }, [])
const resume = (ms: number): JobCommand => ({ type: 'ResumeJob', data: { jobId: 'job_1', now: at(ms) } })

test('a job in its back-off is resumed at once', () =>
  given(decider, ...streamOf(start(building), failure(10, 'wall')))
    .when(resume(20))
    .then(build.ordered(20, 'wall', { attempt: 2 })))

test('a job that waits for nothing, stops or is over is not resumed', () => {
  given(decider, ...streamOf(start(building))).when(resume(20)).thenNothing()
  given(decider, ...streamOf(start(building), success(10, 'wall'), cancel(15))).when(resume(20)).thenNothing()
  const over = streamOf(start(building), failure(10, 'wall', {}, true), success(20, 'wall', { course: 'back' }))
  given(decider, ...over).when(resume(30)).thenNothing()
})

test.run()
