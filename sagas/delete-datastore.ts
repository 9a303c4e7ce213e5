import type { JobInput } from '../domain/datastore/messages.ts'
import type { Facts, Saga } from '../domain/job/saga.ts'
import { bootAgainStep } from './power.ts'
import {
  clusterOf, endpointNames, everyNode, publishEndpoint, wasDeployed, withdrawEndpoint, withdrawNodeNames,
} from './cluster.ts'

const ids = ({ input }: Facts) => ({ provider: input.spec.provider, datastoreId: input.datastoreId })

/**
 * From a database to nothing. Until the first node is erased the datastore can be had back; from there on there is only forward.
 * Every step also does its part on a datastore that was never, or only half, deployed.
 */
export const deleteDatastore = ({ spec: { stopped = false } }: JobInput): Saga => ({
  kind: 'delete-datastore',
  title: 'Delete the datastore',
  downtime: 'gone',
  steps: [
    // Machines that are off hold data that only they can erase.
    ...(stopped ? [bootAgainStep] : []),
    {
      name: 'endpoint',
      title: 'Withdraw the addresses to connect to',
      does: withdrawEndpoint,
      undo: (facts) => (endpointNames(facts).length === 0 ? undefined : publishEndpoint(facts)),
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
    {
      name: 'stop',
      title: 'Stop the database servers',
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'cmon.stop-node', body: { cluster: clusterOf(facts), nodeId } }),
      // A server that was never deployed cannot be started, however often that is tried; one that was stopped stays so.
      undo: (facts, nodeId) =>
        wasDeployed(facts, nodeId) && !stopped
          ? { subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }
          : undefined,
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
    },
    {
      name: 'erase',
      title: 'Erase the data',
      irreversible: true,
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'cmon.erase-node', body: { cluster: clusterOf(facts), nodeId } }),
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'cluster',
      title: 'Take the datastore from the controller',
      irreversible: true,
      does: (facts) => ({ subject: 'cmon.forget-cluster', body: { cluster: clusterOf(facts) } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
    {
      name: 'node-names',
      title: 'Withdraw the names of the nodes',
      irreversible: true,
      does: withdrawNodeNames,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
    {
      name: 'volumes',
      title: 'Delete the volumes',
      irreversible: true,
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'infra.delete-volume', body: { ...ids(facts), nodeId } }),
      timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'addresses',
      title: 'Release the public addresses',
      irreversible: true,
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'infra.release-address', body: { ...ids(facts), nodeId } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'machines',
      title: 'Delete the machines',
      irreversible: true,
      keys: everyNode,
      does: (facts, nodeId) => ({ subject: 'infra.delete-machine', body: { ...ids(facts), nodeId } }),
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'network',
      title: 'Delete the network',
      irreversible: true,
      does: (facts) => ({
        subject: 'infra.delete-network',
        body: { ...ids(facts), networkId: facts.input.spec.network.networkId },
      }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
    {
      name: 'sweep',
      title: 'Make sure that nothing is left',
      irreversible: true,
      does: (facts) => {
        const { datastoreId, spec } = facts.input
        return { subject: 'infra.sweep', body: { ...ids(facts), suffix: `${datastoreId}.${spec.domain}` } }
      },
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
  ],
})
