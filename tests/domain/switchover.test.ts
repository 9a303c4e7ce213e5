import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Change, changed } from '../../domain/datastore/changes/index.ts'
import type { DatastoreCommand, DatastoreEvent } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { givenDatastore } from '../support/given-datastore.ts'

const test = suite('a datastore whose nodes are promoted and rebooted')

const datastoreId = 'clu_1'
const about = { datastoreId, at: noon }
const spec = exampleSpec(3)
const nodes = exampleNodes(3)

const promoting = (number: number): Change => ({ kind: 'promote-replica', nodeId: `nod_${number}` })
const rebooting = (number: number): Change => ({ kind: 'reboot-node', nodeId: `nod_${number}` })
const removing = (number: number): Change => ({ kind: 'remove-nodes', nodeIds: [`nod_${number}`] })
const change = (jobId: string, wanted: Change): DatastoreCommand => ({
  type: 'ChangeDatastore',
  data: { datastoreId, jobId, change: wanted, now: noon },
})
const end = (jobId: string, how: 'finished' | 'failed', found: readonly NodeState[]): DatastoreCommand => ({
  type: 'RecordJobEnded',
  data: { datastoreId, jobId, end: how, because: how === 'failed' ? 'no luck' : null, nodes: found, now: noon },
})
const queued = (jobId: string, wanted: Change): DatastoreEvent => ({
  type: 'JobQueued',
  data: { ...about, jobId, kind: wanted.kind, change: wanted, ownerId: spec.ownerId },
})
const admitted = (jobId: string, wanted: Change, known = nodes): DatastoreEvent => ({
  type: 'JobAdmitted',
  data: { ...about, jobId, kind: wanted.kind, input: { datastoreId, spec, nodes: known, change: wanted } },
})

/** The nodes as they are when that one is the primary. */
const ledBy = (number: number): readonly NodeState[] =>
  nodes.map((node) => ({ ...node, role: node.nodeId === `nod_${number}` ? 'primary' : 'replica' }))

const running: readonly DatastoreEvent[] = [
  { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f1' } },
  { type: 'DatastoreDeployed', data: { ...about, nodes } },
]
const promotion = [...running, queued('job_2', promoting(2)), admitted('job_2', promoting(2))]

test('a replica is promoted and any node is rebooted, by a job each', () => {
  for (const wanted of [promoting(2), rebooting(1), rebooting(3)]) {
    givenDatastore(...running).when(change('job_2', wanted)).then(queued('job_2', wanted), admitted('job_2', wanted))
  }
})

test('the primary is not promoted, and an unknown node is neither promoted nor rebooted', () => {
  givenDatastore(...running).when(change('job_2', promoting(1))).thenRejected('node-is-primary')
  givenDatastore(...running).when(change('job_2', promoting(9))).thenRejected('node-not-found')
  givenDatastore(...running).when(change('job_2', rebooting(9))).thenRejected('node-not-found')
})

const ended = (jobId: string, how: 'finished' | 'failed'): DatastoreEvent => ({
  type: 'JobEnded',
  data: { ...about, jobId, kind: 'promote-replica', end: how, because: how === 'failed' ? 'no luck' : null },
})

test('a finished promotion has changed the roles and nothing else', () => {
  givenDatastore(...promotion)
    .when(end('job_2', 'finished', ledBy(2)))
    .then(
      { type: 'DatastoreChanged', data: { ...about, jobId: 'job_2', change: promoting(2), nodes: ledBy(2) } },
      ended('job_2', 'finished'),
    )
  assert.equal(changed({ spec, nodes }, promoting(2)), { spec, nodes: ledBy(2) })
  assert.equal(changed({ spec, nodes }, rebooting(2)), { spec, nodes })
})

test('what waits behind a promotion is held against the roles that it leads to', () => {
  givenDatastore(...promotion).when(change('job_3', removing(2))).thenRejected('node-is-primary')
  givenDatastore(...promotion).when(change('job_3', promoting(2))).thenRejected('node-is-primary')
  givenDatastore(...promotion).when(change('job_3', removing(1))).then(queued('job_3', removing(1)))
})

test('a promotion that came to nothing leaves the roles, and drops what needed them changed', () => {
  const wanted = removing(1)
  const because = 'node nod_1 is the primary; promote another one first'
  givenDatastore(...promotion, queued('job_3', wanted))
    .when(end('job_2', 'failed', nodes))
    .then(
      { type: 'ChangeAbandoned', data: { ...about, jobId: 'job_2', change: promoting(2), because: 'no luck' } },
      ended('job_2', 'failed'),
      { type: 'ChangeAbandoned', data: { ...about, jobId: 'job_3', change: wanted, because } },
      { type: 'JobDropped', data: { ...about, jobId: 'job_3', kind: wanted.kind, because } },
    )
})

test.run()
