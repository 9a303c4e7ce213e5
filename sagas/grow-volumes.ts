import type { JobInput } from '../domain/datastore/messages.ts'
import type { Saga } from '../domain/job/saga.ts'
import { nodesIn } from './members.ts'
import { checkVolumesStep, growSteps } from './volumes.ts'

/**
 * Larger volumes on every node, while they are used. Nothing here asks a database for anything that a full volume could
 * not give.
 */
export const growVolumes = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'grow-volumes') throw new Error('BUG: larger volumes are another change')
  const { sizeGib, because } = change
  return {
    kind: 'grow-volumes',
    title: `Grow the volumes to ${sizeGib} GiB${because === undefined ? '' : `: ${because}`}`,
    downtime: 'none',
    steps: [checkVolumesStep(sizeGib), ...growSteps(nodesIn, sizeGib)],
  }
}
