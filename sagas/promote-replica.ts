import type { Facts, Saga, Step } from '../domain/job/saga.ts'
import { clusterOf, endpointNames } from './cluster.ts'
import { nodesIn, primaryOf } from './members.ts'
import { sideBySide } from './side-by-side.ts'

/** The replica that becomes the primary. */
const promoted = ({ input: { change } }: Facts): readonly string[] =>
  change?.kind === 'promote-replica' ? [change.nodeId] : []

const successorOf = (facts: Facts): string => {
  const [nodeId] = promoted(facts)
  if (nodeId === undefined) throw new Error('BUG: a switchover has a replica to promote')
  return nodeId
}

/** The facts as they are once the replica is promoted; the former primary serves nobody yet. */
const switched = (facts: Facts): Facts => {
  const { input } = facts
  const former = primaryOf(facts)
  const nodes = input.nodes
    .filter(({ nodeId }) => nodeId !== former)
    .map((node) => ({ ...node, role: node.nodeId === successorOf(facts) ? 'primary' : 'replica' } as const))
  // All that the job has learnt is the roles of before.
  return { input: { ...input, nodes }, learned: { nodes: {} } }
}

const publish = (facts: Facts) =>
  ({
    subject: 'infra.publish-names',
    body: { datastoreId: facts.input.datastoreId, names: endpointNames(facts) },
  }) as const

const newEndpoint: Step = {
  name: 'endpoint',
  title: 'Lead the name of the primary to it',
  does: (facts) => publish(switched(facts)),
  timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
}

const formerFollows: Step = {
  name: 'former',
  title: 'Make a replica of the former primary',
  keys: (facts) => [primaryOf(facts)],
  does: (facts, nodeId) => ({
    subject: 'cmon.follow-primary',
    body: { cluster: clusterOf(facts), nodeId, primaryId: successorOf(facts) },
  }),
  timeoutMs: 300_000, attemptsMax: 3, backoffMs: 2_000,
}

/** The promoted one keeps what the others need; they read their configuration anew, and no connection to them is cut. */
const othersFollow: Step = {
  name: 'others',
  title: 'Let the other replicas follow it',
  keys: (facts) => nodesIn(facts).filter((nodeId) => nodeId !== primaryOf(facts)),
  does: (facts, nodeId) => ({
    subject: 'cmon.configure-node',
    body: { cluster: clusterOf(facts), nodeId, primaryId: successorOf(facts) },
  }),
  timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
}

/**
 * A planned switchover that loses no transaction: the primary is stopped first, and the replica is promoted only when it
 * holds all that was ever written there. Until then the primary can be had back; from the promotion on there is only forward.
 */
export const promoteReplica: Saga = {
  kind: 'promote-replica',
  title: 'Promote a replica',
  downtime: 'write-pause',
  steps: [
    {
      name: 'ready',
      title: 'Check that every node is fit for it',
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(facts), primaryId: primaryOf(facts) },
      }),
      timeoutMs: 20_000, attemptsMax: 2, backoffMs: 1_000,
    },
    {
      name: 'stop',
      title: 'Stop the primary, writes pause',
      keys: (facts) => [primaryOf(facts)],
      does: (facts, nodeId) => ({ subject: 'cmon.stop-node', body: { cluster: clusterOf(facts), nodeId } }),
      undo: (facts, nodeId) => ({ subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }),
      timeoutMs: 120_000, attemptsMax: 2, backoffMs: 500,
    },
    {
      name: 'caught-up',
      title: 'See that the replica has every transaction',
      keys: promoted,
      does: (facts, nodeId) => ({
        subject: 'cmon.catch-up',
        body: { cluster: clusterOf(facts), nodeId, formerId: primaryOf(facts) },
      }),
      timeoutMs: 15_000, attemptsMax: 2, backoffMs: 250,
    },
    {
      name: 'promote',
      title: 'Promote the replica',
      irreversible: true,
      keys: promoted,
      does: (facts, nodeId) => ({ subject: 'cmon.promote-replica', body: { cluster: clusterOf(facts), nodeId } }),
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 250,
    },
    {
      ...sideBySide('switch', 'Lead everyone to the new primary', [newEndpoint, formerFollows, othersFollow]),
      irreversible: true,
    },
    {
      name: 'check',
      title: 'Check that every node does its part',
      irreversible: true,
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(facts), primaryId: successorOf(facts) },
      }),
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
    },
    {
      name: 'endpoint',
      title: 'Publish the addresses to connect to',
      irreversible: true,
      does: publish,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
  ],
}
