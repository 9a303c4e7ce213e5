import type { JobInput } from '../domain/datastore/messages.ts'
import { highAvailabilityOf } from '../domain/datastore/high-availability.ts'
import { type Facts, ONLY, type Saga } from '../domain/job/saga.ts'
import { clusterOf, publishEndpoint } from './cluster.ts'
import { nodesIn } from './members.ts'
import { sideBySide } from './side-by-side.ts'

const lostIn = ({ change }: JobInput) => {
  if (change?.kind !== 'fail-over') throw new Error('BUG: a failover has a primary that is lost')
  return change
}

const lost = ({ input }: Facts): readonly string[] => [lostIn(input).lostId]

/** Who takes the place of the lost one; it is one, whoever that will be. */
const elected = ({ learned: { failover } }: Facts): readonly string[] => [failover?.elected ?? ONLY]

const successorOf = ({ learned: { failover } }: Facts): string => {
  if (failover?.elected === undefined) throw new Error('BUG: nobody is promoted who was not elected')
  return failover.elected
}

/** All that answer when they are asked; what is silent is made whole by a job of its own. */
const others = (facts: Facts): readonly string[] => {
  const positions = facts.learned.failover?.positions
  return positions === undefined ? left(facts) : Object.keys(positions)
}

const left = (facts: Facts): readonly string[] => nodesIn(facts).filter((nodeId) => !lost(facts).includes(nodeId))

/** The datastore once the elected node is the primary; nobody is led to the lost one. */
const after = (facts: Facts): Facts => {
  const nodes = facts.input.nodes.flatMap((node) =>
    lost(facts).includes(node.nodeId)
      ? []
      : [{ ...node, role: elected(facts).includes(node.nodeId) ? 'primary' : 'replica' } as const],
  )
  return { ...facts, input: { ...facts.input, nodes } }
}

/**
 * Another node takes the place of a primary that is lost. First the lost one is kept from taking writes; only then is it final
 * who holds how much. Until the promotion it can be had back.
 */
export const failOver = (input: JobInput): Saga => ({
  kind: 'fail-over',
  title: 'Fail over to another node',
  downtime: 'write-pause',
  steps: [
    {
      name: 'fence',
      title: 'See that the lost primary takes no writes',
      keys: lost,
      does: (facts, nodeId) => {
        const { prefer } = highAvailabilityOf(input.spec)
        return { subject: 'cmon.fence-node', body: { cluster: clusterOf(facts), nodeId, prefer } }
      },
      undo: (facts, nodeId) => ({ subject: 'cmon.unfence-node', body: { cluster: clusterOf(facts), nodeId } }),
      timeoutMs: 30_000, attemptsMax: 3, backoffMs: 200,
    },
    {
      name: 'elect',
      title: 'Find the replica that holds most',
      does: (facts) => {
        const { synchronous, prefer, lagMaxBytes } = highAvailabilityOf(input.spec)
        const { lostId, lastKnownBytes } = lostIn(input)
        const by = { synchronous, prefer, lagMaxBytes, lastKnownBytes }
        return { subject: 'cmon.elect-primary', body: { cluster: clusterOf(facts), lostId, ...by } }
      },
      timeoutMs: 20_000, attemptsMax: 3, backoffMs: 200,
    },
    {
      name: 'promote',
      title: 'Promote it',
      irreversible: true,
      keys: elected,
      does: (facts, nodeId) => {
        const positionBytes = facts.learned.failover?.positions?.[nodeId]
        const held = positionBytes === undefined ? {} : { positionBytes }
        return { subject: 'cmon.promote-replica', body: { cluster: clusterOf(facts), nodeId, ...held } }
      },
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 200,
    },
    {
      ...sideBySide('switch', 'Lead everyone to the new primary', [
        {
          name: 'endpoint',
          title: 'Lead the name of the primary to it',
          does: (facts) => publishEndpoint(after(facts)),
          timeoutMs: 30_000, attemptsMax: 8, backoffMs: 200,
        },
        {
          name: 'others',
          title: 'Tell the nodes whom to follow',
          keys: others,
          does: (facts, nodeId) => ({
            subject: 'cmon.configure-node',
            body: { cluster: clusterOf(facts), nodeId, primaryId: successorOf(facts), ifItAnswers: true },
          }),
          timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
        },
      ]),
      irreversible: true,
    },
  ],
})
