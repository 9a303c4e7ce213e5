import type { Order } from '../domain/job/orders.ts'
import type { Facts, Saga, Step } from '../domain/job/saga.ts'
import {
  clusterOf,
  endpointNames,
  everyNode,
  firstNode,
  nodeNames,
  otherNodes,
  withdrawEndpoint,
  withdrawNodeNames,
} from './cluster.ts'
import { sideBySide } from './side-by-side.ts'

const ids = ({ input }: Facts) => ({ provider: input.spec.provider, datastoreId: input.datastoreId })

const eraseNode = (facts: Facts, nodeId: string): Order => ({
  subject: 'cmon.erase-node',
  body: { cluster: clusterOf(facts), nodeId },
})

const software: Omit<Step, 'keys'> = {
  name: 'software',
  title: 'Install the database software and certificates',
  does: (facts, nodeId) => ({ subject: 'cmon.install-node', body: { cluster: clusterOf(facts), nodeId } }),
  undo: eraseNode,
  timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
}

/** From nothing to a database that a tenant can connect to. */
export const deployDatastore: Saga = {
  kind: 'deploy-datastore',
  title: 'Deploy the datastore',
  steps: [
    {
      name: 'network',
      title: 'Create the network',
      does: (facts) => {
        const { network, region } = facts.input.spec
        return { subject: 'infra.create-network', body: { ...ids(facts), networkId: network.networkId, region } }
      },
      undo: (facts) => ({
        subject: 'infra.delete-network',
        body: { ...ids(facts), networkId: facts.input.spec.network.networkId },
      }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
    {
      name: 'machines',
      title: 'Create the machines',
      keys: everyNode,
      does: (facts, nodeId) => {
        const { spec } = facts.input
        const node = spec.nodes.find((plan) => plan.nodeId === nodeId)
        if (node === undefined) throw new Error(`BUG: node ${nodeId} is not in the plan`)
        const { name, zone, instance } = node
        const { networkId } = spec.network
        return {
          subject: 'infra.create-machine',
          body: { ...ids(facts), networkId, nodeId, name, region: spec.region, zone, instance },
        }
      },
      undo: (facts, nodeId) => ({ subject: 'infra.delete-machine', body: { ...ids(facts), nodeId } }),
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'addresses',
      title: 'Allocate the public addresses',
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'infra.allocate-address', body: { ...ids(facts), nodeId } }),
      undo: (facts, nodeId) => ({ subject: 'infra.release-address', body: { ...ids(facts), nodeId } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'volumes',
      title: 'Create and attach the volumes',
      keys: everyNode,
      does: (facts, nodeId) => {
        const { type, sizeGib } = facts.input.spec.volume
        return { subject: 'infra.create-volume', body: { ...ids(facts), nodeId, type, sizeGib } }
      },
      undo: (facts, nodeId) => ({ subject: 'infra.delete-volume', body: { ...ids(facts), nodeId } }),
      timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
    },
    sideBySide('boot', 'Boot the machines and publish their names', [
      {
        name: 'node-names',
        title: 'Publish the names of the nodes',
        does: (facts) => {
          const { datastoreId } = facts.input
          return { subject: 'infra.publish-names', body: { datastoreId, names: nodeNames(facts) } }
        },
        undo: withdrawNodeNames,
        timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
      },
      {
        // What a boot leaves behind goes with the machine.
        name: 'boot',
        title: 'Boot the machines',
        keys: everyNode,
        does: (facts, nodeId) => ({ subject: 'infra.boot-machine', body: { ...ids(facts), nodeId } }),
        timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
      },
      {
        name: 'cluster',
        title: 'Hand the datastore to the controller',
        does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(facts) } }),
        undo: (facts) => ({ subject: 'cmon.forget-cluster', body: { cluster: clusterOf(facts) } }),
        timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
      },
    ]),
    {
      ...software,
      keys: (facts) => [firstNode(facts)],
    },
    sideBySide('primary', 'Set up the primary, prepare the replicas', [
      { ...software, keys: otherNodes },
      {
        name: 'primary',
        title: 'Set up the primary',
        keys: (facts) => [firstNode(facts)],
        does: (facts, nodeId) => ({ subject: 'cmon.bootstrap-primary', body: { cluster: clusterOf(facts), nodeId } }),
        undo: eraseNode,
        timeoutMs: 300_000, attemptsMax: 3, backoffMs: 2_000,
      },
    ]),
    sideBySide('replicas', 'Set up the replicas and the first database', [
      {
        name: 'replicas',
        title: 'Set up the replicas',
        keys: otherNodes,
        does: (facts, nodeId) => ({
          subject: 'cmon.join-replica',
          body: { cluster: clusterOf(facts), nodeId, primaryId: firstNode(facts) },
        }),
        undo: eraseNode,
        timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
      },
      {
        // The account lives in the primary's data, and goes with it.
        name: 'account',
        title: 'Create the first database and its administrator',
        does: (facts) => ({
          subject: 'cmon.create-account',
          body: { cluster: clusterOf(facts), nodeId: firstNode(facts), ...facts.input.spec.account },
        }),
        timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
      },
    ]),
    {
      name: 'check',
      title: 'Check that every node does its part',
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(facts), primaryId: firstNode(facts) },
      }),
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
    },
    {
      name: 'endpoint',
      title: 'Publish the addresses to connect to',
      does: (facts) => ({
        subject: 'infra.publish-names',
        body: { datastoreId: facts.input.datastoreId, names: endpointNames(facts) },
      }),
      undo: withdrawEndpoint,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
  ],
}
