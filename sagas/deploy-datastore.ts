import type { JobInput } from '../domain/datastore/messages.ts'
import type { Saga } from '../domain/job/saga.ts'
import { accessSteps } from './access.ts'
import {
  clusterOf,
  everyNode,
  firstNode,
  nodeNames,
  otherNodes,
  publishEndpoint,
  withdrawForGood,
  withdrawNodeNames,
} from './cluster.ts'
import { bootStep, checkStep, eraseNode, ids, machineSteps, replicaStep, softwareStep } from './nodes.ts'
import { sideBySide } from './side-by-side.ts'

/** From nothing to a database that a tenant can connect to. */
export const deployDatastore = ({ spec }: JobInput): Saga => ({
  kind: 'deploy-datastore',
  title: 'Deploy the datastore',
  downtime: 'none',
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
    ...machineSteps(everyNode),
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
      bootStep(everyNode),
      {
        name: 'cluster',
        title: 'Hand the datastore to the controller',
        does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(facts) } }),
        undo: (facts) => ({ subject: 'cmon.forget-cluster', body: { cluster: clusterOf(facts) } }),
        timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
      },
    ]),
    softwareStep((facts) => [firstNode(facts)]),
    sideBySide('primary', 'Set up the primary, prepare the replicas', [
      softwareStep(otherNodes),
      {
        name: 'primary',
        title: 'Set up the primary',
        keys: (facts) => [firstNode(facts)],
        does: (facts, nodeId) => ({ subject: 'cmon.bootstrap-primary', body: { cluster: clusterOf(facts), nodeId } }),
        undo: (facts, nodeId) => eraseNode(facts, nodeId),
        timeoutMs: 300_000, attemptsMax: 3, backoffMs: 2_000,
      },
    ]),
    sideBySide('replicas', 'Set up the replicas and the first database', [
      replicaStep(otherNodes, firstNode),
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
    ...accessSteps(spec, firstNode),
    checkStep(firstNode),
    {
      name: 'endpoint',
      title: 'Publish the addresses to connect to',
      does: publishEndpoint,
      undo: withdrawForGood,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
  ],
})
