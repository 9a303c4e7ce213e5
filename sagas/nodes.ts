import type { Order } from '../domain/job/orders.ts'
import type { Facts, Step } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { firewallOf } from './firewall.ts'
import { primaryOf } from './members.ts'

/** Which of the nodes a step is about. */
export type Nodes = (facts: Facts) => readonly string[]

export const ids = ({ input }: Facts) => ({ provider: input.spec.provider, datastoreId: input.datastoreId })

const planOf = ({ input: { spec } }: Facts, nodeId: string) => {
  const plan = spec.nodes.find((node) => node.nodeId === nodeId)
  if (plan === undefined) throw new Error(`BUG: node ${nodeId} is not in the plan`)
  return plan
}

export const eraseNode = (facts: Facts, nodeId: string): Order => ({
  subject: 'cmon.erase-node',
  body: { cluster: clusterOf(facts), nodeId },
})

/** Machines with an address and a volume each; not booted yet. */
export const machineSteps = (keys: Nodes): readonly Step[] => [
  {
    name: 'machines',
    title: 'Create the machines',
    keys,
    does: (facts, nodeId) => {
      const { spec } = facts.input
      const { name, zone, instance } = planOf(facts, nodeId)
      const { networkId } = spec.network
      return {
        subject: 'infra.create-machine',
        body: { ...ids(facts), networkId, nodeId, name, region: spec.region, zone, instance, firewall: firewallOf(spec) },
      }
    },
    undo: (facts, nodeId) => ({ subject: 'infra.delete-machine', body: { ...ids(facts), nodeId } }),
    timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'addresses',
    title: 'Allocate the public addresses',
    keys,
    does: (facts, nodeId) => ({ subject: 'infra.allocate-address', body: { ...ids(facts), nodeId } }),
    undo: (facts, nodeId) => ({ subject: 'infra.release-address', body: { ...ids(facts), nodeId } }),
    timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'volumes',
    title: 'Create and attach the volumes',
    keys,
    does: (facts, nodeId) => {
      const { type, sizeGib, iops } = facts.input.spec.volume
      const speed = iops === null ? {} : { iops }
      return { subject: 'infra.create-volume', body: { ...ids(facts), nodeId, type, sizeGib, ...speed } }
    },
    undo: (facts, nodeId) => ({ subject: 'infra.delete-volume', body: { ...ids(facts), nodeId } }),
    timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
  },
]

/** What a boot leaves behind goes with the machine. */
export const bootStep = (keys: Nodes): Step => ({
  name: 'boot',
  title: 'Boot the machines',
  keys,
  does: (facts, nodeId) => ({ subject: 'infra.boot-machine', body: { ...ids(facts), nodeId } }),
  timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
})

export const softwareStep = (keys: Nodes): Step => ({
  name: 'software',
  title: 'Install the database software and certificates',
  keys,
  does: (facts, nodeId) => ({ subject: 'cmon.install-node', body: { cluster: clusterOf(facts), nodeId } }),
  undo: eraseNode,
  timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
})

const A_DAY_MS = 86_400_000

/** Copies of the primary that stream from it. */
export const replicaStep = (keys: Nodes, primaryOf: (facts: Facts) => string): Step => ({
  name: 'replicas',
  title: 'Set up the replicas',
  keys,
  does: (facts, nodeId) => ({
    subject: 'cmon.join-replica',
    body: { cluster: clusterOf(facts), nodeId, primaryId: primaryOf(facts) },
  }),
  undo: eraseNode,
  // A copy takes as long as there is data: it is given up only when it stands still.
  timeoutMs: 900_000, movingMaxMs: A_DAY_MS, attemptsMax: 3, backoffMs: 2_000,
})

export const checkStep = (primaryOf: (facts: Facts) => string): Step => ({
  name: 'check',
  title: 'Check that every node does its part',
  does: (facts) => ({ subject: 'cmon.check-cluster', body: { cluster: clusterOf(facts), primaryId: primaryOf(facts) } }),
  timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
})

/**
 * Tells members that run whom to let in and whom to follow.
 *
 * @param after the facts with the members there are to be
 * @param before the facts with the members there were; left out where there is no way back
 */
export const configureStep = (
  keys: Nodes,
  after: (facts: Facts) => Facts,
  before?: (facts: Facts) => Facts,
): Step => {
  const orderBy = (members: (facts: Facts) => Facts) => (facts: Facts, nodeId: string): Order => ({
    subject: 'cmon.configure-node',
    body: { cluster: clusterOf(members(facts)), nodeId, primaryId: primaryOf(facts) },
  })
  return {
    name: 'members',
    title: 'Tell the nodes of each other',
    ...(before === undefined ? { irreversible: true } : { undo: orderBy(before) }),
    keys,
    does: orderBy(after),
    timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
  }
}
