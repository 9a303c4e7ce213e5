import type { Step } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { nodesIn } from './members.ts'
import { type Nodes, ids } from './nodes.ts'

/** Whatever can be known beforehand to stand in the way of volumes of that size. */
export const checkVolumesStep = (sizeGib: number): Step => ({
  name: 'volumes',
  title: 'See that every volume is there and may be changed so',
  keys: nodesIn,
  does: (facts, nodeId) => ({ subject: 'infra.check-volume', body: { ...ids(facts), nodeId, sizeGib } }),
  timeoutMs: 60_000, attemptsMax: 3, backoffMs: 1_000,
})

/**
 * Growth has no way back. A server that has gone down on a full volume is started once there is room; one that stays down
 * for another reason does not keep the growth from its end.
 *
 * @param keys whose volumes grow; none where they are as large already
 */
export const growSteps = (keys: Nodes, sizeGib: number): readonly Step[] => [
  {
    name: 'grow',
    title: `Grow every volume to ${sizeGib} GiB`,
    irreversible: true,
    keys,
    does: (facts, nodeId) => ({ subject: 'infra.grow-volume', body: { ...ids(facts), nodeId, sizeGib } }),
    timeoutMs: 600_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'servers',
    title: 'Start servers that a full volume had stopped',
    irreversible: true,
    keys,
    does: (facts, nodeId) => ({ subject: 'cmon.revive-node', body: { cluster: clusterOf(facts), nodeId } }),
    timeoutMs: 180_000, attemptsMax: 3, backoffMs: 1_000,
  },
]
