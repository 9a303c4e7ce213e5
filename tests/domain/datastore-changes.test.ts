import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change, ChangeKind } from '../../domain/datastore/changes/index.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd, JobKind } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec, NodeState } from '../../domain/datastore/spec.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { fold } from '../support/given.ts'
import { givenDatastore } from '../support/given-datastore.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('a datastore that is changed')

const datastoreId = 'clu_1'
const about = { datastoreId, at: noon }
const nodesMax = 5
const specOf = (...numbers: readonly number[]): DatastoreSpec => ({
  ...exampleSpec(3),
  nodes: exampleSpec(Math.max(...numbers)).nodes.filter((_, n) => numbers.includes(n + 1)),
})
const statesOf = (...numbers: readonly number[]): readonly NodeState[] =>
  exampleNodes(Math.max(...numbers)).filter((_, n) => numbers.includes(n + 1))
const spec = specOf(1, 2, 3)
const nodes = statesOf(1, 2, 3)

const adding = (...numbers: readonly number[]): Change => ({ kind: 'add-nodes', nodes: specOf(...numbers).nodes, nodesMax })
const removing = (...numbers: readonly number[]): Change => ({ kind: 'remove-nodes', nodeIds: numbers.map((n) => `nod_${n}`) })
const promoting = (number: number): Change => ({ kind: 'promote-replica', nodeId: `nod_${number}` })

const change = (jobId: string, wanted: Change): DatastoreCommand => ({
  type: 'ChangeDatastore',
  data: { datastoreId, jobId, change: wanted, now: noon },
})
const stop = (jobId: string, because = 'its owner wants it so'): DatastoreCommand => ({
  type: 'StopJob',
  data: { datastoreId, jobId, because, now: noon },
})
const end = (jobId: string, how: JobEnd, found: readonly NodeState[] = [], because: string | null = null): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId, jobId, end: how, because, nodes: found, now: noon },
})
const remove: DatastoreCommand = { type: 'DeleteDatastore', data: { datastoreId, jobId: 'job_9', now: noon } }

const queued = (jobId: string, wanted: Change): DatastoreEvent => ({
  type: 'JobQueued',
  data: { ...about, jobId, kind: wanted.kind, change: wanted, ownerId: spec.ownerId },
})
const admitted = (
  jobId: string,
  wanted: Change,
  { at = spec, known = nodes }: { readonly at?: DatastoreSpec; readonly known?: readonly NodeState[] } = {},
): DatastoreEvent => ({
  type: 'JobAdmitted',
  data: { ...about, jobId, kind: wanted.kind, input: { datastoreId, spec: at, nodes: known, change: wanted } },
})
const changed = (jobId: string, wanted: Change, found: readonly NodeState[]): DatastoreEvent => ({
  type: 'DatastoreChanged',
  data: { ...about, jobId, change: wanted, nodes: found },
})
const abandoned = (jobId: string, wanted: Change, because: string): DatastoreEvent => ({
  type: 'ChangeAbandoned',
  data: { ...about, jobId, change: wanted, because },
})
const ended = (jobId: string, kind: JobKind, how: JobEnd, because: string | null = null): DatastoreEvent => ({
  type: 'JobEnded',
  data: { ...about, jobId, kind, end: how, because },
})
const dropped = (jobId: string, kind: JobKind, because: string): DatastoreEvent => ({
  type: 'JobDropped',
  data: { ...about, jobId, kind, because },
})
/** A change that never begins says so, and so does its job. */
const neverBegun = (jobId: string, wanted: Change, because: string): readonly DatastoreEvent[] => [
  abandoned(jobId, wanted, because),
  dropped(jobId, wanted.kind, because),
]
const cancelling = (jobId: string, because: string): DatastoreEvent => ({
  type: 'JobCancellationAsked',
  data: { ...about, jobId, because },
})
const plain = (jobId: string, kind: Exclude<JobKind, ChangeKind>): DatastoreEvent => ({
  type: 'JobQueued',
  data: { ...about, jobId, kind, ownerId: spec.ownerId },
})
const begun = (jobId: string, kind: Exclude<JobKind, ChangeKind>, known: readonly NodeState[] = []): DatastoreEvent => ({
  type: 'JobAdmitted',
  data: { ...about, jobId, kind, input: { datastoreId, spec, nodes: known } },
})

const created: DatastoreEvent = { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f1' } }
const deployed: DatastoreEvent = { type: 'DatastoreDeployed', data: { ...about, nodes } }
const failed: DatastoreEvent = { type: 'DeploymentFailed', data: { ...about, because: 'no room' } }
const deletion: DatastoreEvent = { type: 'DeletionStarted', data: about }
const deploying = [created, plain('job_1', 'deploy-datastore'), begun('job_1', 'deploy-datastore')]
const deployEnded = ended('job_1', 'deploy-datastore', 'finished')
const running = [...deploying, deployed, deployEnded]
const unmade = [...deploying, failed, ended('job_1', 'deploy-datastore', 'failed', 'no room')]
const leaving = [...running, deletion, plain('job_9', 'delete-datastore'), begun('job_9', 'delete-datastore', nodes)]
const gone: readonly DatastoreEvent[] = [...leaving, { type: 'DatastoreDeleted', data: about }]

const growing = [...running, queued('job_2', adding(4)), admitted('job_2', adding(4), { at: specOf(1, 2, 3, 4) })]

test('a change of a datastore that has nothing else to do begins at once', () => {
  givenDatastore(...running)
    .when(change('job_2', adding(4)))
    .then(queued('job_2', adding(4)), admitted('job_2', adding(4), { at: specOf(1, 2, 3, 4) }))
  givenDatastore(...running)
    .when(change('job_2', removing(3)))
    .then(queued('job_2', removing(3)), admitted('job_2', removing(3)))
})

test('two changes sent back to back both are taken, and the second waits for its turn', () => {
  givenDatastore(...growing).when(change('job_3', removing(2))).then(queued('job_3', removing(2)))
  givenDatastore(...growing, queued('job_3', removing(2)))
    .when(end('job_2', 'finished', statesOf(1, 2, 3, 4)))
    .then(
      changed('job_2', adding(4), statesOf(1, 2, 3, 4)),
      ended('job_2', 'add-nodes', 'finished'),
      admitted('job_3', removing(2), { at: specOf(1, 2, 3, 4), known: statesOf(1, 2, 3, 4) }),
    )
})

test('a change may be asked for while the datastore is deployed, and is made when it is up', () => {
  givenDatastore(...deploying).when(change('job_2', adding(4))).then(queued('job_2', adding(4)))
  givenDatastore(...deploying, queued('job_2', adding(4)))
    .when(end('job_1', 'finished', nodes))
    .then(deployed, deployEnded, admitted('job_2', adding(4), { at: specOf(1, 2, 3, 4) }))
})

test('the same change under the same job id happens once, whatever has become of it', () => {
  const done = [...growing, changed('job_2', adding(4), statesOf(1, 2, 3, 4)), ended('job_2', 'add-nodes', 'finished')]
  for (const history of [growing, done, [...leaving, queued('job_2', adding(4)), dropped('job_2', 'add-nodes', 'x')]]) {
    givenDatastore(...history).when(change('job_2', adding(4))).thenNothing()
  }
})

test('what cannot be changed any more, or never could, refuses every change', () => {
  for (const [history, code] of [
    [unmade, 'datastore-not-running'],
    [leaving, 'datastore-not-running'],
    [gone, 'datastore-not-found'],
    [[], 'datastore-not-found'],
  ] as const) {
    givenDatastore(...history).when(change('job_2', adding(4))).thenRejected(code)
    givenDatastore(...history)
      .when({ type: 'ChangeSettings', data: { datastoreId, settings: { tags: [] }, now: noon } })
      .thenRejected(code)
  }
})

test('a node that is not there, and the primary, cannot be removed, and neither can all of them', () => {
  for (const [wanted, code] of [
    [removing(7), 'node-not-found'],
    [removing(2, 7), 'node-not-found'],
    [removing(1), 'node-is-primary'],
    [removing(1, 2, 3), 'no-node-left'],
    [adding(4, 5, 6), 'node-limit-reached'],
  ] as const) {
    givenDatastore(...running).when(change('job_2', wanted)).thenRejected(code)
  }
})

test('a change is held against the datastore as it will be once everything that is queued is done', () => {
  const both = [...growing, queued('job_3', removing(2))]
  givenDatastore(...both).when(change('job_4', removing(2))).thenRejected('node-not-found')
  givenDatastore(...both).when(change('job_4', removing(4))).then(queued('job_4', removing(4)))
  givenDatastore(...growing).when(change('job_3', adding(5, 6))).thenRejected('node-limit-reached')
  givenDatastore(...both).when(change('job_4', adding(5, 6))).then(queued('job_4', adding(5, 6)))
})

test('a primary that is to be relieved can be removed afterwards, and the one that is to relieve it cannot', () => {
  const relieved = [...growing, queued('job_3', promoting(2))]
  givenDatastore(...relieved).when(change('job_4', removing(1))).then(queued('job_4', removing(1)))
  givenDatastore(...relieved).when(change('job_4', removing(2))).thenRejected('node-is-primary')
})

test('a change that makes no sense any more when its turn comes is dropped, and the next one begins', () => {
  const waiting = [...growing, queued('job_3', removing(4)), queued('job_4', removing(3))]
  givenDatastore(...waiting)
    .when(end('job_2', 'failed', [], 'no room'))
    .then(
      abandoned('job_2', adding(4), 'no room'),
      ended('job_2', 'add-nodes', 'failed', 'no room'),
      ...neverBegun('job_3', removing(4), 'the datastore has no node nod_4'),
      admitted('job_4', removing(3)),
    )
})

test('a change that was undone leaves the datastore as it was', () => {
  const history = [...growing, abandoned('job_2', adding(4), 'no room'), ended('job_2', 'add-nodes', 'failed', 'no room')]
  const [before, after] = [fold(datastore, running), fold(datastore, history)]
  assert.ok(before.status !== 'absent' && after.status !== 'absent')
  assert.equal([after.status, after.spec, after.nodes, after.queue], [before.status, before.spec, before.nodes, before.queue])
})

test('a node that was removed is known no more, though the job that removed it knew it', () => {
  const shrinking = [...running, queued('job_2', removing(3)), admitted('job_2', removing(3))]
  const done = [changed('job_2', removing(3), statesOf(1, 2)), ended('job_2', 'remove-nodes', 'finished')]
  givenDatastore(...shrinking).when(end('job_2', 'finished', nodes)).then(...done)
  givenDatastore(...shrinking, ...done)
    .when(change('job_3', adding(4)))
    .then(queued('job_3', adding(4)), admitted('job_3', adding(4), { at: specOf(1, 2, 4), known: statesOf(1, 2) }))
})

test('a failed deployment drops the changes that wait for it', () =>
  givenDatastore(...deploying, queued('job_2', adding(4)), queued('job_3', removing(2)))
    .when(end('job_1', 'failed', [], 'no room'))
    .then(
      failed,
      ended('job_1', 'deploy-datastore', 'failed', 'no room'),
      ...neverBegun('job_2', adding(4), 'datastore clu_1 was never deployed'),
      ...neverBegun('job_3', removing(2), 'datastore clu_1 was never deployed'),
    ))

test('a deletion drops the changes that wait, and cancels the one at work', () => {
  const because = 'the datastore is to be deleted'
  const asked = [deletion, cancelling('job_2', because), plain('job_9', 'delete-datastore')]
  givenDatastore(...growing, queued('job_3', removing(2)))
    .when(remove)
    .then(deletion, ...neverBegun('job_3', removing(2), because), ...asked.slice(1))
  givenDatastore(...growing, ...asked)
    .when(end('job_2', 'cancelled', statesOf(1, 2, 3, 4), because))
    .then(
      abandoned('job_2', adding(4), because),
      ended('job_2', 'add-nodes', 'cancelled', because),
      begun('job_9', 'delete-datastore', nodes),
    )
})

test('a change that was past its return is in the deletion that waited for it', () => {
  const because = 'the datastore is to be deleted'
  const shrinking = [...running, queued('job_2', removing(3)), admitted('job_2', removing(3))]
  givenDatastore(...shrinking, deletion, cancelling('job_2', because), plain('job_9', 'delete-datastore'))
    .when(end('job_2', 'finished', nodes))
    .then(changed('job_2', removing(3), statesOf(1, 2)), ended('job_2', 'remove-nodes', 'finished'), {
      type: 'JobAdmitted',
      data: {
        ...about,
        jobId: 'job_9',
        kind: 'delete-datastore',
        input: { datastoreId, spec: specOf(1, 2), nodes: statesOf(1, 2) },
      },
    })
})

test('the job at work is asked to stop, and one that waits never begins', () => {
  const because = 'its owner wants it so'
  const waiting = [...growing, queued('job_3', removing(2))]
  givenDatastore(...waiting).when(stop('job_2')).then(cancelling('job_2', because))
  givenDatastore(...waiting).when(stop('job_3')).then(...neverBegun('job_3', removing(2), because))
})

test('a job that has ended cannot be stopped, and one that never was is not found', () => {
  const done = [...growing, changed('job_2', adding(4), statesOf(1, 2, 3, 4)), ended('job_2', 'add-nodes', 'finished')]
  givenDatastore(...done).when(stop('job_2')).thenNothing()
  givenDatastore(...done).when(stop('job_7')).thenRejected('job-not-found')
  givenDatastore().when(stop('job_2')).thenRejected('datastore-not-found')
})

test('settings are changed at once, whatever job is at work, and later jobs know them', () => {
  const settings = { name: sealed('bills'), maintenance: { dayOfWeek: 7, startHour: 2, endHour: 4 } }
  const event: DatastoreEvent = { type: 'SettingsChanged', data: { ...about, settings } }
  givenDatastore(...growing).when({ type: 'ChangeSettings', data: { datastoreId, settings, now: noon } }).then(event)
  givenDatastore(...running, event)
    .when(change('job_2', removing(3)))
    .then(queued('job_2', removing(3)), admitted('job_2', removing(3), { at: { ...spec, ...settings } }))
})

test.run()
