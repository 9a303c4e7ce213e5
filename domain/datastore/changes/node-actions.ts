import { reject } from '../../kernel/decider.ts'
import type { NodeRole } from '../spec.ts'
import { type Rule, hasNode, isPrimary, unknownNode } from './rule.ts'

export type OfNode = { readonly nodeId: string }

/** A planned switchover: the replica becomes the primary, the primary a replica. */
export const promoteReplica: Rule<OfNode, 'node-not-found' | 'node-is-primary'> = {
  changed: ({ spec, nodes }, { nodeId: promoted }) => {
    const roleOf = (nodeId: string): NodeRole => (nodeId === promoted ? 'primary' : 'replica')
    return { spec, nodes: nodes.map((node) => ({ ...node, role: roleOf(node.nodeId) })) }
  },
  refusal: (shape, { nodeId }) => {
    if (!hasNode(shape, nodeId)) return unknownNode(nodeId)
    return isPrimary(shape, nodeId) ? reject('node-is-primary', `node ${nodeId} is the primary already`) : undefined
  },
}

/** The node's server is stopped and started in place. */
export const rebootNode: Rule<OfNode, 'node-not-found'> = {
  changed: (shape) => shape,
  refusal: (shape, { nodeId }) => (hasNode(shape, nodeId) ? undefined : unknownNode(nodeId)),
}
