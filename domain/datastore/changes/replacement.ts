import type { NodePlan } from '../spec.ts'
import { type Rule, hasNode, isPrimary, unknownNode } from './rule.ts'

export type ReplaceNode = {
  /** The node that goes. */
  readonly nodeId: string
  /** The one that comes in its place; null: none can, and the node is started again where it is. */
  readonly replacement: NodePlan | null
}

/** Another node comes, copied from the primary; a primary hands over to it; then the old one goes. */
export const replaceNode: Rule<ReplaceNode, 'node-not-found'> = {
  changed: (shape, { nodeId: old, replacement }) => {
    if (replacement === null) return shape
    const { spec, nodes } = shape
    // The one that takes over from a primary is known to be one. All else is known once it is there.
    const successor = { nodeId: replacement.nodeId, role: 'primary', privateAddress: '', publicAddress: '' } as const
    return {
      spec: { ...spec, nodes: spec.nodes.map((node) => (node.nodeId === old ? replacement : node)) },
      nodes: [...nodes.filter(({ nodeId }) => nodeId !== old), ...(nodes.length > 0 && isPrimary(shape, old) ? [successor] : [])],
    }
  },
  refusal: (shape, { nodeId }) => (hasNode(shape, nodeId) ? undefined : unknownNode(nodeId)),
  atWork: ({ spec }, { replacement }) =>
    replacement === null ? spec : { ...spec, nodes: [...spec.nodes, replacement] },
}
