/**
 * A lease lets a primary take writes for a while. Its end is an uptime of the primary's own machine, so that no two clocks
 * need to agree on the time, only on how fast it passes.
 */

/** What a primary may go on for, without being told again. `replicas`: the names of all that may be promoted in its place. */
export type Lease = { readonly epoch: number; readonly ttlMs: number; readonly replicas: readonly string[] }

/** Without a renewal in time, a primary goes on while every replica that its lease names was heard within so long. */
export const HEARD_WITHIN_MS = 3_000

/** By how much two machines' clocks may differ in how fast they run: far more than quartz does (200 ppm at the most). */
export const DRIFT = 0.01

/** From the instant a lease has run out until no session of the old primary is left that could tell a client of success. */
export const DEMOTION_MS = 1_000

/**
 * Until when a lease goes that is given now.
 *
 * @param uptimeMs of the primary's machine, from an answer it gave *before* it was decided that the lease may be given: so
 *   one that is written late, by a controller that stood still, is no longer than it would have been
 * @returns an uptime of that machine
 */
export const leaseUntil = (uptimeMs: number, { ttlMs }: Pick<Lease, 'ttlMs'>): number => uptimeMs + ttlMs

/**
 * When a primary, seen from a controller, has certainly stopped taking writes although nobody could reach it.
 *
 * @param seen.fencedAtMs when it was on record that no lease is given any more, on the controller's monotonic clock
 * @param seen.stoppedAtMs when a replica that the lease names had certainly stopped receiving from the primary, on the same
 *   clock; undefined: none has, so that the primary may hear from all of them and go on for ever
 * @returns an instant of that clock; undefined: never
 */
export const runsOutAt = (
  { ttlMs }: Pick<Lease, 'ttlMs'>,
  { fencedAtMs, stoppedAtMs }: { readonly fencedAtMs: number; readonly stoppedAtMs: number | undefined },
): number | undefined => {
  if (stoppedAtMs === undefined) return undefined
  const unheardAtMs = stoppedAtMs + HEARD_WITHIN_MS * (1 + DRIFT)
  return Math.max(fencedAtMs + ttlMs * (1 + DRIFT), unheardAtMs) + DEMOTION_MS
}

/** What a primary's own machine goes by. Uptimes are its own, in milliseconds. */
export type Held = {
  /** The end of the lease that was last given. */
  readonly untilMs: number
  /** Before the last look but one of those since when all replicas were heard again; undefined: they were not. */
  readonly heardMs?: number
}

/**
 * How long a primary may still go on.
 *
 * @param nowMs the uptime of its machine
 * @returns milliseconds; it has to stop at once when there are none left
 */
export const leftMs = ({ untilMs, heardMs }: Held, nowMs: number): number =>
  Math.max(untilMs, heardMs === undefined ? untilMs : heardMs + HEARD_WITHIN_MS) - nowMs
