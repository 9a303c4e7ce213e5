import { reject } from '../../kernel/decider.ts'
import { highAvailabilityOf } from '../high-availability.ts'
import type { DatastoreSpec, NodePlan } from '../spec.ts'
import { type Rule, type Shape, hasNode, isPrimary, unknownNode } from './rule.ts'

export type AddNodes = {
  readonly nodes: readonly NodePlan[]
  /** How many nodes the catalogue allows in all. */
  readonly nodesMax: number
}
export type RemoveNodes = { readonly nodeIds: readonly string[] }

const withNodes = ({ spec }: Shape, { nodes }: AddNodes): DatastoreSpec => ({ ...spec, nodes: [...spec.nodes, ...nodes] })

export const addNodes: Rule<AddNodes, 'node-limit-reached'> = {
  changed: (shape, change) => ({ spec: withNodes(shape, change), nodes: shape.nodes }),
  atWork: withNodes,
  refusal: ({ spec }, { nodes, nodesMax }) =>
    spec.nodes.length + nodes.length > nodesMax
      ? reject('node-limit-reached', `a datastore has at most ${nodesMax} nodes`)
      : undefined,
}

type RemovalCode = 'node-not-found' | 'no-node-left' | 'node-is-primary' | 'replica-needed'

export const removeNodes: Rule<RemoveNodes, RemovalCode> = {
  changed: ({ spec, nodes }, { nodeIds }) => {
    const stays = ({ nodeId }: { readonly nodeId: string }): boolean => !nodeIds.includes(nodeId)
    return { spec: { ...spec, nodes: spec.nodes.filter(stays) }, nodes: nodes.filter(stays) }
  },
  refusal: (shape, { nodeIds }) => {
    const unknown = nodeIds.find((nodeId) => !hasNode(shape, nodeId))
    if (unknown !== undefined) return unknownNode(unknown)
    if (new Set(nodeIds).size >= shape.spec.nodes.length) {
      return reject('no-node-left', 'a datastore keeps at least one node; to have none, delete it')
    }
    const primary = nodeIds.find((nodeId) => isPrimary(shape, nodeId))
    if (primary !== undefined) return reject('node-is-primary', `node ${primary} is the primary; promote another one first`)
    return highAvailabilityOf(shape.spec).synchronous && shape.spec.nodes.length - new Set(nodeIds).size < 2
      ? reject('replica-needed', 'a synchronous datastore keeps a replica; set high_availability.synchronous to false first')
      : undefined
  },
}
