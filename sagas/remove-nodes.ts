import { type Facts, ONLY, type Saga } from '../domain/job/saga.ts'
import { clusterOf, publishEndpoint, withdrawNames, withdrawReplicaName } from './cluster.ts'
import { nodesIn, primaryOf, withoutNodes } from './members.ts'
import { configureStep, eraseNode, ids } from './nodes.ts'

const removed = ({ input: { change } }: Facts): readonly string[] =>
  change?.kind === 'remove-nodes' ? change.nodeIds.filter((nodeId, n, all) => all.indexOf(nodeId) === n) : []

const left = (facts: Facts): Facts => withoutNodes(facts, removed(facts))

const hasReplica = (facts: Facts): boolean => nodesIn(facts).length > 1

/** Replicas taken away, once nobody is led to them any more. */
export const removeNodes: Saga = {
  kind: 'remove-nodes',
  title: 'Remove nodes',
  downtime: 'none',
  steps: [
    {
      name: 'endpoint',
      title: 'Lead nobody to them any more',
      does: (facts) => publishEndpoint(left(facts)),
      undo: publishEndpoint,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
    {
      name: 'replica-name',
      title: 'Withdraw the name of the replicas',
      keys: (facts) => (hasReplica(left(facts)) ? [] : [ONLY]),
      does: withdrawReplicaName,
      undo: publishEndpoint,
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
    {
      name: 'erase',
      title: 'Erase their data',
      irreversible: true,
      keys: removed,
      does: eraseNode,
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'cluster',
      title: 'Tell the controller',
      irreversible: true,
      does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(left(facts)) } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
    configureStep((facts) => nodesIn(left(facts)), left),
    {
      name: 'node-names',
      title: 'Withdraw their names',
      irreversible: true,
      does: (facts) => withdrawNames(facts, removed(facts)),
      timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
    },
    {
      name: 'volumes',
      title: 'Delete their volumes',
      irreversible: true,
      keys: removed,
      does: (facts, nodeId) => ({ subject: 'infra.delete-volume', body: { ...ids(facts), nodeId } }),
      timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'addresses',
      title: 'Release their public addresses',
      irreversible: true,
      keys: removed,
      does: (facts, nodeId) => ({ subject: 'infra.release-address', body: { ...ids(facts), nodeId } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'machines',
      title: 'Delete their machines',
      irreversible: true,
      keys: removed,
      does: (facts, nodeId) => ({ subject: 'infra.delete-machine', body: { ...ids(facts), nodeId } }),
      timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
    },
    {
      name: 'check',
      title: 'Check that every node does its part',
      irreversible: true,
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(left(facts)), primaryId: primaryOf(facts) },
      }),
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
    },
  ],
}
