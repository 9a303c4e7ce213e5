import type { JobInput } from '../domain/datastore/messages.ts'
import type { Facts, Saga } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { nodesIn, primaryOf } from './members.ts'
import { configureStep } from './nodes.ts'

const withReadOnly = ({ input, learned }: Facts, readOnly: boolean): Facts => ({
  input: { ...input, spec: { ...input.spec, readOnly } },
  learned,
})

/** Every node, so that one that is promoted later is as the one before it was. */
export const setReadOnly = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'set-read-only') throw new Error('BUG: to hold writes back is another change')
  const { readOnly, because } = change
  const after = (facts: Facts): Facts => withReadOnly(facts, readOnly)
  return {
    kind: 'set-read-only',
    title: `${readOnly ? 'Hold writes back' : 'Take writes again'}: ${because}`,
    downtime: readOnly ? 'write-pause' : 'none',
    steps: [
      {
        ...configureStep(nodesIn, after, (facts) => facts),
        name: 'mode',
        title: readOnly ? 'Make the nodes read-only' : 'Let the nodes take writes',
      },
      {
        // Whoever was writing before the server was told would go on until the volume is full.
        name: 'writers',
        title: 'End what is still being written',
        keys: (facts) => (readOnly ? [primaryOf(facts)] : []),
        does: (facts, nodeId) => ({ subject: 'cmon.end-writers', body: { cluster: clusterOf(after(facts)), nodeId } }),
        timeoutMs: 60_000, attemptsMax: 3, backoffMs: 500,
      },
    ],
  }
}
