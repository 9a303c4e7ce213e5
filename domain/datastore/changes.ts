import { type Rejection, reject } from '../kernel/decider.ts'
import type { DatastoreSpec, NodePlan, NodeRole, NodeState } from './spec.ts'

/** What a job does to a datastore that is there, with every default resolved. */
export type Change =
  | {
      readonly kind: 'add-nodes'
      readonly nodes: readonly NodePlan[]
      /** How many nodes the catalogue allows in all. */
      readonly nodesMax: number
    }
  | { readonly kind: 'remove-nodes'; readonly nodeIds: readonly string[] }
  /** A planned switchover: the replica becomes the primary, the primary a replica. */
  | { readonly kind: 'promote-replica'; readonly nodeId: string }
  /** The node's server is stopped and started in place. */
  | { readonly kind: 'reboot-node'; readonly nodeId: string }

export type ChangeKind = Change['kind']

export type ChangeRejection = 'node-not-found' | 'node-is-primary' | 'node-limit-reached' | 'no-node-left'

/** A datastore as far as changes go: what it is to be, and what is known of its nodes. */
export type Shape = { readonly spec: DatastoreSpec; readonly nodes: readonly NodeState[] }

/** The shape that a change leads to. Nodes that are to come are known once they are there. */
export const changed = ({ spec, nodes }: Shape, change: Change): Shape => {
  switch (change.kind) {
    case 'add-nodes':
      return { spec: { ...spec, nodes: [...spec.nodes, ...change.nodes] }, nodes }
    case 'remove-nodes': {
      const stays = ({ nodeId }: { readonly nodeId: string }): boolean => !change.nodeIds.includes(nodeId)
      return { spec: { ...spec, nodes: spec.nodes.filter(stays) }, nodes: nodes.filter(stays) }
    }
    case 'promote-replica': {
      const roleOf = (nodeId: string): NodeRole => (nodeId === change.nodeId ? 'primary' : 'replica')
      return { spec, nodes: nodes.map((node) => ({ ...node, role: roleOf(node.nodeId) })) }
    }
    case 'reboot-node':
      return { spec, nodes }
  }
}

/** The specification that a job works on: whatever is there before the change or after it. */
export const specAtWork = (shape: Shape, change: Change): DatastoreSpec =>
  change.kind === 'remove-nodes' ? shape.spec : changed(shape, change).spec

const isOf = ({ spec }: Shape, nodeId: string): boolean => spec.nodes.some((node) => node.nodeId === nodeId)

/** A datastore that is still being deployed begins with its first node as the primary. */
const isPrimary = ({ spec, nodes }: Shape, nodeId: string): boolean =>
  nodes.length === 0
    ? spec.nodes[0]?.nodeId === nodeId
    : nodes.some((node) => node.nodeId === nodeId && node.role === 'primary')

const unknownNode = (nodeId: string) => reject('node-not-found', `the datastore has no node ${nodeId}`)

/**
 * Why a change makes no sense for a datastore of this shape.
 *
 * @returns undefined when it does
 */
export const refusalOf = (shape: Shape, change: Change): Rejection<ChangeRejection> | undefined => {
  switch (change.kind) {
    case 'add-nodes':
      return shape.spec.nodes.length + change.nodes.length > change.nodesMax
        ? reject('node-limit-reached', `a datastore has at most ${change.nodesMax} nodes`)
        : undefined
    case 'remove-nodes': {
      const unknown = change.nodeIds.find((nodeId) => !isOf(shape, nodeId))
      if (unknown !== undefined) return unknownNode(unknown)
      if (new Set(change.nodeIds).size >= shape.spec.nodes.length) {
        return reject('no-node-left', 'a datastore keeps at least one node; to have none, delete it')
      }
      const primary = change.nodeIds.find((nodeId) => isPrimary(shape, nodeId))
      return primary === undefined
        ? undefined
        : reject('node-is-primary', `node ${primary} is the primary; promote another one first`)
    }
    case 'promote-replica':
      if (!isOf(shape, change.nodeId)) return unknownNode(change.nodeId)
      return isPrimary(shape, change.nodeId)
        ? reject('node-is-primary', `node ${change.nodeId} is the primary already`)
        : undefined
    case 'reboot-node':
      return isOf(shape, change.nodeId) ? undefined : unknownNode(change.nodeId)
  }
}
