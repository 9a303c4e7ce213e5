import { changed } from '../domain/datastore/changes/index.ts'
import type { JobInput } from '../domain/datastore/messages.ts'
import type { Facts, Saga } from '../domain/job/saga.ts'
import { nodesIn } from './members.ts'
import { configureStep } from './nodes.ts'

/** Every node, so that one that is promoted later waits for replicas as the one before it did. */
export const setSynchronous = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'set-synchronous') throw new Error('BUG: to wait for replicas is another change')
  const after = ({ input, learned }: Facts): Facts => ({
    input: { ...input, spec: changed(input, change).spec },
    learned,
  })
  return {
    kind: 'set-synchronous',
    title: change.synchronous ? 'Have writes wait for a replica' : 'Have writes wait for no replica',
    downtime: 'none',
    steps: [
      {
        ...configureStep(nodesIn, after, (facts) => facts),
        name: 'mode',
        title: change.synchronous ? 'Let every write wait until a replica has it' : 'Let no write wait for a replica',
      },
    ],
  }
}
