import type { Facts, Saga } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { primaryOf } from './members.ts'
import { sideBySide } from './side-by-side.ts'
import {
  type Switchover, caughtUp, formerFollows, newEndpoint, othersFollow, promote, publishStep, stopPrimary, wholeAgain,
} from './switchover.ts'

const switchover: Switchover = {
  successor: ({ input: { change } }: Facts) => {
    if (change?.kind !== 'promote-replica') throw new Error('BUG: a switchover has a replica to promote')
    return change.nodeId
  },
  after: (facts) => facts,
  restart: (facts, nodeId) => ({ subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }),
}

/**
 * A planned switchover that loses no transaction: the primary is stopped first, and the replica is promoted only when it
 * holds all that was ever written there. Until then the primary can be had back; from the promotion on there is only forward.
 */
export const promoteReplica: Saga = {
  kind: 'promote-replica',
  title: 'Promote a replica',
  downtime: 'write-pause',
  steps: [
    {
      name: 'ready',
      title: 'Check that every node is fit for it',
      does: (facts) => ({
        subject: 'cmon.check-cluster',
        body: { cluster: clusterOf(facts), primaryId: primaryOf(facts) },
      }),
      timeoutMs: 20_000, attemptsMax: 2, backoffMs: 1_000,
    },
    stopPrimary(switchover),
    caughtUp(switchover),
    promote(switchover),
    {
      ...sideBySide('switch', 'Lead everyone to the new primary', [
        newEndpoint(switchover), formerFollows(switchover), othersFollow(switchover),
      ]),
      irreversible: true,
    },
    wholeAgain(switchover),
    publishStep(),
  ],
}
