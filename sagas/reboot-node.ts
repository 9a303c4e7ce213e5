import type { JobInput } from '../domain/datastore/messages.ts'
import type { Downtime, Facts, Saga } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { primaryOf } from './members.ts'

const rebooted = ({ input: { change } }: Facts): readonly string[] => (change?.kind === 'reboot-node' ? [change.nodeId] : [])

const downtimeOf = (input: JobInput): Downtime => {
  const facts = { input, learned: { nodes: {} } }
  if (!rebooted(facts).includes(primaryOf(facts))) return 'none'
  return input.spec.nodes.length > 1 ? 'write-pause' : 'down'
}

/** One node down and up again in place; all the others go on serving. */
export const rebootNode = (input: JobInput): Saga => ({
  kind: 'reboot-node',
  title: 'Reboot a node',
  downtime: downtimeOf(input),
  steps: [
    {
      name: 'restart',
      title: 'Stop the node and start it again',
      keys: rebooted,
      does: (facts, nodeId) => ({
        subject: 'cmon.restart-node',
        body: { cluster: clusterOf(facts), nodeId, primaryId: primaryOf(facts) },
      }),
      undo: (facts, nodeId) => ({ subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }),
      timeoutMs: 180_000, attemptsMax: 3, backoffMs: 1_000,
    },
  ],
})
