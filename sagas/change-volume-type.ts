import type { JobInput } from '../domain/datastore/messages.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import type { Order } from '../domain/job/orders.ts'
import type { Facts, Saga } from '../domain/job/saga.ts'
import { nodesIn } from './members.ts'
import { ids } from './nodes.ts'
import { checkVolumesStep, growSteps } from './volumes.ts'

type Volume = DatastoreSpec['volume']

const ordered = (facts: Facts, nodeId: string, { type, iops }: Volume): Order => ({
  subject: 'infra.change-volume',
  body: { ...ids(facts), nodeId, type, ...(iops === null ? {} : { iops }) },
})

/** Volumes of another kind with what is in them; larger ones only once every one is of that kind. */
export const changeVolumeType = ({ spec: { volume: before }, change }: JobInput): Saga => {
  if (change?.kind !== 'change-volume-type') throw new Error('BUG: another kind of volume is another change')
  const { volume: after } = change
  return {
    kind: 'change-volume-type',
    title: `Change the volumes to ${after.type}`,
    downtime: 'none',
    steps: [
      checkVolumesStep(after.sizeGib),
      {
        name: 'type',
        title: 'Change the kind of every volume',
        keys: nodesIn,
        does: (facts, nodeId) => ordered(facts, nodeId, after),
        undo: (facts, nodeId) => ordered(facts, nodeId, before),
        timeoutMs: 600_000, attemptsMax: 5, backoffMs: 1_000,
      },
      ...growSteps((facts) => (after.sizeGib > before.sizeGib ? nodesIn(facts) : []), after.sizeGib),
    ],
  }
}
