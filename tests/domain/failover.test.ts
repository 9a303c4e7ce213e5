import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change } from '../../domain/datastore/changes/index.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd, JobKind } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec, NodeState } from '../../domain/datastore/spec.ts'
import { highAvailabilityOf } from '../../domain/datastore/high-availability.ts'
import { heldBack } from '../../domain/failover/flap.ts'
import { lostBytesMax } from '../../domain/failover/loss.ts'
import type { FailoverLearnt } from '../../domain/job/saga.ts'
import { later } from '../../domain/kernel/time.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { givenDatastore } from '../support/given-datastore.ts'

const test = suite('a datastore whose primary is lost')

const datastoreId = 'clu_1'
const at = (seconds: number): string => later(noon, seconds * 1_000)
const spec = exampleSpec(3)
const nodes = exampleNodes(3)
const led = (primary: string, all: readonly NodeState[] = nodes): readonly NodeState[] =>
  all.map((node) => ({ ...node, role: node.nodeId === primary ? 'primary' : 'replica' }))

const created: DatastoreEvent = { type: 'DatastoreCreated', data: { datastoreId, at: noon, spec, fingerprint: 'f' } }
const queued = (jobId: string, kind: JobKind, seconds: number, change?: Change): DatastoreEvent => ({
  type: 'JobQueued',
  data: { datastoreId, at: at(seconds), jobId, kind, ...(change === undefined ? {} : { change }), ownerId: spec.ownerId },
})
type Known = { readonly planned?: DatastoreSpec; readonly known?: readonly NodeState[] }
const admitted = (jobId: string, seconds: number, change: Change, how: Known = {}): DatastoreEvent => {
  const input = { datastoreId, spec: how.planned ?? spec, nodes: how.known ?? nodes, change }
  return { type: 'JobAdmitted', data: { datastoreId, at: at(seconds), jobId, kind: change.kind, input } }
}
const ended = (jobId: string, kind: JobKind, seconds: number, end: JobEnd, because: string | null = null): DatastoreEvent => ({
  type: 'JobEnded', data: { datastoreId, at: at(seconds), jobId, kind, end, because },
})
const changed = (jobId: string, change: Change, seconds: number, found: readonly NodeState[]): DatastoreEvent => ({
  type: 'DatastoreChanged', data: { datastoreId, at: at(seconds), jobId, change, nodes: found },
})
const abandoned = (jobId: string, change: Change, seconds: number, because: string): DatastoreEvent => ({
  type: 'ChangeAbandoned', data: { datastoreId, at: at(seconds), jobId, change, because },
})
const running: readonly DatastoreEvent[] = [
  created,
  queued('job_1', 'deploy-datastore', 0),
  {
    type: 'JobAdmitted',
    data: { datastoreId, at: noon, jobId: 'job_1', kind: 'deploy-datastore', input: { datastoreId, spec, nodes: [] } },
  },
  { type: 'DatastoreDeployed', data: { datastoreId, at: noon, nodes } },
  ended('job_1', 'deploy-datastore', 0, 'finished'),
]

type Report = { readonly primaryId?: string; readonly epoch?: number; readonly observedAt?: string }
const report = (
  jobId: string,
  seconds: number,
  { primaryId = 'nod_1', epoch = 1, observedAt }: Report = {},
): DatastoreCommand => ({
  type: 'ReportPrimaryUnreachable',
  data: {
    datastoreId, jobId, primaryId, epoch, because: 'it does not answer', positionBytes: 5_000,
    lastSeenAt: at(seconds - 2), observedAt: observedAt ?? at(seconds), now: at(seconds),
  },
})
const failOver = (seconds: number, lostId = 'nod_1'): Change => ({
  kind: 'fail-over', lostId, because: 'it does not answer', lastKnownBytes: 5_000,
  lastSeenAt: at(seconds - 2), observedAt: at(seconds),
})
const begun = (jobId: string, seconds: number, lostId = 'nod_1', how: Known = {}): readonly DatastoreEvent[] => [
  queued(jobId, 'fail-over', seconds, failOver(seconds, lostId)),
  admitted(jobId, seconds, failOver(seconds, lostId), { known: led(lostId), ...how }),
]
const learnt: FailoverLearnt = {
  fencedBy: 'server-stopped', elected: 'nod_2', positions: { nod_2: 4_900, nod_3: 4_000 }, writesBackAt: at(12),
}
const end = (jobId: string, seconds: number, how: JobEnd, failover?: FailoverLearnt, found = nodes): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: {
    datastoreId, jobId, end: how, because: how === 'finished' ? null : 'no luck', nodes: found,
    ...(failover === undefined ? {} : { failover }), now: at(seconds),
  },
})
const primaryChanged = (jobId: string, seconds: number, epoch: number, more: object = {}): DatastoreEvent => ({
  type: 'PrimaryChanged',
  data: {
    datastoreId, at: at(seconds), jobId, epoch, formerId: 'nod_1', primaryId: 'nod_2', lostBytesMax: 100,
    fencedBy: 'server-stopped', lastSeenAt: at(8), because: 'it does not answer', writesBackAt: at(12), ...more,
  },
})
const over = [...running, ...begun('job_2', 10)]
const done = [
  ...over, changed('job_2', failOver(10), 13, led('nod_2')),
  primaryChanged('job_2', 13, 2), ended('job_2', 'fail-over', 13, 'finished'),
]
const adding: Change = { kind: 'add-nodes', nodes: exampleSpec(4).nodes.slice(3), nodesMax: 5 }
const promoting: Change = { kind: 'promote-replica', nodeId: 'nod_2' }
const cancelling = (jobId: string, seconds: number, because: string): DatastoreEvent => ({
  type: 'JobCancellationAsked', data: { datastoreId, at: at(seconds), jobId, because },
})
const isLost = 'the primary is lost: it does not answer'

test('a failover begins at once, in the next epoch', () =>
  givenDatastore(...running).when(report('job_2', 10)).then(...begun('job_2', 10)))

test('it does not wait for the job at work, which is asked to stop', () => {
  const growing = [...running, queued('job_5', 'add-nodes', 1, adding), admitted('job_5', 1, adding, { planned: exampleSpec(4) })]
  givenDatastore(...growing).when(report('job_2', 10)).then(...begun('job_2', 10), cancelling('job_5', 10, isLost))
})

test('a failover changes the primary, and says what it cost', () =>
  givenDatastore(...over).when(end('job_2', 13, 'finished', learnt)).then(
    changed('job_2', failOver(10), 13, led('nod_2')),
    primaryChanged('job_2', 13, 2), ended('job_2', 'fail-over', 13, 'finished'),
  ))

test('the same report, one of another node, and one of before change nothing', () => {
  givenDatastore(...over).when(report('job_2', 10)).thenNothing()
  givenDatastore(...over).when(report('job_3', 11)).thenNothing()
  givenDatastore(...running).when(report('job_2', 10, { primaryId: 'nod_2' })).thenNothing()
  givenDatastore(...running).when(report('job_2', 200, { observedAt: at(10) })).thenNothing()
  givenDatastore(...done).when(report('job_3', 14)).thenNothing()
  givenDatastore(...done).when(report('job_3', 14, { primaryId: 'nod_2', epoch: 2, observedAt: at(12) })).thenNothing()
})

test('nothing takes the place of the only node, of one that is stopped, or of one that is to go', () => {
  const alone: DatastoreEvent = { type: 'DatastoreDeployed', data: { datastoreId, at: noon, nodes: nodes.slice(0, 1) } }
  const stop: Change = { kind: 'stop-datastore' }
  const stopping = [...running, queued('job_5', stop.kind, 1, stop), admitted('job_5', 1, stop)]
  const stopped = [...stopping, changed('job_5', stop, 2, nodes), ended('job_5', stop.kind, 2, 'finished')]
  const going: DatastoreEvent = { type: 'DeletionStarted', data: { datastoreId, at: noon } }
  for (const history of [[...running, alone], stopping, stopped, [...running, going]]) {
    givenDatastore(...history).when(report('job_2', 10)).thenNothing()
  }
})

test('while a failover is at work nothing else is admitted, and what waits begins after it', () => {
  const change: DatastoreCommand = { type: 'ChangeDatastore', data: { datastoreId, jobId: 'job_5', change: adding, now: at(11) } }
  givenDatastore(...over).when(change).then(queued('job_5', 'add-nodes', 11, adding))
  givenDatastore(...over, queued('job_5', 'add-nodes', 11, adding)).when(end('job_2', 13, 'finished', learnt)).then(
    changed('job_2', failOver(10), 13, led('nod_2')),
    primaryChanged('job_2', 13, 2), ended('job_2', 'fail-over', 13, 'finished'),
    admitted('job_5', 13, adding, { planned: exampleSpec(4), known: led('nod_2') }),
  )
})

test('a node that a switchover at work has promoted may be the lost one', () => {
  const switching = [...running, queued('job_5', 'promote-replica', 1, promoting), admitted('job_5', 1, promoting)]
  givenDatastore(...switching).when(report('job_2', 10, { primaryId: 'nod_2', epoch: 2 }))
    .then(...begun('job_2', 10, 'nod_2'), cancelling('job_5', 10, isLost))
  givenDatastore(...switching).when(report('job_2', 10, { primaryId: 'nod_2', epoch: 1 })).thenNothing()
})

test('a job that ends after the failover leaves the roles as they are', () => {
  const switching = [...running, queued('job_5', 'promote-replica', 1, promoting), admitted('job_5', 1, promoting)]
  const late = [
    ...switching, ...begun('job_2', 10), changed('job_2', failOver(10), 13, led('nod_3')),
    primaryChanged('job_2', 13, 3, { primaryId: 'nod_3' }), ended('job_2', 'fail-over', 13, 'finished'),
  ]
  givenDatastore(...late).when(end('job_5', 20, 'finished', undefined, led('nod_2')))
    .then(changed('job_5', promoting, 20, led('nod_3')), ended('job_5', 'promote-replica', 20, 'finished'))
})

test('a failover that finds nobody unwinds, and another one begins after a pause that grows', () => {
  const failed = [...over, abandoned('job_2', failOver(10), 20, 'no luck'), ended('job_2', 'fail-over', 20, 'failed', 'no luck')]
  givenDatastore(...over).when(end('job_2', 20, 'failed')).then(...failed.slice(over.length))
  givenDatastore(...failed).when(report('job_3', 22)).thenNothing()
  givenDatastore(...failed).when(report('job_3', 25)).then(...begun('job_3', 25))
  const twice = [
    ...failed, ...begun('job_3', 25),
    abandoned('job_3', failOver(25), 30, 'no luck'), ended('job_3', 'fail-over', 30, 'failed', 'no luck'),
  ]
  givenDatastore(...twice).when(report('job_4', 38)).thenNothing()
  givenDatastore(...twice).when(report('job_4', 40)).then(...begun('job_4', 40))
})

const futile = 'it can lead to nothing any more: it does not answer'
const givenUp = (jobId: string, change: Change, seconds: number): readonly DatastoreEvent[] => [
  { type: 'JobAbandonmentAsked', data: { datastoreId, at: at(seconds), jobId, because: futile } },
  abandoned(jobId, change, seconds, futile),
  ended(jobId, 'fail-over', seconds, 'failed', futile),
]

/** As far as it is known of a failover to whose end nobody waited. */
const takenOver = (jobId: string, seconds: number): DatastoreEvent => ({
  type: 'PrimaryChanged',
  data: {
    datastoreId, at: at(seconds), jobId, epoch: 2, formerId: 'nod_1', primaryId: 'nod_2', lostBytesMax: null,
    lastSeenAt: at(8), because: 'it does not answer', writesBackAt: at(seconds - 2),
  },
})

test('a failover whose new primary is lost as well gives way to another, which knows it for the primary', () =>
  givenDatastore(...over).when(report('job_3', 15, { primaryId: 'nod_2', epoch: 2 }))
    .then(takenOver('job_2', 15), ...givenUp('job_2', failOver(10), 15), ...begun('job_3', 15, 'nod_2')))

test('a primary whose failover gave way is named once it is well, if no other takes its place', () => {
  const lost = [
    ...over, takenOver('job_2', 15), ...givenUp('job_2', failOver(10), 15), ...begun('job_3', 15, 'nod_2'),
    abandoned('job_3', failOver(15, 'nod_2'), 20, 'no luck'), ended('job_3', 'fail-over', 20, 'failed', 'no luck'),
  ]
  const well: DatastoreCommand = {
    type: 'ReportNodeWell', data: { datastoreId, jobId: 'job_4', nodeId: 'nod_2', observedAt: at(25), now: at(25) },
  }
  const rejoining: Change = { kind: 'rejoin-node', nodeId: 'nod_2' }
  givenDatastore(...lost).when(well).then(
    { type: 'PrimaryRecovered', data: { datastoreId, at: at(25), primaryId: 'nod_2', lastSeenAt: at(13) } },
    queued('job_4', 'rejoin-node', 25, rejoining), admitted('job_4', 25, rejoining, { known: led('nod_2') }),
  )
})

test('a failover that gets nowhere gives way to another', () => {
  givenDatastore(...over).when(report('job_3', 100, { epoch: 2 })).thenNothing()
  givenDatastore(...over).when(report('job_3', 200, { epoch: 2 }))
    .then(...givenUp('job_2', failOver(10), 200), ...begun('job_3', 200))
})

test('the end of a failover that was given up changes nothing', () =>
  givenDatastore(...over, ...givenUp('job_2', failOver(10), 15), ...begun('job_3', 15, 'nod_2'))
    .when(end('job_2', 16, 'failed')).thenNothing())

/** So many failovers, one every 100 s; the last one is over at 105, 205, ... */
const flapping = (count: number): readonly DatastoreEvent[] =>
  Array.from({ length: count }, (_, n) => n + 1).reduce<readonly DatastoreEvent[]>((history, n) => {
    const [former, next] = n % 2 === 1 ? ['nod_1', 'nod_2'] : ['nod_2', 'nod_1']
    const more = { formerId: former, primaryId: next }
    const jobId = `job_1${n}`
    const [began, over] = [n * 100, n * 100 + 5]
    return [
      ...history, ...begun(jobId, began, former),
      primaryChanged(jobId, over, n + 1, more), ended(jobId, 'fail-over', over, 'finished'),
    ]
  }, running)
const held = (seconds: number, primaryId: string, until: number, count: number): DatastoreEvent => ({
  type: 'FailoverHeldBack',
  data: {
    datastoreId, at: at(seconds), primaryId, lastSeenAt: at(seconds - 2), until: at(until),
    because: `it has failed over ${count === 1 ? 'once' : `${count} times`} within an hour`,
  },
})

test('a datastore that fails over again and again is held back for half a minute, and says so once', () => {
  const again = (seconds: number) => report('job_9', seconds, { primaryId: 'nod_2', epoch: 4 })
  const hold = held(310, 'nod_2', 335, 3)
  givenDatastore(...flapping(3)).when(again(310)).then(hold)
  givenDatastore(...flapping(3), hold).when(again(315)).thenNothing()
  givenDatastore(...flapping(3), hold).when(again(335)).then(...begun('job_9', 335, 'nod_2'))
  givenDatastore(...flapping(3)).when(again(400)).then(...begun('job_9', 400, 'nod_2'))
})

test('a primary that answers again is told of, and lost anew it is held back anew', () => {
  const again = (seconds: number) => report('job_9', seconds, { primaryId: 'nod_2', epoch: 4 })
  const well = (seconds: number): DatastoreCommand => ({
    type: 'ReportNodeWell', data: { datastoreId, jobId: 'job_8', nodeId: 'nod_2', observedAt: at(seconds), now: at(seconds) },
  })
  const back: DatastoreEvent = {
    type: 'PrimaryRecovered', data: { datastoreId, at: at(320), primaryId: 'nod_2', lastSeenAt: at(308) },
  }
  const hold = held(310, 'nod_2', 335, 3)
  givenDatastore(...flapping(3)).when(well(320)).thenNothing()
  givenDatastore(...flapping(3), hold).when(well(320)).then(back)
  givenDatastore(...flapping(3), hold).when(well(308)).thenNothing()
  givenDatastore(...flapping(3), hold, back).when(well(321)).thenNothing()
  givenDatastore(...flapping(3), hold, back).when(again(325)).then(held(325, 'nod_2', 335, 3))
})

test('a primary that is lost again right after a failover came to nothing waits for the next attempt, and says so', () => {
  const failed = [...over, abandoned('job_2', failOver(10), 20, 'no luck'), ended('job_2', 'fail-over', 20, 'failed', 'no luck')]
  const back: DatastoreEvent = {
    type: 'PrimaryRecovered', data: { datastoreId, at: at(21), primaryId: 'nod_1', lastSeenAt: at(8) },
  }
  const because = 'no replica could take its place just before'
  const hold: DatastoreEvent = {
    type: 'FailoverHeldBack',
    data: { datastoreId, at: at(23), primaryId: 'nod_1', lastSeenAt: at(21), until: at(25), because },
  }
  givenDatastore(...failed, back).when(report('job_3', 23)).then(hold)
  givenDatastore(...failed, back, hold).when(report('job_3', 24)).thenNothing()
  givenDatastore(...failed, back, hold).when(report('job_3', 25)).then(...begun('job_3', 25))
})

test('each failover more doubles the wait, up to ten minutes', () => {
  const waits = [4, 5, 6, 7, 8, 9].map((count) => {
    const failovers = Array.from({ length: count }, (_, n) => at(n * 300))
    const hold = heldBack(failovers, 3, at((count - 1) * 300 + 1))
    return [hold?.count, hold && (Date.parse(hold.until) - Date.parse(failovers.at(-1) ?? '')) / 1_000]
  })
  assert.equal(waits, [[4, 60], [5, 120], [6, 240], [7, 480], [8, 600], [9, 600]])
})

test('failovers of more than an hour before the last one count no longer', () => {
  const failovers = [0, 10, 20, 3_610].map(at)
  assert.is(heldBack(failovers, 3, at(3_611)), undefined)
  assert.equal(heldBack([...failovers, at(3_615)], 3, at(3_616)), { until: at(3_645), count: 3 })
})

test('how many go without a wait is the tenant\'s choice, of which he may make another during a hold', () => {
  const choice = (failoversPerHourMax: number): DatastoreEvent => {
    const highAvailability = { prefer: 'consistency', repairAfterSeconds: 300, lagMaxBytes: 1, failoversPerHourMax } as const
    return { type: 'SettingsChanged', data: { datastoreId, at: noon, settings: { highAvailability } } }
  }
  const again = (seconds: number) => report('job_9', seconds, { primaryId: 'nod_2', epoch: 2 })
  const hold = held(110, 'nod_2', 135, 1)
  givenDatastore(...flapping(1)).when(again(110)).then(...begun('job_9', 110, 'nod_2'))
  const planned = { ...spec, highAvailability: { ...highAvailabilityOf({}), lagMaxBytes: 1, failoversPerHourMax: 2 } }
  givenDatastore(...flapping(1), choice(1)).when(again(110)).then(hold)
  givenDatastore(...flapping(1), choice(1), hold, choice(2)).when(again(111)).then(...begun('job_9', 111, 'nod_2', { planned }))
})

test('a datastore can be deleted while it fails over, and goes once that is over', () => {
  const remove: DatastoreCommand = { type: 'DeleteDatastore', data: { datastoreId, jobId: 'job_9', now: at(11) } }
  const because = 'the datastore is to be deleted'
  const going: readonly DatastoreEvent[] = [
    { type: 'DeletionStarted', data: { datastoreId, at: at(11) } },
    cancelling('job_2', 11, because),
    queued('job_9', 'delete-datastore', 11),
  ]
  givenDatastore(...over).when(remove).then(...going)
  const goes = (seconds: number, known = nodes): DatastoreEvent => ({
    type: 'JobAdmitted',
    data: { datastoreId, at: at(seconds), jobId: 'job_9', kind: 'delete-datastore', input: { datastoreId, spec, nodes: known } },
  })
  givenDatastore(...over, ...going).when(end('job_2', 14, 'cancelled'))
    .then(abandoned('job_2', failOver(10), 14, 'no luck'), ended('job_2', 'fail-over', 14, 'cancelled', 'no luck'), goes(14))
  givenDatastore(...over, ...going).when(report('job_3', 15, { primaryId: 'nod_2', epoch: 2 }))
    .then(takenOver('job_2', 15), ...givenUp('job_2', failOver(10), 15), goes(15, led('nod_2')))
})

test('a failover is neither asked for, nor stopped, nor tried again by anybody', () => {
  const data = { datastoreId, jobId: 'job_5', change: failOver(1), now: noon }
  const change: DatastoreCommand = { type: 'ChangeDatastore', data }
  givenDatastore(...running).when(change).thenRejected('node-is-primary')
  givenDatastore(...over).when({ type: 'StopJob', data: { datastoreId, jobId: 'job_2', because: 'x', now: noon } })
    .thenRejected('job-must-be-done')
  const failed = [...over, ended('job_2', 'fail-over', 20, 'failed', 'no luck')]
  const again = { datastoreId, jobId: 'job_5', retried: 'job_2', fresh: [], now: noon }
  givenDatastore(...failed).when({ type: 'RetryJob', data: again }).thenRejected('job-not-retriable')
})

test('what is lost is computed from what was recorded', () => {
  const replicas = ['nod_2', 'nod_3']
  const asynchronous = { lastKnownBytes: 5_000, synchronous: false, replicas }
  assert.is(lostBytesMax(learnt, asynchronous), 100)
  assert.is(lostBytesMax({ ...learnt, positions: { nod_2: 6_000 } }, asynchronous), 0)
  assert.is(lostBytesMax(learnt, { ...asynchronous, lastKnownBytes: null }), null)
  assert.is(lostBytesMax(learnt, { ...asynchronous, synchronous: true }), 0)
  const unseen = { ...learnt, positions: { nod_2: 4_900 } }
  assert.is(lostBytesMax(unseen, { ...asynchronous, synchronous: true }), 100, 'one was not seen')
})

test.run()
