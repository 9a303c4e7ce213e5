import type { DatastoreCreated } from '../domain/datastore/messages.ts'
import { type NodeState, nodeHostname } from '../domain/datastore/spec.ts'
import type { OrderResult } from '../domain/job/orders.ts'
import { projection } from './projection.ts'
import type { NodeEntry, NodesRow } from './schema.ts'

/** One row per datastore that has nodes, or is getting them. */
export const nodes = projection<NodesRow>({
  name: 'nodes',
  version: 1,
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
    nodes: 'json',
    created_at: 'time',
  },

  types: [
    'DatastoreCreated',
    'DatastoreDeployed',
    'DeploymentFailed',
    'DatastoreDeleted',
    'StepSucceeded',
  ],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DeploymentFailed':
      case 'DatastoreDeleted':
        return [data.datastoreId]
      case 'StepSucceeded':
        return data.course === 'forward' && tells(data.result) ? [data.datastoreId] : []
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'DatastoreCreated') return planned(data)
    if (row === undefined) return undefined
    switch (type) {
      case 'StepSucceeded':
        return { ...row, nodes: row.nodes.map((node) => learnt(node, data.key, data.result)) }
      case 'DatastoreDeployed':
        return { ...row, running: true, nodes: row.nodes.map((node) => found(node, data.nodes)) }
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

const planned = ({ datastoreId, spec, at }: DatastoreCreated['data']): NodesRow => ({
  datastore_id: datastoreId,
  owner_id: spec.ownerId,
  cloud: spec.cloud,
  region: spec.region,
  volume_type: spec.volume.type,
  volume_size_gib: spec.volume.sizeGib,
  port: spec.port,
  running: false,
  nodes: spec.nodes.map((node) => ({
    node_id: node.nodeId,
    hostname: nodeHostname(node, datastoreId, spec.domain),
    zone: node.zone,
    instance_size: node.instance.code,
    role: null,
    private_ip: null,
    public_ip: null,
  })),
  created_at: at,
})
