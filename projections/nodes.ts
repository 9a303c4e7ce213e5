import type { Change } from '../domain/datastore/changes/index.ts'
import type { DatastoreCreated, JobAdmitted } from '../domain/datastore/messages.ts'
import { type DatastoreSpec, type NodePlan, type NodeState, nodeHostname } from '../domain/datastore/spec.ts'
import type { OrderResult } from '../domain/job/orders.ts'
import { projection } from './projection.ts'
import type { NodeEntry, NodesRow } from './schema.ts'

/** One row per datastore that has nodes, or is getting them. */
export const nodes = projection<NodesRow>({
  name: 'nodes',
  version: 3,
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
  ],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DeploymentRetried':
      case 'DeploymentFailed':
      case 'DatastoreDeleted':
      case 'DatastoreChanged':
        return [data.datastoreId]
      case 'ChangeAbandoned':
        return data.change.kind === 'add-nodes' ? [data.datastoreId] : []
      case 'JobAdmitted':
        return data.input.change?.kind === 'add-nodes' ? [data.datastoreId] : []
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
        return { ...row, nodes: [...row.nodes, ...toCome(data)] }
      case 'DatastoreChanged': {
        const left = without(row.nodes, data.change.kind === 'remove-nodes' ? data.change.nodeIds : [])
        const told = left.map((node) => found(sizedBy(node, data.change), data.nodes))
        return { ...row, ...volumeAfter(data.change), nodes: told }
      }
      // What was to come has left nothing behind; a change that was never begun had made no entries.
      case 'ChangeAbandoned': {
        const left = without(row.nodes, data.change.kind === 'add-nodes' ? data.change.nodes.map(({ nodeId }) => nodeId) : [])
        return left.length === row.nodes.length ? row : { ...row, nodes: left }
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

type Begun = { readonly datastoreId: string; readonly spec: Pick<DatastoreSpec, 'domain'>; readonly at: string }

/** A node of which nothing is known yet but what it is to be. */
const entryOf = (node: NodePlan, { datastoreId, spec, at }: Begun): NodeEntry => ({
  node_id: node.nodeId,
  hostname: nodeHostname(node, datastoreId, spec.domain),
  zone: node.zone,
  instance_size: node.instance.code,
  role: null,
  private_ip: null,
  public_ip: null,
  created_at: at,
})

const toCome = ({ datastoreId, at, input: { spec, change } }: JobAdmitted['data']): readonly NodeEntry[] =>
  change?.kind === 'add-nodes' ? change.nodes.map((node) => entryOf(node, { datastoreId, spec, at })) : []

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
