import { comingBy, goingBy } from '../domain/datastore/changes/coming.ts'
import type { Change } from '../domain/datastore/changes/index.ts'
import type { DatastoreCreated, JobAdmitted, PrimaryChanged } from '../domain/datastore/messages.ts'
import { type DatastoreSpec, type NodePlan, type NodeState, nodeHostname } from '../domain/datastore/spec.ts'
import type { OrderResult } from '../domain/job/orders.ts'
import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import type { NodeEntry, NodesRow } from './schema.ts'

/** One row per datastore that has nodes, or is getting them. */
export const nodes = projection<NodesRow>({
  name: 'nodes',
  version: 4,
  table: 'nodes',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    cloud: 'text',
    region: 'text',
    volume_type: 'text',
    volume_size_gib: 'integer',
    port: 'integer',
    running: 'boolean',
    read_only: 'boolean',
    nodes: 'json',
  },

  types: [
    'DatastoreCreated',
    'DatastoreDeployed',
    'DeploymentRetried',
    'DeploymentFailed',
    'DatastoreDeleted',
    'DatastoreChanged',
    'ChangeAbandoned',
    'JobAdmitted',
    'StepSucceeded',
    'PrimaryChanged',
    'NodeLost',
    'NodeRecovered',
  ],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DeploymentRetried':
      case 'DeploymentFailed':
      case 'DatastoreDeleted':
      case 'DatastoreChanged':
      case 'PrimaryChanged':
      case 'NodeLost':
      case 'NodeRecovered':
        return [data.datastoreId]
      case 'ChangeAbandoned':
        return isAboutNodes(data.change) ? [data.datastoreId] : []
      case 'JobAdmitted':
        return isAboutNodes(data.input.change) ? [data.datastoreId] : []
      case 'StepSucceeded':
        return data.course === 'forward' && tells(data.result) ? [data.datastoreId] : []
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'DatastoreCreated' || type === 'DeploymentRetried') return planned(data)
    if (row === undefined) return undefined
    switch (type) {
      case 'StepSucceeded':
        return { ...row, nodes: row.nodes.map((node) => learnt(node, data.key, data.result)) }
      case 'DatastoreDeployed':
        return { ...row, running: true, nodes: row.nodes.map((node) => found(node, data.nodes)) }
      case 'JobAdmitted':
        return { ...row, nodes: [...row.nodes.map((node) => recovering(node, data.input.change)), ...toCome(data)] }
      case 'DatastoreChanged': {
        const left = without(row.nodes, goingBy(data.change))
        const told = left.map((node) => found(sizedBy(node, data.change), data.nodes))
        return { ...row, ...volumeAfter(data.change), nodes: told }
      }
      // What was to come has left nothing behind; a change that was never begun had made no entries.
      case 'ChangeAbandoned': {
        const left = without(row.nodes, comingBy(data.change).map(({ nodeId }) => nodeId))
        const given = left.map((node) => (isToRecover(node, data.change) ? conditioned(node, 'lost') : node))
        return isAsItWas(row.nodes, given) ? row : { ...row, nodes: given }
      }
      case 'PrimaryChanged':
        return { ...row, nodes: row.nodes.map((node) => promoted(node, data)) }
      case 'NodeLost':
      case 'NodeRecovered': {
        const condition = type === 'NodeLost' ? 'lost' : 'well'
        return { ...row, nodes: row.nodes.map((node) => (node.node_id === data.nodeId ? conditioned(node, condition) : node)) }
      }
      // An unwound deployment has left nothing behind.
      case 'DeploymentFailed':
      case 'DatastoreDeleted':
        return undefined
      default:
        return row
    }
  },
})

const tells = ({ privateAddress, publicAddress, roles }: OrderResult): boolean =>
  privateAddress !== undefined || publicAddress !== undefined || roles !== undefined

const learnt = (node: NodeEntry, key: string, { privateAddress, publicAddress, roles }: OrderResult): NodeEntry => {
  const own = node.node_id === key
  return {
    ...node,
    role: roles?.[node.node_id] ?? node.role,
    private_ip: (own ? privateAddress : undefined) ?? node.private_ip,
    public_ip: (own ? publicAddress : undefined) ?? node.public_ip,
  }
}

const found = (node: NodeEntry, states: readonly NodeState[]): NodeEntry => {
  const state = states.find(({ nodeId }) => nodeId === node.node_id)
  return state === undefined
    ? node
    : { ...node, role: state.role, private_ip: state.privateAddress, public_ip: state.publicAddress }
}

/** Whether a change brings nodes, or brings one back. */
const isAboutNodes = (change: Change | undefined): boolean => comingBy(change).length > 0 || returningBy(change) !== undefined

/** The node that a change makes well again where it is. */
const returningBy = (change: Change | undefined): string | undefined => {
  if (change?.kind === 'rejoin-node') return change.nodeId
  return change?.kind === 'repair-node' && change.replacement === null ? change.nodeId : undefined
}

const isToRecover = ({ node_id, condition }: NodeEntry, change: Change | undefined): boolean =>
  condition !== 'well' && returningBy(change) === node_id

const recovering = (node: NodeEntry, change: Change | undefined): NodeEntry =>
  isToRecover(node, change) ? conditioned(node, 'recovering') : node

const conditioned = (node: NodeEntry, condition: NodeEntry['condition']): NodeEntry =>
  node.condition === condition ? node : { ...node, condition }

const isAsItWas = (before: readonly NodeEntry[], after: readonly NodeEntry[]): boolean =>
  before.length === after.length && after.every((node, n) => node === before[n])

/** A node that has no role yet gets none. */
const promoted = (node: NodeEntry, { primaryId, formerId }: PrimaryChanged['data']): NodeEntry => {
  if (node.role === null) return node
  if (node.node_id === primaryId) return { ...node, role: 'primary', condition: 'well' }
  return { ...node, role: 'replica', condition: node.node_id === formerId ? 'lost' : node.condition }
}

const volumeAfter = (change: Change): Partial<NodesRow> => {
  switch (change.kind) {
    case 'grow-volumes':
      return { volume_size_gib: change.sizeGib }
    case 'change-volume-type':
      return { volume_type: change.volume.type, volume_size_gib: change.volume.sizeGib }
    case 'set-read-only':
      return { read_only: change.readOnly }
    default:
      return {}
  }
}
const sizedBy = (node: NodeEntry, change: Change): NodeEntry =>
  change.kind === 'resize-instances' ? { ...node, instance_size: change.instance.code } : node

const without = (nodes: readonly NodeEntry[], nodeIds: readonly string[]): readonly NodeEntry[] =>
  nodes.filter(({ node_id }) => !nodeIds.includes(node_id))

/** The nodes that an event plans. */
export const plannedBy = ({ type, data }: KnownEvent): readonly NodePlan[] => {
  if (type === 'DatastoreCreated') return data.spec.nodes
  return type === 'JobQueued' ? comingBy(data.change) : []
}

type Begun = { readonly datastoreId: string; readonly spec: Pick<DatastoreSpec, 'domain'>; readonly at: string }

/** A node of which nothing is known yet but what it is to be. */
const entryOf = (node: NodePlan, { datastoreId, spec, at }: Begun): NodeEntry => ({
  node_id: node.nodeId,
  hostname: nodeHostname(node, datastoreId, spec.domain),
  zone: node.zone,
  instance_size: node.instance.code,
  role: null,
  condition: 'well',
  private_ip: null,
  public_ip: null,
  created_at: at,
})

const toCome = ({ datastoreId, at, input: { spec, change } }: JobAdmitted['data']): readonly NodeEntry[] =>
  comingBy(change).map((node) => entryOf(node, { datastoreId, spec, at }))

const planned = ({ datastoreId, spec, at }: Pick<DatastoreCreated['data'], 'datastoreId' | 'spec' | 'at'>): NodesRow => ({
  datastore_id: datastoreId,
  owner_id: spec.ownerId,
  cloud: spec.cloud,
  region: spec.region,
  volume_type: spec.volume.type,
  volume_size_gib: spec.volume.sizeGib,
  port: spec.port,
  running: false,
  read_only: false,
  nodes: spec.nodes.map((node) => entryOf(node, { datastoreId, spec, at })),
})
