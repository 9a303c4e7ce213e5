import type { Order } from '../domain/job/orders.ts'
import type { Facts, Step } from '../domain/job/saga.ts'
import { clusterOf, publishEndpoint } from './cluster.ts'
import { nodesIn, primaryOf } from './members.ts'

/** A planned change of the primary, as one of several things that a job does. */
export type Switchover = {
  /** The replica that becomes the primary. */
  readonly successor: (facts: Facts) => string
  /** The datastore as it is to be once the job is done. */
  readonly after: (facts: Facts) => Facts
  /** Gives the primary back after it was stopped. */
  readonly restart: (facts: Facts, nodeId: string) => Order
}

/** The facts as they are once the replica is promoted; the former primary serves nobody yet. */
const switched = (facts: Facts, successor: string): Facts => {
  const { input, learned } = facts
  const former = primaryOf(facts)
  const roleOf = (nodeId: string) => (nodeId === successor ? 'primary' : 'replica')
  const nodes = input.nodes.flatMap((node) => (node.nodeId === former ? [] : [{ ...node, role: roleOf(node.nodeId) }] as const))
  // What the job has learnt of roles is of before.
  const addresses = Object.entries(learned.nodes).map(([nodeId, { privateAddress, publicAddress }]) => {
    const known = { ...(privateAddress && { privateAddress }), ...(publicAddress && { publicAddress }) }
    return [nodeId, nodeId === successor ? { ...known, role: 'primary' as const } : known] as const
  })
  return { input: { ...input, nodes }, learned: { nodes: Object.fromEntries(addresses) } }
}

/** From here on writes pause. Until the promotion the primary can be had back. */
export const stopPrimary = ({ restart }: Switchover): Step => ({
  name: 'stop',
  title: 'Stop the primary, writes pause',
  keys: (facts) => [primaryOf(facts)],
  does: (facts, nodeId) => ({ subject: 'cmon.stop-node', body: { cluster: clusterOf(facts), nodeId } }),
  undo: restart,
  timeoutMs: 120_000, attemptsMax: 2, backoffMs: 500,
})

export const caughtUp = ({ successor }: Switchover): Step => ({
  name: 'caught-up',
  title: 'See that the replica has every transaction',
  keys: (facts) => [successor(facts)],
  does: (facts, nodeId) => ({
    subject: 'cmon.catch-up',
    body: { cluster: clusterOf(facts), nodeId, formerId: primaryOf(facts) },
  }),
  timeoutMs: 15_000, attemptsMax: 2, backoffMs: 250,
})

/** From here on there is only forward. */
export const promote = ({ successor }: Switchover): Step => ({
  name: 'promote',
  title: 'Promote the replica',
  irreversible: true,
  keys: (facts) => [successor(facts)],
  does: (facts, nodeId) => ({ subject: 'cmon.promote-replica', body: { cluster: clusterOf(facts), nodeId } }),
  timeoutMs: 120_000, attemptsMax: 3, backoffMs: 250,
})

export const newEndpoint = ({ successor, after }: Switchover): Step => ({
  name: 'endpoint',
  title: 'Lead the name of the primary to it',
  does: (facts) => publishEndpoint(after(switched(facts, successor(facts)))),
  timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
})

export const formerFollows = ({ successor, after }: Switchover): Step => ({
  name: 'former',
  title: 'Make a replica of the former primary',
  keys: (facts) => [primaryOf(facts)],
  does: (facts, nodeId) => ({
    subject: 'cmon.follow-primary',
    body: { cluster: clusterOf(after(facts)), nodeId, primaryId: successor(facts) },
  }),
  timeoutMs: 300_000, attemptsMax: 3, backoffMs: 2_000,
})

/** The promoted one keeps what the others need; they read their configuration anew, and no connection to them is cut. */
export const othersFollow = ({ successor, after }: Switchover): Step => ({
  name: 'others',
  title: 'Let the other replicas follow it',
  keys: (facts) => nodesIn(after(facts)).filter((nodeId) => nodeId !== primaryOf(facts)),
  does: (facts, nodeId) => ({
    subject: 'cmon.configure-node',
    body: { cluster: clusterOf(after(facts)), nodeId, primaryId: successor(facts) },
  }),
  timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
})

export const wholeAgain = ({ successor, after }: Switchover): Step => ({
  name: 'check',
  title: 'Check that every node does its part',
  irreversible: true,
  does: (facts) => ({
    subject: 'cmon.check-cluster',
    body: { cluster: clusterOf(after(facts)), primaryId: successor(facts) },
  }),
  timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
})

/**
 * Makes every name lead where it is to, once all is done.
 *
 * @param after the datastore as it is then, where its members are others than before
 */
export const publishStep = (after: Switchover['after'] = (facts) => facts): Step => ({
  name: 'endpoint',
  title: 'Publish the addresses to connect to',
  irreversible: true,
  does: (facts) => publishEndpoint(after(facts)),
  timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
})
