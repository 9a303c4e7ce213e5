import type { Facts, Saga } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { nodesIn, primaryOf, withoutNodes } from './members.ts'
import { bootStep, checkStep } from './nodes.ts'
import { publishStep } from './switchover.ts'

const rejoined = ({ input: { change } }: Facts): readonly string[] => (change?.kind === 'rejoin-node' ? [change.nodeId] : [])

/** The primary and the node: what else is lost is not waited for. */
const both = (facts: Facts): Facts =>
  withoutNodes(facts, nodesIn(facts).filter((nodeId) => nodeId !== primaryOf(facts) && !rejoined(facts).includes(nodeId)))

const A_DAY_MS = 86_400_000

/**
 * A node that was lost is a replica again, whatever its machine holds: the data of a crashed primary, of a replica that
 * has gone another way, or nothing. A machine that does not come up soon is given up until it is seen, or replaced.
 */
export const rejoinNode: Saga = {
  kind: 'rejoin-node',
  title: 'Rejoin a node',
  downtime: 'none',
  steps: [
    { ...bootStep(rejoined), title: 'See that the machine is up', timeoutMs: 120_000, attemptsMax: 2 },
    {
      name: 'rejoin',
      title: 'Make a replica of what it holds',
      keys: rejoined,
      does: (facts, nodeId) => ({
        subject: 'cmon.rejoin-node',
        body: { cluster: clusterOf(facts), nodeId, primaryId: primaryOf(facts) },
      }),
      // A copy takes as long as there is data: it is given up only when it stands still.
      timeoutMs: 120_000, movingMaxMs: A_DAY_MS, attemptsMax: 3, backoffMs: 2_000,
    },
    {
      ...checkStep(primaryOf),
      title: 'Check that it does its part',
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(both(facts)), primaryId: primaryOf(facts) },
      }),
    },
    publishStep(),
  ],
}
