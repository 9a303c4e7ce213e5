import type { Facts, Step } from '../domain/job/saga.ts'
import { clusterOf, namesOf, withdrawNames } from './cluster.ts'
import { primaryOf } from './members.ts'
import { type Nodes, bootStep, configureStep, machineSteps, replicaStep, softwareStep } from './nodes.ts'
import { sideBySide } from './side-by-side.ts'

export type Arrival = {
  /** The nodes that come. */
  readonly added: Nodes
  /** Those that are there and let them in. */
  readonly present: Nodes
  /** The datastore as it was before them. */
  readonly before: (facts: Facts) => Facts
}

/** Nodes come and stream from the primary; all that were there go on serving. Nobody is led to the new ones yet. */
export const arrival = ({ added, present, before }: Arrival): readonly Step[] => [
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
]
