import { type Instant, later, reached } from '../kernel/time.ts'

/** What was seen longer ago than this, in milliseconds, is told again if it still holds. Clocks may differ by less. */
const STALE_AFTER_MS = 120_000

/** Whether what was seen may be acted upon. A broker may have held it for long. */
export const isFresh = (observedAt: Instant, now: Instant): boolean => !reached(later(observedAt, STALE_AFTER_MS), now)

/** A job that is over, as far as its repetition goes. */
type Ended = { readonly end: 'finished' | 'failed' | 'cancelled' | 'dropped'; readonly endedAt: Instant }
export type Pause = { readonly firstMs: number; readonly maxMs: number }

/**
 * From when on what came to nothing may be tried again: at once after a success, and after a pause that doubles with each
 * failure since.
 *
 * @param tries of the same thing, oldest first; those that never began do not count
 * @returns undefined where there is no pause
 */
export const dueAgainAt = (tries: readonly Ended[], { firstMs, maxMs }: Pause): Instant | undefined => {
  const begun = tries.filter(({ end }) => end !== 'dropped')
  const failures = begun.slice(begun.findLastIndex(({ end }) => end === 'finished') + 1)
  const last = failures.at(-1)
  return last && later(last.endedAt, Math.min(firstMs * 2 ** Math.min(failures.length - 1, 20), maxMs))
}

/** Whether what came to nothing may be tried again (`dueAgainAt`). */
export const isDueAgain = (tries: readonly Ended[], pause: Pause, now: Instant): boolean => {
  const dueAt = dueAgainAt(tries, pause)
  return dueAt === undefined || reached(dueAt, now)
}
