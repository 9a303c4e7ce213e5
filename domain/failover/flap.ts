import { type Instant, later } from '../kernel/time.ts'

const HOUR_MS = 3_600_000
/** How long after the last failover the next one waits, once there were too many; each one more doubles it. */
const WAIT = { firstMs: 30_000, maxMs: 600_000 }

/** A primary that is lost again is not replaced before `until`: `count` failovers are all within an hour. */
export type Hold = { readonly until: Instant; readonly count: number }

/**
 * How long no other node takes the place of the primary: a datastore that fails over again and again is not mended by it,
 * but it is not left without a primary for long either.
 *
 * @param failovers when it has failed over, oldest first
 * @param perHourMax how many of them within an hour are followed by another one without waiting
 * @returns undefined where another failover may begin
 */
export const heldBack = (failovers: readonly Instant[], perHourMax: number, now: Instant): Hold | undefined => {
  const last = failovers.at(-1)
  // Counted from the last one: so it does not change while it lasts.
  const count = withinAnHour(failovers).length
  if (last === undefined || count < perHourMax) return undefined
  const until = later(last, Math.min(WAIT.firstMs * 2 ** Math.min(count - perHourMax, 20), WAIT.maxMs))
  return until > now ? { until, count } : undefined
}

/** Those that are less than an hour before the last one. */
export const withinAnHour = (failovers: readonly Instant[]): readonly Instant[] => {
  const last = failovers.at(-1)
  return last === undefined ? [] : failovers.filter((at) => later(at, HOUR_MS) > last)
}
