import { type Change, type Shape, changed, specAtWork } from '../../domain/datastore/changes/index.ts'
import { highAvailabilityOf } from '../../domain/datastore/high-availability.ts'
import type { JobInput, JobKind } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec, NodePlan, NodeState } from '../../domain/datastore/spec.ts'
import type { ParameterValues } from '../../domain/catalogue/parameters.ts'
import { ada, bob, exampleDatabase, exampleUser, inhabited } from './examples-access.ts'
import { sealed } from './personal-data.ts'

export const noon = '2030-01-01T12:00:00.000Z'

const instance = { code: 'tiny', cpu: 1, ramGb: 2 }

/** A specification as the planner would have made it, with nodes `nod_1` … */
export const exampleSpec = (size: number): DatastoreSpec => ({
  name: sealed('orders'),
  ownerId: 'own_1',
  vendor: 'vendor-a',
  engine: 'engine-a',
  version: '2',
  type: 'replication',
  cloud: 'cloud-a',
  provider: 'provider-a',
  region: 'region-a',
  instance,
  volume: { type: 'fast', sizeGib: 10, iops: null },
  network: { networkId: 'net_1', type: 'public', haEnabled: size > 1 },
  port: 5432,
  domain: 'ccx.test',
  ttlSeconds: 5,
  account: { username: 'ccxadmin', database: 'ccxdb' },
  tags: [],
  notifications: { enabled: false, emails: [] },
  maintenance: { dayOfWeek: 1, startHour: 0, endHour: 2 },
  nodes: Array.from({ length: size }, (_, index) => ({
    nodeId: `nod_${index + 1}`,
    name: `db-${index + 1}`,
    zone: `zone-${index + 1}`,
    instance,
  })),
})

/** The nodes of `exampleSpec` once they exist; the first is the primary. */
export const exampleNodes = (size: number): readonly NodeState[] =>
  exampleSpec(size).nodes.map(({ nodeId }, index) => ({
    nodeId,
    role: index === 0 ? 'primary' : 'replica',
    privateAddress: `10.0.0.${index + 1}`,
    publicAddress: `203.0.113.${index + 1}`,
  }))

/** What a job is given on a datastore of `size` nodes that was never deployed. */
export const newInput = (size: number): JobInput => ({ datastoreId: 'clu_1', spec: exampleSpec(size), nodes: [] })

/** What a job is given on a datastore of `size` nodes that is up. */
export const deployedInput = (size: number): JobInput => ({ ...newInput(size), nodes: exampleNodes(size) })

/** The same datastore after a promotion: its `primaryNumber`th node is the primary, counted from 1. */
const promoted = (shape: Shape, primaryNumber: number): Shape => ({
  ...shape,
  nodes: shape.nodes.map((node, index) => ({ ...node, role: index + 1 === primaryNumber ? 'primary' : 'replica' })),
})

const shapeOf = (size: number): Shape => ({ spec: exampleSpec(size), nodes: exampleNodes(size) })

/** What a job is given that changes a datastore of this shape. */
const changeInput = (shape: Shape, change: Change): JobInput => ({
  datastoreId: 'clu_1',
  spec: specAtWork(shape, change),
  nodes: shape.nodes,
  change,
})

/** The nodes after the first `size` ones, the second of them larger than the rest. */
const nodesAfter = (size: number, count: number): readonly NodePlan[] =>
  exampleSpec(size + count)
    .nodes.slice(size)
    .map((node, index) => (index === 1 ? { ...node, instance: { code: 'small', cpu: 2, ramGb: 4 } } : node))

const adding = (count: number, shape: Shape): JobInput =>
  changeInput(shape, { kind: 'add-nodes', nodes: nodesAfter(shape.spec.nodes.length, count), nodesMax: 5 })

const removing = (shape: Shape, ...numbers: readonly number[]): JobInput =>
  changeInput(shape, { kind: 'remove-nodes', nodeIds: numbers.map((number) => `nod_${number}`) })

const promoting = (shape: Shape, number: number): JobInput =>
  changeInput(shape, { kind: 'promote-replica', nodeId: `nod_${number}` })

/** Clients may connect from two sources. */
const walled = ({ spec, nodes }: Shape): Shape => ({
  spec: {
    ...spec,
    exporterPort: 9187,
    trusted: ['192.0.2.0/24', '2001:db8::1'].map((source, index) => ({
      ruleId: `rul_${index + 1}`, source: sealed(source), description: sealed('office'),
    })),
  },
  nodes,
})

const stopped = ({ spec, nodes }: Shape): Shape => ({ spec: { ...spec, stopped: true }, nodes })
const applying = (shape: Shape): JobInput => changeInput(shape, { kind: 'apply-firewall' })
const stopping = (shape: Shape): JobInput => changeInput(shape, { kind: 'stop-datastore' })
const starting = (shape: Shape): JobInput => changeInput(stopped(shape), { kind: 'start-datastore' })
/** What the deletion of a stopped datastore is given. */
const stoppedInput = (size: number): JobInput => ({ datastoreId: 'clu_1', ...stopped(shapeOf(size)) })

const rebooting = (shape: Shape, number: number): JobInput =>
  changeInput(shape, { kind: 'reboot-node', nodeId: `nod_${number}` })

const growing = (shape: Shape, sizeGib: number, because?: string): JobInput =>
  changeInput(shape, { kind: 'grow-volumes', sizeGib, sizeGibMax: 100, ...(because === undefined ? {} : { because }) })

const retyping = (shape: Shape, volume: DatastoreSpec['volume']): JobInput =>
  changeInput(shape, { kind: 'change-volume-type', volume, sizeGibMax: 100 })

const guarding = (shape: Shape, readOnly: boolean): JobInput =>
  changeInput(shape, { kind: 'set-read-only', readOnly, because: 'the volume of db-1 is 91 % full' })

const guarded = ({ spec, nodes }: Shape): Shape => ({ spec: { ...spec, readOnly: true }, nodes })
const resizing = (shape: Shape, code: string, ramGb: number): JobInput =>
  changeInput(shape, { kind: 'resize-instances', instance: { code, cpu: 2, ramGb } })

/** `number` goes, and the next one there is no node of yet comes in its place. */
const replacing = (kind: 'repair-node' | 'upgrade-node', shape: Shape, number: number): JobInput => {
  const [replacement = null] = nodesAfter(shape.spec.nodes.length, 1)
  return changeInput(shape, { kind, nodeId: `nod_${number}`, replacement })
}

/** The primary is the node of that number, and is lost. */
const failingOver = (shape: Shape, number: number): JobInput => {
  const seen = { lastSeenAt: noon, observedAt: noon, because: 'it does not answer', lastKnownBytes: 1_000 }
  return { ...changeInput(shape, { kind: 'fail-over', lostId: `nod_${number}`, ...seen }), epoch: 7 }
}

const rejoining = (shape: Shape, number: number): JobInput =>
  changeInput(shape, { kind: 'rejoin-node', nodeId: `nod_${number}` })

const waitingFor = (shape: Shape, synchronous: boolean): JobInput => changeInput(shape, { kind: 'set-synchronous', synchronous })

const synchronous = ({ spec, nodes }: Shape): Shape => ({
  spec: { ...spec, highAvailability: { ...highAvailabilityOf(spec), synchronous: true } },
  nodes,
})

const restarting = (shape: Shape, number: number): JobInput =>
  changeInput(shape, { kind: 'repair-node', nodeId: `nod_${number}`, replacement: null })

/** The same datastore with a node of another size. */
const uneven = ({ spec, nodes }: Shape, number: number): Shape => ({
  spec: {
    ...spec,
    nodes: spec.nodes.map((node, n) =>
      n + 1 === number ? { ...node, instance: { code: 'small', cpu: 2, ramGb: 4 } } : node,
    ),
  },
  nodes,
})

/** A change of parameters, of which `slots` and `locks` take a restart and a replica needs as many as its primary. */
const configuring = (shape: Shape, values: ParameterValues): JobInput =>
  changeInput(shape, {
    kind: 'change-parameters',
    groupId: 'grp_1',
    values,
    restarts: ['slots', 'locks'],
    replicaNeeds: { slots: 0, locks: 64 },
  })

/** The same datastore with parameters that were chosen before. */
const configured = (shape: Shape, values: ParameterValues): Shape => ({
  ...shape,
  spec: { ...shape.spec, parameters: { groupId: 'grp_1', values } },
})
/** What a job is given that concerns the databases and users of a datastore of two after a promotion. */
const accessing = (change: Change): JobInput => changeInput(inhabited(promoted(shapeOf(2), 2)), change)

const later = '2030-01-02T12:00:00.000Z'
const nextLogin = { slot: 'second', vaultId: 'vlt_next', until: null } as const

type Inputs = readonly (readonly [name: string, input: JobInput])[]

const sizes = [1, 2, 3] as const
const newOnes: Inputs = sizes.map((size) => [`a new datastore of ${size}`, newInput(size)])
const deployedOnes: Inputs = sizes.map((size) => [`a deployed datastore of ${size}`, deployedInput(size)])

/** What a job of each kind may be given. The last is the fullest. */
export const inputsOf: Readonly<Record<JobKind, Inputs>> = {
  'deploy-datastore': [
    ...newOnes,
    ['one with databases and users', { ...newInput(2), spec: inhabited(shapeOf(2)).spec }],
  ],
  'delete-datastore': [...newOnes, ['a stopped datastore of 2', stoppedInput(2)], ...deployedOnes],
  'add-nodes': [
    ['1 of 1', adding(1, shapeOf(1))],
    ['2 of 1', adding(2, shapeOf(1))],
    ['1 of 2 after a promotion', adding(1, promoted(shapeOf(2), 2))],
    ['2 of 3', adding(2, walled(shapeOf(3)))],
  ],
  'remove-nodes': [
    ['1 of 2', removing(shapeOf(2), 2)],
    ['the first of 2 after a promotion', removing(promoted(shapeOf(2), 2), 1)],
    ['1 of 3', removing(shapeOf(3), 2)],
    ['2 of 3, one of them named twice', removing(shapeOf(3), 3, 2, 3)],
  ],
  'promote-replica': [
    ['the replica of 2', promoting(shapeOf(2), 2)],
    ['the first of 2 after a promotion', promoting(promoted(shapeOf(2), 2), 1)],
    ['a replica of 2 with databases and users', promoting(inhabited(shapeOf(2)), 2)],
    ['a replica of 3', promoting(shapeOf(3), 3)],
  ],
  'apply-firewall': [
    ['1 that is open', applying(shapeOf(1))],
    ['2 that are off', applying(stopped(walled(shapeOf(2))))],
    ['3', applying(walled(shapeOf(3)))],
  ],
  'stop-datastore': [['1', stopping(shapeOf(1))], ['3 after a promotion', stopping(walled(promoted(shapeOf(3), 2)))]],
  'start-datastore': [['1', starting(shapeOf(1))], ['3 after a promotion', starting(walled(promoted(shapeOf(3), 2)))]],
  'reboot-node': [
    ['the only one', rebooting(shapeOf(1), 1)],
    ['the primary of 3', rebooting(shapeOf(3), 1)],
    ['a replica of 3', rebooting(shapeOf(3), 2)],
  ],
  'resize-instances': [
    ['the only one', resizing(shapeOf(1), 'small', 4)],
    ['both of 2, to less', resizing(shapeOf(2), 'nano', 1)],
    ['a replica that is larger than the rest', resizing(uneven(shapeOf(2), 2), 'tiny', 2)],
    ['both of 2 after a promotion', resizing(promoted(shapeOf(2), 2), 'small', 4)],
    ['all of 3, of which one has the size', resizing(uneven(shapeOf(3), 2), 'small', 4)],
  ],
  'repair-node': [
    ['the only one, where it is', restarting(shapeOf(1), 1)],
    ['the replica of 2', replacing('repair-node', shapeOf(2), 2)],
    ['the first of 2 after a promotion', replacing('repair-node', promoted(shapeOf(2), 2), 1)],
    ['a replica of 3', replacing('repair-node', shapeOf(3), 2)],
    ['the primary of 3', replacing('repair-node', shapeOf(3), 1)],
  ],
  'upgrade-node': [
    ['the only one', replacing('upgrade-node', shapeOf(1), 1)],
    ['the primary of 2 after a promotion', replacing('upgrade-node', promoted(shapeOf(2), 2), 2)],
    ['a replica of 3', replacing('upgrade-node', shapeOf(3), 3)],
    ['the primary of 3', replacing('upgrade-node', shapeOf(3), 1)],
  ],
  'fail-over': [
    ['of 2', failingOver(shapeOf(2), 1)],
    ['of 2 with databases and users, after a promotion', failingOver(inhabited(promoted(shapeOf(2), 2)), 2)],
    ['of 3 that are synchronous', failingOver(synchronous(shapeOf(3)), 1)],
  ],
  'rejoin-node': [
    ['the replica of 2', rejoining(shapeOf(2), 2)],
    ['the former primary of 3', rejoining(promoted(shapeOf(3), 2), 1)],
  ],
  'set-synchronous': [
    ['on for 2', waitingFor(shapeOf(2), true)],
    ['off for 3 after a promotion', waitingFor(synchronous(promoted(shapeOf(3), 2)), false)],
  ],
  'grow-volumes': [
    ['of 1', growing(shapeOf(1), 20)],
    ['of 2 that are read-only', growing(guarded(shapeOf(2)), 12, 'the volume of db-1 is 91 % full')],
    ['of 3', growing(shapeOf(3), 100)],
  ],
  'change-volume-type': [
    ['another type for 1', retyping(shapeOf(1), { type: 'slow', sizeGib: 10, iops: null })],
    ['another speed for 2', retyping(shapeOf(2), { type: 'fast', sizeGib: 10, iops: 3000 })],
    ['all of it for 3', retyping(shapeOf(3), { type: 'faster', sizeGib: 30, iops: 5000 })],
  ],
  'set-read-only': [
    ['on for 1', guarding(shapeOf(1), true)],
    ['off for 2 after a promotion', guarding(guarded(promoted(shapeOf(2), 2)), false)],
    ['on for 3', guarding(shapeOf(3), true)],
  ],
  'change-parameters': [
    ['some that are read anew, of 1', configuring(shapeOf(1), { timeout: '5' })],
    ['some that are read anew, of 3', configuring(configured(shapeOf(3), { timeout: '5', slots: '2' }), { slots: '2' })],
    ['some that take a restart, of 1', configuring(shapeOf(1), { locks: '100' })],
    ['more of what replicas need, of 2 after a promotion', configuring(promoted(shapeOf(2), 2), { locks: '100' })],
    ['less of what replicas need, of 2', configuring(configured(shapeOf(2), { locks: '100' }), {})],
    ['the same again, of 2', configuring(configured(shapeOf(2), { timeout: '5' }), { timeout: '5' })],
    [
      'more of the one and less of the other, of 3',
      configuring(configured(shapeOf(3), { locks: '100', timeout: '5' }), { locks: '80', slots: '4' }),
    ],
  ],
  'create-database': [
    ['the first of a datastore', changeInput(shapeOf(1), { kind: 'create-database', database: exampleDatabase('new') })],
    ["a user's own", accessing({ kind: 'create-database', database: exampleDatabase('new', ada) })],
  ],
  'drop-database': [
    ['one that nobody knew', accessing({ kind: 'drop-database', databaseId: 'dab_by_hand', name: sealed('by_hand') })],
    ['one that others may write into', accessing({ kind: 'drop-database', databaseId: 'dab_shop', name: sealed('shop') })],
  ],
  'create-user': [
    ['the first of a datastore', changeInput(shapeOf(1), { kind: 'create-user', user: exampleUser('eve') })],
    ['one beside others', accessing({ kind: 'create-user', user: exampleUser('eve', [exampleDatabase('stock')]) })],
  ],
  'change-user': [
    ['his privileges', accessing({ kind: 'change-user', userId: bob.userId, to: { grants: [] } })],
    [
      'his login, for a while beside the one before',
      accessing({
        kind: 'change-user',
        userId: ada.userId,
        to: { logins: [...ada.logins.map((login) => ({ ...login, until: later })), nextLogin] },
      }),
    ],
    ['his login at once', accessing({ kind: 'change-user', userId: ada.userId, to: { logins: [nextLogin] } })],
  ],
  'drop-user': [
    ['one whom nobody knew', accessing({ kind: 'drop-user', userId: 'usr_by_hand', name: sealed('by_hand') })],
    ['one who owns a database', accessing({ kind: 'drop-user', userId: ada.userId, name: ada.name })],
  ],
  'change-admin': [
    ['for the first time', changeInput(shapeOf(1), { kind: 'change-admin', vaultId: 'vlt_new' })],
    ['on a promoted one', accessing({ kind: 'change-admin', vaultId: 'vlt_new' })],
  ],
}

/** The datastore as a job of that input finds it. */
export const shapeBefore = ({ spec, nodes }: JobInput): Shape => ({
  spec: { ...spec, nodes: spec.nodes.filter(({ nodeId }) => nodes.some((node) => node.nodeId === nodeId)) },
  nodes,
})

/** The datastore as a finished job of that kind and input leaves it; undefined: there is none. */
export const shapeAfter = (kind: JobKind, input: JobInput): Shape | undefined => {
  if (kind === 'delete-datastore') return undefined
  return input.change === undefined ? { spec: input.spec, nodes: input.nodes } : changed(shapeBefore(input), input.change)
}
