import { type Instant, later } from '../kernel/time.ts'

const HOUR_MS = 3_600_000
/** So often within an hour the primary may change by itself. */
export const FAILOVERS_MAX = 3

/**
 * Until when no other node takes the place of the primary: a datastore that fails over again and again is not mended by it.
 *
 * @param changes when it has failed over, oldest first
 * @returns undefined where another failover may begin
 */
export const heldUntil = (changes: readonly Instant[], now: Instant): Instant | undefined => {
  const until = changes.map((at) => later(at, HOUR_MS)).filter((eased) => eased > now)
  return until.length < FAILOVERS_MAX ? undefined : until.at(-FAILOVERS_MAX)
}
