import { type Rejection, reject } from '../kernel/decider.ts'
import { highAvailabilityOf } from './high-availability.ts'
import type { AvailabilitySettings } from './messages.ts'
import type { HighAvailability } from './spec.ts'

/** What a tenant may say of what is done when a node is lost; an absent part stays as it is. */
export type WantedAvailability = { readonly [Part in keyof HighAvailability]?: HighAvailability[Part] | undefined }

/** From where to where these may be chosen. */
export const REPAIR_AFTER_SECONDS = { min: 10, max: 86_400 } as const
export const LAG_MAX_BYTES = { min: 0, max: 1_099_511_627_776 } as const
export const FAILOVERS_PER_HOUR_MAX = { min: 1, max: 60 } as const

type Refused = Rejection<'out-of-range'>
type Range = { readonly min: number; readonly max: number }

/**
 * What holds at once of what is done when a node is lost, as a request leaves it.
 *
 * @param set as it is
 * @returns all parts, or a refusal that names the field and the rule
 */
export const planAvailability = (
  set: { readonly highAvailability: Required<AvailabilitySettings> },
  { prefer, repairAfterSeconds, lagMaxBytes, failoversPerHourMax }: WantedAvailability,
): Required<AvailabilitySettings> | Refused => {
  const { highAvailability: before } = set
  const wanted = {
    prefer: prefer ?? before.prefer,
    repairAfterSeconds: repairAfterSeconds ?? before.repairAfterSeconds,
    lagMaxBytes: lagMaxBytes ?? before.lagMaxBytes,
    failoversPerHourMax: failoversPerHourMax ?? before.failoversPerHourMax,
  }
  return (
    rangeRefusal('repair_after_seconds', wanted.repairAfterSeconds, REPAIR_AFTER_SECONDS) ??
    rangeRefusal('lag_max_bytes', wanted.lagMaxBytes, LAG_MAX_BYTES) ??
    rangeRefusal('max_failovers_per_hour', wanted.failoversPerHourMax, FAILOVERS_PER_HOUR_MAX) ??
    wanted
  )
}

// Asked this way round because every comparison with NaN is false.
const rangeRefusal = (name: string, value: number, { min, max }: Range): Refused | undefined =>
  value >= min && value <= max ? undefined : reject('out-of-range', `high_availability.${name} must be between ${min} and ${max}`)

/**
 * The same for a datastore that is to come, which can be synchronous from the first.
 *
 * @param size how many nodes it will have
 */
export const planFirstAvailability = (wanted: WantedAvailability, size: number): HighAvailability | Refused => {
  const { synchronous = false, ...parts } = wanted
  if (synchronous && size < 2) {
    // A commit that waits for a replica waits for ever where there is none.
    return reject('out-of-range', 'high_availability.synchronous needs a replica, so general.cluster_size must be 2 at least')
  }
  const planned = planAvailability({ highAvailability: highAvailabilityOf({}) }, parts)
  return 'rejected' in planned ? planned : { ...planned, synchronous }
}
