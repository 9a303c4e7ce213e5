import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change } from '../../domain/datastore/changes/index.ts'
import type { DatastoreEvent, Settings } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import { datastores } from '../../projections/datastores.ts'
import { nodes } from '../../projections/nodes.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('the datastores and their nodes, as they are read')

const datastoreId = 'clu_1'
const about = { datastoreId, at: noon }
const evening = { datastoreId, at: '2030-01-01T18:00:00.000Z' }
const created: DatastoreEvent = { type: 'DatastoreCreated', data: { ...about, spec: exampleSpec(2), fingerprint: 'f' } }
const deployed: DatastoreEvent = { type: 'DatastoreDeployed', data: { ...evening, nodes: exampleNodes(2) } }
const failed: DatastoreEvent = { type: 'DeploymentFailed', data: { ...evening, because: 'no room' } }
const deletion: DatastoreEvent = { type: 'DeletionStarted', data: evening }
const abandoned: DatastoreEvent = { type: 'DeletionAbandoned', data: { ...evening, because: 'a name stayed' } }
const deleted: DatastoreEvent = { type: 'DatastoreDeleted', data: evening }
const succeeded = (key: string, result: object): JobEvent => ({
  type: 'StepSucceeded',
  data: { ...about, jobId: 'job_1', step: 's', key, attempt: 1, course: 'forward', result, progressPercent: 5 },
})

const adding = { kind: 'add-nodes', nodes: exampleSpec(4).nodes.slice(2), nodesMax: 5 } as const
const removing = { kind: 'remove-nodes', nodeIds: ['nod_2'] } as const
const job = { ...evening, jobId: 'job_2' }
const begun = (change: Change): DatastoreEvent => {
  const input = { datastoreId, spec: exampleSpec(2), nodes: exampleNodes(2), change }
  return { type: 'JobAdmitted', data: { ...job, kind: change.kind, input } }
}
const changed = (change: Change, found: readonly NodeState[]): DatastoreEvent => ({
  type: 'DatastoreChanged',
  data: { ...job, change, nodes: found },
})
const givenUp = (change: Change): DatastoreEvent => ({ type: 'ChangeAbandoned', data: { ...job, change, because: 'no room' } })

const streamOf = ({ type }: { readonly type: string }) => (type === 'StepSucceeded' ? 'job-job_1' : 'datastore-clu_1')
type Events = readonly (DatastoreEvent | JobEvent)[]
const log = (...events: Events) => recorded(streamOf, events)
const row = (...events: Events) => rowsAfter(datastores, log(...events)).get(datastoreId)
const nodesRow = (...events: Events) => rowsAfter(nodes, log(...events)).get(datastoreId)
const nodeIds = (...events: Events) => nodesRow(...events)?.nodes.map(({ node_id }) => node_id)
const status = (...events: readonly DatastoreEvent[]) => row(...events)?.status

test('a datastore can be read as soon as it is created', () => {
  assert.equal(row(created), {
    datastore_id: 'clu_1',
    owner_id: 'own_1',
    name: sealed('orders'),
    status: 'DEPLOYING',
    status_reason: null,
    stopped: false,
    deployed: false,
    vendor: 'vendor-a',
    version: '2',
    type: 'replication',
    cloud: 'cloud-a',
    region: 'region-a',
    instance_size: 'tiny',
    volume_type: 'fast',
    volume_size_gib: 10,
    volume_iops: null,
    network_type: 'public',
    high_availability: true,
    size: 2,
    port: 5432,
    primary_host: 'clu_1.ccx.test',
    replica_host: 'replica.clu_1.ccx.test',
    db_username: 'ccxadmin',
    db_database: 'ccxdb',
    parameter_group_id: null,
    tags: [],
    trusted: [],
    places: [{ node_id: 'nod_1', zone: 'zone-1' }, { node_id: 'nod_2', zone: 'zone-2' }],
    notifications: { enabled: false, emails: [] },
    maintenance: { day_of_week: 1, start_hour: 0, end_hour: 2 },
    targets: [],
    read_only_because: null,
    autoscale: null,
    upgrade_in_window: null,
    availability: {
      synchronous: false, prefer: 'consistency', repair_after_seconds: 300, lag_max_bytes: 16_777_216, max_failovers_per_hour: 3,
    },
    health: { synchronous: false, nodes: [], lost: [], failing: null, away: null },
    created_at: noon,
    updated_at: noon,
  })
})

test('a deployed datastore has started', () => {
  assert.is(status(created, deployed), 'STARTED')
  assert.is(row(created, deployed)?.deployed, true)
  assert.is(row(created, deployed)?.updated_at, evening.at)
  assert.is(row(created, deployed)?.created_at, noon)
})

test('a failed deployment says why', () => {
  assert.is(status(created, failed), 'DEPLOY_FAILED')
  assert.is(row(created, failed)?.status_reason, 'no room')
})

test('a datastore that is being deleted stays so, whatever becomes of its deployment', () => {
  assert.is(status(created, deletion, failed), 'DELETING')
  assert.is(status(created, deletion, deployed), 'DELETING')
})

test('an abandoned deletion leaves the datastore as it was', () => {
  assert.is(status(created, deployed, deletion, abandoned), 'STARTED')
  assert.is(status(created, failed, deletion, abandoned), 'DEPLOY_FAILED')
})

test('a deleted datastore has no row, and neither have its nodes', () => {
  assert.is(row(created, deployed, deletion, deleted), undefined)
  assert.is(nodesRow(created, deployed, deletion, deleted), undefined)
})

test('nodes are known as planned, then as they come up', () => {
  const [first] = nodesRow(created)?.nodes ?? []
  assert.equal(first, {
    node_id: 'nod_1',
    hostname: 'db-1.clu_1.ccx.test',
    zone: 'zone-1',
    instance_size: 'tiny',
    role: null,
    private_ip: null,
    public_ip: null,
    condition: 'well',
    created_at: noon,
  })
  const coming = nodesRow(
    created,
    succeeded('nod_2', { privateAddress: '10.0.0.9' }),
    succeeded('nod_2', { publicAddress: '203.0.113.9' }),
    succeeded('nod_1', { roles: { nod_1: 'primary' } }),
  )
  assert.is(coming?.running, false)
  assert.equal(coming?.nodes.map(({ role, private_ip, public_ip }) => [role, private_ip, public_ip]), [
    ['primary', null, null],
    [null, '10.0.0.9', '203.0.113.9'],
  ])
})

test('nodes of a deployed datastore have their roles and addresses', () => {
  const up = nodesRow(created, deployed)
  assert.is(up?.running, true)
  assert.equal(up?.nodes.map(({ role, private_ip, public_ip }) => [role, private_ip, public_ip]), [
    ['primary', '10.0.0.1', '203.0.113.1'],
    ['replica', '10.0.0.2', '203.0.113.2'],
  ])
})

test('an unwound deployment leaves no nodes', () => {
  assert.is(nodesRow(created, failed), undefined)
})

test('settings are read at once, and what was left alone stays', () => {
  const settings = (data: Settings): DatastoreEvent => ({ type: 'SettingsChanged', data: { ...evening, settings: data } })
  const window = { dayOfWeek: 7, startHour: 2, endHour: 4 }
  const before = row(created, deployed)
  const named = row(created, deployed, settings({ name: sealed('bills'), maintenance: window }))
  assert.equal(named, { ...before, name: sealed('bills'), maintenance: { day_of_week: 7, start_hour: 2, end_hour: 4 } })
  const notifications = { enabled: true, emails: [sealed('a@example.com')] }
  const told = row(created, deployed, settings({ tags: [sealed('blue')], notifications }))
  assert.equal(told, { ...before, tags: [sealed('blue')], notifications })
})

test('a node to come is seen from the moment its job begins, and learns its addresses like any other', () => {
  const coming = nodesRow(created, deployed, begun(adding), succeeded('nod_4', { privateAddress: '10.0.0.4' }))
  assert.equal(coming?.nodes.map(({ node_id, role, private_ip, created_at }) => [node_id, role, private_ip, created_at]), [
    ['nod_1', 'primary', '10.0.0.1', noon],
    ['nod_2', 'replica', '10.0.0.2', noon],
    ['nod_3', null, null, evening.at],
    ['nod_4', null, '10.0.0.4', evening.at],
  ])
  assert.is(row(created, deployed, begun(adding))?.size, 2)
})

test('nodes that were added count with their zones once the change is carried out', () => {
  const events = [created, deployed, begun(adding), changed(adding, exampleNodes(4))]
  const grown = row(...events)
  assert.equal([grown?.size, grown?.places.map(({ zone }) => zone)], [4, ['zone-1', 'zone-2', 'zone-3', 'zone-4']])
  assert.equal(nodesRow(...events)?.nodes.map(({ role }) => role), ['primary', 'replica', 'replica', 'replica'])
})

test('nodes that did not come leave nothing, whether their making was begun or not', () => {
  const before = nodesRow(created, deployed)
  assert.equal(nodesRow(created, deployed, begun(adding), givenUp(adding)), before)
  assert.equal(nodesRow(created, deployed, givenUp(adding)), before)
  assert.equal(row(created, deployed, begun(adding), givenUp(adding)), row(created, deployed))
})

test('a node is there until its removal is carried out, and one whose removal is given up stays', () => {
  assert.equal(nodeIds(created, deployed, begun(removing)), ['nod_1', 'nod_2'])
  assert.equal(nodesRow(created, deployed, begun(removing), givenUp(removing)), nodesRow(created, deployed))
  const events = [created, deployed, begun(removing), changed(removing, exampleNodes(1))]
  assert.equal(nodeIds(...events), ['nod_1'])
  assert.equal([row(...events)?.size, row(...events)?.places], [1, [{ node_id: 'nod_1', zone: 'zone-1' }]])
})

test('a promotion changes the roles, and nothing else', () => {
  const promoting = { kind: 'promote-replica', nodeId: 'nod_2' } as const
  const found = exampleNodes(2).map((node): NodeState => ({ ...node, role: node.nodeId === 'nod_2' ? 'primary' : 'replica' }))
  const events = [created, deployed, begun(promoting), changed(promoting, found)]
  assert.equal(nodesRow(...events)?.nodes.map(({ node_id, role }) => [node_id, role]), [
    ['nod_1', 'replica'],
    ['nod_2', 'primary'],
  ])
  const { nodes: after } = row(...events)?.health ?? { nodes: [] }
  assert.equal(after.map(({ role }) => role), ['replica', 'primary'])
  assert.equal({ ...row(...events), health: null }, { ...row(created, deployed), health: null })
})

test('an event before the creation of its datastore makes no row', () => {
  assert.is(row(deployed), undefined)
  assert.is(nodesRow(deployed), undefined)
})

test.run()
