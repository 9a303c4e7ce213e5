import type { Facts, Saga } from '../domain/job/saga.ts'
import { arrival } from './arrival.ts'
import { publishEndpoint, withdrawReplicaName } from './cluster.ts'
import { nodesIn, primaryOf, withoutNodes } from './members.ts'
import { checkStep } from './nodes.ts'

const added = ({ input: { change } }: Facts): readonly string[] =>
  change?.kind === 'add-nodes' ? change.nodes.map(({ nodeId }) => nodeId) : []

const present = (facts: Facts): readonly string[] => nodesIn(facts).filter((nodeId) => !added(facts).includes(nodeId))

const before = (facts: Facts): Facts => withoutNodes(facts, added(facts))

/** Replicas beside the nodes that are there, which go on serving all the while. */
export const addNodes: Saga = {
  kind: 'add-nodes',
  title: 'Add nodes',
  downtime: 'none',
  steps: [
    ...arrival({ added, present, before }),
    checkStep(primaryOf),
    {
      name: 'endpoint',
      title: 'Publish the addresses to connect to',
      does: publishEndpoint,
      // Where there was no replica before, there was no name for them either.
      undo: (facts) => (present(facts).length > 1 ? publishEndpoint(before(facts)) : withdrawReplicaName(facts)),
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
  ],
}
