import type { Facts, Saga } from '../domain/job/saga.ts'
import { clusterOf, namesOf, publishEndpoint, withdrawNames, withdrawReplicaName } from './cluster.ts'
import { nodesIn, primaryOf, withoutNodes } from './members.ts'
import { bootStep, checkStep, configureStep, machineSteps, replicaStep, softwareStep } from './nodes.ts'
import { sideBySide } from './side-by-side.ts'

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
    ...machineSteps(added),
    sideBySide('boot', 'Boot the machines and publish their names', [
      {
        name: 'node-names',
        title: 'Publish the names of the nodes',
        does: (facts) => {
          const { datastoreId } = facts.input
          return { subject: 'infra.publish-names', body: { datastoreId, names: namesOf(facts, added(facts)) } }
        },
        undo: (facts) => withdrawNames(facts, added(facts)),
        timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
      },
      bootStep(added),
      {
        name: 'cluster',
        title: 'Tell the controller of them',
        does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(facts) } }),
        undo: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(before(facts)) } }),
        timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
      },
    ]),
    sideBySide('software', 'Install the database software, let the new nodes in', [
      softwareStep(added),
      configureStep(present, (facts) => facts, before),
    ]),
    replicaStep(added, primaryOf),
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
