import type { Settings } from './messages.ts'
import type { DatastoreSpec, HighAvailability } from './spec.ts'

const NEVER_CHOSEN: Required<HighAvailability> = {
  synchronous: false,
  prefer: 'consistency',
  repairAfterSeconds: 300,
  lagMaxBytes: 16_777_216,
  failoversPerHourMax: 3,
}

/** What is done when a node of a datastore is lost, by its tenant's choice or else by default. */
export const highAvailabilityOf = (
  { highAvailability }: Pick<DatastoreSpec, 'highAvailability'>,
): Required<HighAvailability> => ({ ...NEVER_CHOSEN, ...highAvailability })

/** A specification as settings leave it. */
export const settled = (spec: DatastoreSpec, { highAvailability, ...settings }: Settings): DatastoreSpec => ({
  ...spec,
  ...settings,
  ...(highAvailability === undefined
    ? {}
    : { highAvailability: { ...highAvailabilityOf(spec), ...highAvailability } }),
})
