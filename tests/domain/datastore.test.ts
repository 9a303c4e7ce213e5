import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd, JobInput, JobKind } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { fold } from '../support/given.ts'
import { givenDatastore } from '../support/given-datastore.ts'

const test = suite('a datastore')

const datastoreId = 'clu_1'
const spec = exampleSpec(3)
const nodes = exampleNodes(3)
const about = { datastoreId, at: noon }
const because = 'the datastore is to be deleted'

const create = (fingerprint = 'f1', jobId = 'job_1'): DatastoreCommand => ({
  type: 'CreateDatastore',
  data: { datastoreId, jobId, spec, fingerprint, now: noon },
})
const remove = (jobId = 'job_2'): DatastoreCommand => ({
  type: 'DeleteDatastore',
  data: { datastoreId, jobId, now: noon },
})
const end = (jobId: string, how: JobEnd, found: readonly NodeState[] = [], why: string | null = null): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId, jobId, end: how, because: why, nodes: found, now: noon },
})

const created: DatastoreEvent = { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f1' } }
const deployed: DatastoreEvent = { type: 'DatastoreDeployed', data: { ...about, nodes } }
const failed: DatastoreEvent = { type: 'DeploymentFailed', data: { ...about, because: 'no room' } }
const deletion: DatastoreEvent = { type: 'DeletionStarted', data: about }
const deleted: DatastoreEvent = { type: 'DatastoreDeleted', data: about }
const queued = (jobId: string, kind: JobKind): DatastoreEvent => ({
  type: 'JobQueued',
  data: { ...about, jobId, kind, ownerId: spec.ownerId },
})
const admitted = (jobId: string, kind: JobKind, known: JobInput['nodes'] = []): DatastoreEvent => ({
  type: 'JobAdmitted',
  data: { ...about, jobId, kind, input: { datastoreId, spec, nodes: known } },
})
const ended = (jobId: string, kind: JobKind, how: JobEnd, why: string | null = null): DatastoreEvent => ({
  type: 'JobEnded',
  data: { ...about, jobId, kind, end: how, because: why },
})
const dropped = (jobId: string, kind: JobKind): DatastoreEvent => ({
  type: 'JobDropped',
  data: { ...about, jobId, kind, because },
})
const cancelling = (jobId: string): DatastoreEvent => ({ type: 'JobCancellationAsked', data: { ...about, jobId, because } })

const deploy = 'deploy-datastore'
const erase = 'delete-datastore'
const deploying = [created, queued('job_1', deploy), admitted('job_1', deploy)]
const running = [...deploying, deployed, ended('job_1', deploy, 'finished')]
const unmade = [...deploying, failed, ended('job_1', deploy, 'failed', 'no room')]
const leaving = [...running, deletion, queued('job_2', erase), admitted('job_2', erase, nodes)]
const gone = [...leaving, deleted, ended('job_2', erase, 'finished')]
const waitingToLeave = [...deploying, deletion, cancelling('job_1'), queued('job_2', erase)]

const statusAfter = (...events: readonly DatastoreEvent[]): string => fold(datastore, events).status

test('a new datastore is created and its deployment admitted at once', () =>
  givenDatastore().when(create()).then(...deploying))

test('the same request again changes nothing, whatever has become of the datastore', () => {
  for (const history of [deploying, running, unmade, leaving, gone]) givenDatastore(...history).when(create()).thenNothing()
})

test('the same request under another job id changes nothing', () =>
  givenDatastore(...deploying).when(create('f1', 'job_9')).thenNothing())

test('another request under the same id is refused', () => {
  for (const history of [deploying, running, unmade, leaving, gone]) {
    givenDatastore(...history).when(create('f2')).thenRejected('idempotency-key-reused')
  }
})

test('nothing can be asked of a datastore that is not there', () => {
  givenDatastore().when(remove()).thenRejected('datastore-not-found')
  givenDatastore().when(end('job_1', 'finished')).thenRejected('datastore-not-found')
})

test('a deployment that has finished leaves a running datastore and its nodes', () => {
  givenDatastore(...deploying).when(end('job_1', 'finished', nodes)).then(deployed, ended('job_1', deploy, 'finished'))
  assert.is(statusAfter(...running), 'running')
})

test('a deployment that has failed says why', () => {
  givenDatastore(...deploying)
    .when(end('job_1', 'failed', [], 'no room'))
    .then(failed, ended('job_1', deploy, 'failed', 'no room'))
  assert.is(statusAfter(...unmade), 'deploy-failed')
})

test('what a failed deployment found out about nodes is not kept, for they are gone', () => {
  givenDatastore(...deploying)
    .when(end('job_1', 'failed', nodes, 'no room'))
    .then(failed, ended('job_1', deploy, 'failed', 'no room'))
  givenDatastore(...unmade).when(remove()).then(deletion, queued('job_2', erase), admitted('job_2', erase))
})

test('a job that was cancelled without a word ends for that reason', () =>
  givenDatastore(...deploying)
    .when(end('job_1', 'cancelled'))
    .then(
      { type: 'DeploymentFailed', data: { ...about, because: 'the job was cancelled' } },
      ended('job_1', deploy, 'cancelled'),
    ))

test('deleting a running datastore admits the job with the nodes there are', () =>
  givenDatastore(...running).when(remove()).then(deletion, queued('job_2', erase), admitted('job_2', erase, nodes)))

test('deleting while it is deployed asks for the deployment to be cancelled and waits for its end', () =>
  givenDatastore(...deploying).when(remove()).then(deletion, cancelling('job_1'), queued('job_2', erase)))

test('deleting drops the jobs that wait, in their order', () =>
  givenDatastore(...deploying, queued('job_7', deploy), queued('job_8', erase))
    .when(remove())
    .then(
      deletion,
      dropped('job_7', deploy),
      dropped('job_8', erase),
      cancelling('job_1'),
      queued('job_2', erase),
    ))

test('a dropped job is out of the queue', () => {
  const history = [...deploying, queued('job_7', deploy), dropped('job_7', deploy), queued('job_8', erase)]
  givenDatastore(...history)
    .when(end('job_1', 'finished', nodes))
    .then(deployed, ended('job_1', deploy, 'finished'), admitted('job_8', erase, nodes))
})

test('the deletion is admitted when the cancelled deployment has unwound', () =>
  givenDatastore(...waitingToLeave)
    .when(end('job_1', 'cancelled', nodes, because))
    .then(
      { type: 'DeploymentFailed', data: { ...about, because } },
      ended('job_1', deploy, 'cancelled', because),
      admitted('job_2', erase),
    ))

test('the deletion sees the nodes of a deployment that finished before it could be cancelled', () =>
  givenDatastore(...waitingToLeave)
    .when(end('job_1', 'finished', nodes))
    .then(deployed, ended('job_1', deploy, 'finished'), admitted('job_2', erase, nodes)))

test('a datastore on its way out stays so, whatever comes of the deployment', () => {
  assert.is(statusAfter(...waitingToLeave, failed), 'deleting')
  assert.is(statusAfter(...waitingToLeave, deployed), 'deleting')
})

test('deleting twice changes nothing, under the same job id or another', () => {
  for (const history of [leaving, waitingToLeave]) {
    givenDatastore(...history).when(remove()).thenNothing()
    givenDatastore(...history).when(remove('job_3')).thenNothing()
  }
})

test('a deleted datastore is not found by who would delete it again', () =>
  givenDatastore(...gone).when(remove('job_3')).thenRejected('datastore-not-found'))

test('a deletion that has finished leaves nothing', () => {
  givenDatastore(...leaving).when(end('job_2', 'finished')).then(deleted, ended('job_2', erase, 'finished'))
  const state = fold(datastore, gone)
  assert.equal(state.status !== 'absent' && [state.status, state.nodes, state.queue], ['deleted', [], []])
})

test('an abandoned deletion gives the running datastore back, and another one may be asked for', () => {
  const abandoned: DatastoreEvent = { type: 'DeletionAbandoned', data: { ...about, because: 'cancelled by own_1' } }
  const history = [...leaving, abandoned, ended('job_2', erase, 'cancelled', 'cancelled by own_1')]
  givenDatastore(...leaving)
    .when(end('job_2', 'cancelled', [], 'cancelled by own_1'))
    .then(abandoned, ended('job_2', erase, 'cancelled', 'cancelled by own_1'))
  assert.is(statusAfter(...history), 'running')
  givenDatastore(...history).when(remove('job_3')).then(deletion, queued('job_3', erase), admitted('job_3', erase, nodes))
  givenDatastore(...history).when(remove('job_2')).thenNothing()
})

test('an abandoned deletion of what was never deployed leaves a failed deployment', () => {
  const abandoned: DatastoreEvent = { type: 'DeletionAbandoned', data: { ...about, because } }
  assert.is(statusAfter(...unmade, deletion, abandoned), 'deploy-failed')
})

test('jobs run one after the other in the order they were queued', () =>
  givenDatastore(...deploying, queued('job_4', erase), queued('job_5', erase))
    .when(end('job_1', 'finished', nodes))
    .then(deployed, ended('job_1', deploy, 'finished'), admitted('job_4', erase, nodes)))

test('the end of a job that is not at work changes nothing: it waits, has ended, or was never heard of', () => {
  givenDatastore(...waitingToLeave).when(end('job_2', 'finished')).thenNothing()
  givenDatastore(...running).when(end('job_1', 'finished', nodes)).thenNothing()
  givenDatastore(...running).when(end('job_1', 'failed', [], 'no room')).thenNothing()
  givenDatastore(...gone).when(end('job_2', 'finished')).thenNothing()
  givenDatastore(...deploying).when(end('job_9', 'finished', nodes)).thenNothing()
})

test('a deletion that waits can be taken back, and then nothing is on its way out any more', () => {
  const because = 'its owner asked for it'
  const stop: DatastoreCommand = { type: 'StopJob', data: { datastoreId, jobId: 'job_2', because, now: noon } }
  const abandoned: DatastoreEvent = { type: 'DeletionAbandoned', data: { ...about, because } }
  const gone: DatastoreEvent = { type: 'JobDropped', data: { ...about, jobId: 'job_2', kind: erase, because } }
  givenDatastore(...waitingToLeave).when(stop).then(abandoned, gone)
  assert.is(statusAfter(...waitingToLeave, abandoned, gone, deployed), 'running')
})

test('no event but its creation can come first', () => {
  for (const event of [deployed, deletion, queued('job_1', deploy)]) {
    assert.throws(() => fold(datastore, [event]), /BUG/)
  }
})

test.run()
