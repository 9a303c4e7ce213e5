import type { Facts } from '../domain/job/saga.ts'
import { firstNode } from './cluster.ts'

export const nodesIn = ({ input }: Facts): readonly string[] => input.spec.nodes.map(({ nodeId }) => nodeId)

/** The primary as the job found it. */
export const primaryOf = (facts: Facts): string =>
  facts.input.nodes.find(({ role }) => role === 'primary')?.nodeId ?? firstNode(facts)

/** The same datastore without some of its nodes. */
export const withoutNodes = ({ input, learned }: Facts, nodeIds: readonly string[]): Facts => {
  const stays = ({ nodeId }: { readonly nodeId: string }): boolean => !nodeIds.includes(nodeId)
  const spec = { ...input.spec, nodes: input.spec.nodes.filter(stays) }
  return { input: { ...input, spec, nodes: input.nodes.filter(stays) }, learned }
}
