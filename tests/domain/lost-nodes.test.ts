import { suite } from 'uvu'
import type { Change } from '../../domain/datastore/changes/index.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import { later } from '../../domain/kernel/time.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { givenDatastore } from '../support/given-datastore.ts'

const test = suite('a datastore whose nodes fall silent')

const datastoreId = 'clu_1'
const at = (seconds: number): string => later(noon, seconds * 1_000)

const runningWith = (size: number): readonly DatastoreEvent[] => [
  { type: 'DatastoreCreated', data: { datastoreId, at: noon, spec: exampleSpec(size), fingerprint: 'f' } },
  { type: 'DatastoreDeployed', data: { datastoreId, at: noon, nodes: exampleNodes(size) } },
]
const running = runningWith(3)
const fresh = { nodeId: 'nod_9', name: 'db-9' }

type Silence = { readonly nodeId?: string; readonly since?: number; readonly jobId?: string; readonly machineAnswers?: boolean }
const silent = (
  seconds: number,
  { nodeId = 'nod_2', since = 5, jobId = 'job_2', machineAnswers = false }: Silence = {},
): DatastoreCommand => ({
  type: 'ReportNodeSilent',
  data: { datastoreId, jobId, nodeId, since: at(since), machineAnswers, fresh, observedAt: at(seconds), now: at(seconds) },
})
const back = (seconds: number, nodeId = 'nod_2'): DatastoreCommand => ({
  type: 'ReportNodeBack', data: { datastoreId, jobId: 'job_2', nodeId, observedAt: at(seconds), now: at(seconds) },
})
const lost = (seconds: number, nodeId = 'nod_2', because = 'neither its server nor its machine answers'): DatastoreEvent => ({
  type: 'NodeLost', data: { datastoreId, at: at(seconds), nodeId, since: at(5), because },
})
const rejoining: Change = { kind: 'rejoin-node', nodeId: 'nod_2' }
const another = { ...fresh, zone: 'zone-2', instance: exampleSpec(1).instance }
const repairing: Change = { kind: 'repair-node', nodeId: 'nod_2', replacement: another }
const queued = (seconds: number, change: Change, jobId = 'job_2'): DatastoreEvent => ({
  type: 'JobQueued', data: { datastoreId, at: at(seconds), jobId, kind: change.kind, change, ownerId: 'own_1' },
})
const admitted = (seconds: number, change: Change, size = 3, jobId = 'job_2'): DatastoreEvent => {
  const spec = exampleSpec(size)
  const coming = change.kind === 'repair-node' && change.replacement !== null ? [change.replacement] : []
  const input = { datastoreId, spec: { ...spec, nodes: [...spec.nodes, ...coming] }, nodes: exampleNodes(size), change }
  return { type: 'JobAdmitted', data: { datastoreId, at: at(seconds), jobId, kind: change.kind, input } }
}
const begun = (seconds: number, change: Change, size = 3, jobId = 'job_2') =>
  [queued(seconds, change, jobId), admitted(seconds, change, size, jobId)]
const ended = (seconds: number, change: Change, end: JobEnd, jobId = 'job_2'): DatastoreEvent => ({
  type: 'JobEnded', data: { datastoreId, at: at(seconds), jobId, kind: change.kind, end, because: null },
})
const failing = (seconds: number, jobId: string) =>
  [...begun(seconds - 1, rejoining, 3, jobId), ended(seconds, rejoining, 'failed', jobId)]
const finish = (seconds: number, size = 3): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId, jobId: 'job_2', end: 'finished', because: null, nodes: exampleNodes(size), now: at(seconds) },
})
const recovered = (seconds: number, downMs: number, nodeId = 'nod_2'): DatastoreEvent => ({
  type: 'NodeRecovered', data: { datastoreId, at: at(seconds), nodeId, downMs },
})

test('a silent replica is told of, and brought back at once', () =>
  givenDatastore(...running).when(silent(10)).then(lost(10), ...begun(10, rejoining)))

test('it is told of once, and one job at it is enough', () => {
  givenDatastore(...running, lost(10), ...begun(10, rejoining)).when(silent(11, { jobId: 'job_3' })).thenNothing()
  givenDatastore(...running, lost(10), ...begun(10, rejoining)).when(silent(299, { jobId: 'job_3' })).thenNothing()
})

test('what came to nothing is tried again after a pause that doubles', () => {
  const failed = [...running, lost(10), ...failing(20, 'job_4')]
  givenDatastore(...failed).when(silent(79)).thenNothing()
  givenDatastore(...failed).when(silent(80)).then(...begun(80, rejoining))
  const twice = [...failed, ...failing(100, 'job_5')]
  givenDatastore(...twice).when(silent(219)).thenNothing()
  givenDatastore(...twice).when(silent(220)).then(...begun(220, rejoining))
})

test('one that is silent for too long is replaced: another comes, then it goes', () =>
  givenDatastore(...running, lost(10), ...failing(290, 'job_4')).when(silent(305)).then(...begun(305, repairing)))

test('a replacement has a name and an id that no node has', () => {
  const late = [...running, lost(10)]
  givenDatastore(...late).when(silent(305)).then(...begun(305, repairing))
  const taken: DatastoreCommand = {
    type: 'ReportNodeSilent',
    data: {
      datastoreId, jobId: 'job_2', nodeId: 'nod_2', since: at(5), machineAnswers: false,
      fresh: { nodeId: 'nod_9', name: 'db-3' }, observedAt: at(305), now: at(305),
    },
  }
  givenDatastore(...late).when(taken).thenNothing()
})

test('a node whose machine is back is made a replica again', () => {
  givenDatastore(...running).when(back(10)).then(...begun(10, rejoining))
  givenDatastore(...running).when(back(10, 'nod_1')).thenNothing()
  givenDatastore(...running).when(back(10, 'nod_7')).thenNothing()
})

test('it goes to the front of what waits', () => {
  const adding: Change = { kind: 'add-nodes', nodes: exampleSpec(4).nodes.slice(3), nodesMax: 5 }
  const rebooting: Change = { kind: 'reboot-node', nodeId: 'nod_3' }
  const busy = [...running, queued(1, rebooting, 'job_4'), admitted(1, rebooting, 3, 'job_4'), queued(2, adding, 'job_5')]
  givenDatastore(...busy).when(back(10)).then(queued(10, rejoining))
  const done: DatastoreCommand = {
    type: 'RecordJobEnded',
    data: { datastoreId, jobId: 'job_4', end: 'finished', because: null, nodes: exampleNodes(3), now: at(12) },
  }
  givenDatastore(...busy, queued(10, rejoining)).when(done).then(
    { type: 'DatastoreChanged', data: { datastoreId, at: at(12), jobId: 'job_4', change: rebooting, nodes: exampleNodes(3) } },
    { type: 'JobEnded', data: { datastoreId, at: at(12), jobId: 'job_4', kind: 'reboot-node', end: 'finished', because: null } },
    admitted(12, rejoining),
  )
})

test('a replica that is apart while a job leads it to another primary is left to that job', () => {
  const promoting: Change = { kind: 'promote-replica', nodeId: 'nod_3' }
  const moving = [...running, ...begun(1, promoting, 3, 'job_4')]
  givenDatastore(...moving).when(back(10)).thenNothing()
  const moved = [...moving, ended(12, promoting, 'finished', 'job_4')]
  givenDatastore(...moved).when(back(12)).thenNothing()
  givenDatastore(...moved).when(back(13)).then(...begun(13, rejoining))
})

test('a node that does its part again is told of, and for how long it did not', () =>
  givenDatastore(...running, lost(10), ...begun(10, rejoining)).when(finish(25)).then(
    { type: 'DatastoreChanged', data: { datastoreId, at: at(25), jobId: 'job_2', change: rejoining, nodes: exampleNodes(3) } },
    recovered(25, 20_000),
    ended(25, rejoining, 'finished'),
  ))

test('the only node that there is is started where it is', () => {
  const restart: Change = { kind: 'repair-node', nodeId: 'nod_1', replacement: null }
  const why = 'its server does not answer, its machine does'
  givenDatastore(...runningWith(1)).when(silent(10, { nodeId: 'nod_1', machineAnswers: true }))
    .then(lost(10, 'nod_1', why), ...begun(10, restart, 1))
})

test('the machine of a silent primary is booted, however long it is silent, for only a failover gives its place to another', () =>
  givenDatastore(...running).when(silent(400, { nodeId: 'nod_1' })).then(
    lost(400, 'nod_1'), ...begun(400, { kind: 'rejoin-node', nodeId: 'nod_1' }),
  ))

test('nothing is done about nodes of a datastore that is stopped, or is being stopped', () => {
  const stop: Change = { kind: 'stop-datastore' }
  const stopping = [...running, queued(1, stop, 'job_4'), admitted(1, stop, 3, 'job_4')]
  for (const command of [silent(10), back(10)]) givenDatastore(...stopping).when(command).thenNothing()
})

test('a server that was started again is told of once', () => {
  const seen = { nodeId: 'nod_2', role: 'replica', downSince: at(5), backAt: at(8) } as const
  const restarted: DatastoreCommand = { type: 'RecordServerRestart', data: { datastoreId, ...seen, now: at(9) } }
  const told: DatastoreEvent = { type: 'ServerRestarted', data: { datastoreId, at: at(9), ...seen } }
  givenDatastore(...running).when(restarted).then(told)
  givenDatastore(...running, told).when(restarted).thenNothing()
  givenDatastore(...running, lost(6)).when(restarted).then(told, recovered(9, 3_000))
})

test('a machine that stays silent is replaced although a job still tries to bring it back', () => {
  const because = 'the machine is silent for too long, and is to be replaced'
  const silenced = [...running, lost(10), ...begun(10, rejoining)]
  const stopping: DatastoreEvent = { type: 'JobCancellationAsked', data: { datastoreId, at: at(305), jobId: 'job_2', because } }
  givenDatastore(...silenced).when(silent(305, { jobId: 'job_3' })).then(stopping)
  givenDatastore(...silenced, stopping).when(silent(320, { jobId: 'job_3' })).thenNothing()
  givenDatastore(...silenced).when(silent(305, { jobId: 'job_3', machineAnswers: true })).thenNothing()
  const cancelled = [...silenced, stopping, ended(330, rejoining, 'cancelled')]
  givenDatastore(...cancelled).when(silent(335, { jobId: 'job_5' })).then(...begun(335, repairing, 3, 'job_5'))
})

const well = (seconds: number, nodeId = 'nod_2', jobId = 'job_9'): DatastoreCommand => ({
  type: 'ReportNodeWell', data: { datastoreId, jobId, nodeId, observedAt: at(seconds), now: at(seconds) },
})

test('a node that comes back by itself is told of, whatever became of the job at it', () => {
  const silenced = [...running, lost(10), ...begun(10, rejoining)]
  givenDatastore(...silenced).when(well(25)).then(recovered(25, 20_000))
  givenDatastore(...silenced, recovered(25, 20_000)).when(well(30)).thenNothing()
  givenDatastore(...silenced).when(well(5)).thenNothing()
  givenDatastore(...silenced, recovered(25, 20_000)).when(finish(30))
    .then(
      { type: 'DatastoreChanged', data: { datastoreId, at: at(30), jobId: 'job_2', change: rejoining, nodes: exampleNodes(3) } },
      ended(30, rejoining, 'finished'),
    )
})

test('where the job at it came to nothing, another one sees to the rest', () => {
  const failed = [...running, lost(10), ...failing(20, 'job_4')]
  givenDatastore(...failed).when(well(90)).then(recovered(90, 85_000), ...begun(90, rejoining, 3, 'job_9'))
})

test('an only node that comes back is told of', () =>
  givenDatastore(...runningWith(1), lost(10, 'nod_1')).when(well(30, 'nod_1')).then(recovered(30, 25_000, 'nod_1')))

test('that a node which was not lost, or is none of them, does its part says nothing', () => {
  for (const nodeId of ['nod_1', 'nod_2', 'nod_8']) givenDatastore(...running).when(well(30, nodeId)).thenNothing()
})

test.run()
