/** When what failed is tried again. */
export type Schedule = {
  /** The pause after the first attempt, in milliseconds. */
  readonly firstMs: number
  /** By how much each pause is longer than the one before. */
  readonly factor: number
  readonly longestMs: number
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number
  /** How far chance may move a pause, as a part of it. */
  readonly jitter: number
}

/** 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, 12 h, 12 h: ten attempts within 32 hours. */
export const USUAL: Schedule = { firstMs: 5_000, factor: 4, longestMs: 12 * 3_600_000, attemptsMax: 10, jitter: 0.2 }

const ASKED_MS_MAX = 24 * 3_600_000

/**
 * How long to wait after a failed attempt, in milliseconds; undefined when it was the last.
 *
 * @param attempt how many there have been, from 1
 * @param askedMs what the receiver asked for (Retry-After), which may make it longer
 * @param chance from 0 to 1
 */
export const pauseAfter = (
  { firstMs, factor, longestMs, attemptsMax, jitter }: Schedule,
  { attempt, askedMs = 0, chance }: { readonly attempt: number; readonly askedMs?: number | undefined; readonly chance: number },
): number | undefined => {
  if (attempt >= attemptsMax) return undefined
  const regular = Math.min(firstMs * factor ** (attempt - 1), longestMs)
  return Math.round(Math.max(regular * (1 + jitter * (2 * chance - 1)), Math.min(askedMs, ASKED_MS_MAX)))
}

/**
 * The header Retry-After in milliseconds from now: seconds or a date (RFC 9110, section 10.2.3).
 *
 * @returns undefined for anything else
 */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
