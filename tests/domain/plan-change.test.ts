import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import type { Change } from '../../domain/datastore/changes/index.ts'
import { type ChangeContext, type ChangeRequest, planChanges, planSettings } from '../../domain/datastore/plan-change.ts'
import { pricePerHour } from '../../domain/datastore/price.ts'
import { exampleNodes, exampleSpec } from '../support/examples.ts'
import { deepFreeze } from '../support/given.ts'

const test = suite('a plan of changes')

const vendor = {
  code: 'vendor-a', aliases: [], name: 'A', info: '', engine: 'engine-a', enabled: true, beta: false, versions: ['2'],
  types: [{ code: 'replication', name: 'Replication' }], sizes: [1, 3, 4, 9], port: 5432,
  account: { username: 'ccxadmin', database: 'ccxdb' },
}
const zone = (code: string) => ({ code, name: code })
const cloud = {
  code: 'cloud-a', name: 'A', fullName: 'A', group: 'a', provider: 'provider-a',
  regions: [{
    code: 'region-a', displayCode: 'A', name: 'A', countryCode: 'SE', continentCode: 'EU', city: 'Here',
    zones: ['zone-1', 'zone-2', 'zone-3'].map(zone),
  }],
  instances: [{ code: 'big', type: 'm1.big', name: 'Big', cpu: 2, ramGb: 8, pricePerHour: 1 }],
  volumes: [], networks: [],
}
const limits = { nodesMax: 5, nameLengthMax: 8, tagsMax: 2, tagLengthMax: 4 }
const catalogue: Catalogue = deepFreeze({ vendors: [vendor], clouds: [cloud], limits })

const asked = (part: Partial<ChangeRequest>): ChangeRequest => ({ addNodes: [], removeNodes: [], ...part })
const context = (size: number, more: Partial<ChangeContext> = {}): ChangeContext =>
  deepFreeze({
    catalogue,
    shape: { spec: exampleSpec(size), nodes: exampleNodes(size) },
    nodes: [1, 2, 7, 8, 9].map((n) => ({ nodeId: `nod_${n}`, name: `db-${n}` })),
    ...more,
  })
const never = () => false
const planned = (part: Partial<ChangeRequest>, given: ChangeContext): readonly Change[] => {
  const changes = planChanges(asked(part), given, never)
  if ('rejected' in changes) throw new Error(`refused: ${changes.because}`)
  return changes
}
const tiny = { code: 'tiny', cpu: 1, ramGb: 2 }

test('what is left open is the size of the datastore and the least used zone, under a name that nobody has', () => {
  const addNodes = [{}, { zone: 'zone-1', instanceSize: 'm1.big' }, {}]
  assert.equal(planned({ addNodes }, context(1)), [{
    kind: 'add-nodes',
    nodesMax: 5,
    nodes: [
      { nodeId: 'nod_2', name: 'db-2', zone: 'zone-2', instance: tiny },
      { nodeId: 'nod_7', name: 'db-7', zone: 'zone-1', instance: { code: 'big', cpu: 2, ramGb: 8 } },
      { nodeId: 'nod_8', name: 'db-8', zone: 'zone-3', instance: tiny },
    ],
  }])
})

test('nodes come before others go, and each node goes once', () => {
  const changes = planned({ addNodes: [{}], removeNodes: ['nod_2', 'nod_2'] }, context(3))
  assert.equal(changes.map(({ kind }) => kind), ['add-nodes', 'remove-nodes'])
  assert.equal(changes[1], { kind: 'remove-nodes', nodeIds: ['nod_2'] })
})

test('an instance size is that of all nodes, by its code or the name of the cloud; the one that they have is no change', () => {
  const big = { kind: 'resize-instances', instance: { code: 'big', cpu: 2, ramGb: 8 } }
  for (const instanceSize of ['big', 'm1.big']) assert.equal(planned({ instanceSize }, context(2)), [big])
  assert.equal(planned({ instanceSize: 'tiny' }, context(2)), [])
  const { shape } = context(2)
  const nodes = shape.spec.nodes.map((node, n) => (n === 0 ? node : { ...node, instance: big.instance }))
  const uneven = { ...shape, spec: { ...shape.spec, nodes } }
  const even = [{ kind: 'resize-instances', instance: tiny }]
  assert.equal(planned({ instanceSize: 'tiny' }, context(2, { shape: uneven })), even)
  const grown = planned({ instanceSize: 'big', addNodes: [{}, {}] }, context(1))
  const codes = grown.flatMap((change) => (change.kind === 'add-nodes' ? change.nodes.map(({ instance: { code } }) => code) : []))
  assert.equal(codes, ['big', 'big'])
})

test('a request for nothing is no change', () => assert.equal(planned({}, context(2)), []))

test('what was taken from the same request is not planned again', () => {
  const request = asked({ addNodes: [{}], removeNodes: ['nod_2'] })
  const left = planChanges(request, context(4), (kind) => kind === 'add-nodes')
  assert.equal(left, [{ kind: 'remove-nodes', nodeIds: ['nod_2'] }])
})

test('all of a request together must lead to a number of nodes that can be had', () => {
  const two = planChanges(asked({ removeNodes: ['nod_2'] }), context(3), never)
  assert.equal(two, { rejected: 'not-offered', because: 'the datastore would have 2 nodes; it can have one of: 1, 3, 4, 9' })
  assert.is(planned({ removeNodes: ['nod_2', 'nod_3'] }, context(3)).length, 1)
})

test('a datastore whose place or vendor is not offered any more takes no nodes, and lets them go', () => {
  const nowhere = context(3, { catalogue: { ...catalogue, clouds: [], vendors: [] } })
  const refused = planChanges(asked({ addNodes: [{}] }), nowhere, never)
  assert.equal(refused, { rejected: 'not-offered', because: 'add_nodes: cloud-a region-a takes no more nodes' })
  assert.is(planned({ removeNodes: ['nod_2'] }, nowhere).length, 1)
})

test('a datastore costs what its nodes and their volumes do, as long as the catalogue has prices for them', () => {
  const instances = [{ ...cloud.instances[0], code: 'tiny', type: 't', name: 'T', cpu: 1, ramGb: 2, pricePerHour: 0.1 }]
  const sizeGib = { min: 1, max: 100, default: 1 }
  const volumes = [{ code: 'fast', name: 'F', info: '', sizeGib, iops: null, pricePerGibMonth: 7.3 }]
  const priced: Catalogue = { ...catalogue, clouds: [{ ...cloud, instances, volumes }] }
  // Ten GiB at 7.3 a month are 0.1 an hour.
  assert.is(pricePerHour(priced, exampleSpec(3)), 0.6)
  assert.is(pricePerHour(priced, exampleSpec(1)), 0.2)
  assert.is(pricePerHour(catalogue, exampleSpec(1)), undefined)
  assert.is(pricePerHour({ ...priced, clouds: [] }, exampleSpec(1)), undefined)
})

const set = deepFreeze({
  name: 'orders', tags: ['a', 'b'], notifications: { enabled: true, emails: ['me@example.com'] },
  maintenance: { dayOfWeek: 1, startHour: 0, endHour: 2 },
  highAvailability: {
    prefer: 'consistency', repairAfterSeconds: 300, lagMaxBytes: 16_777_216, failoversPerHourMax: 3,
  } as const,
})

test('a setting that is so already is none', () => {
  assert.equal(planSettings(catalogue, set, asked({ ...set })), {})
  assert.equal(planSettings(catalogue, set, asked({ name: 'new', tags: ['a', 'b'] })), { name: 'new' })
  assert.equal(planSettings(catalogue, set, asked({ tags: ['b', 'a'] })), { tags: ['b', 'a'] })
  const notifications = { enabled: false, emails: [...set.notifications.emails] }
  assert.equal(planSettings(catalogue, set, asked({ notifications })), { notifications })
})

test('what is done when a node is lost is chosen part by part, within bounds', () => {
  const wanted = (highAvailability: NonNullable<Parameters<typeof asked>[0]['highAvailability']>) =>
    planSettings(catalogue, set, asked({ highAvailability }))
  assert.equal(wanted({}), {})
  assert.equal(wanted({ repairAfterSeconds: 60 }), {
    highAvailability: { prefer: 'consistency', repairAfterSeconds: 60, lagMaxBytes: 16_777_216, failoversPerHourMax: 3 },
  })
  // A job sees to it.
  assert.equal(wanted({ synchronous: true }), {})
  for (const [wrong, field] of [
    [{ repairAfterSeconds: 9 }, 'repair_after_seconds'], [{ repairAfterSeconds: 86_401 }, 'repair_after_seconds'],
    [{ failoversPerHourMax: 0 }, 'max_failovers_per_hour'], [{ failoversPerHourMax: 61 }, 'max_failovers_per_hour'],
    [{ lagMaxBytes: -1 }, 'lag_max_bytes'], [{ lagMaxBytes: Number.NaN }, 'lag_max_bytes'],
  ] as const) {
    const refusal = wanted(wrong)
    assert.ok('rejected' in refusal)
    assert.is(refusal.rejected, 'out-of-range')
    assert.match(refusal.because, new RegExp(`^high_availability\\.${field} must be between`))
  }
})

test('a maintenance window is two hours long, also over midnight', () => {
  const window = (startHour: number, endHour: number) =>
    planSettings(catalogue, set, asked({ maintenance: { dayOfWeek: 7, startHour, endHour } }))
  for (const [start, end] of [[22, 0], [23, 1], [2, 4]] as const) assert.ok('maintenance' in window(start, end))
  for (const [start, end] of [[4, 2], [0, 0], [0, 3], [22, 24]] as const) assert.ok('rejected' in window(start, end))
})

test.run()
