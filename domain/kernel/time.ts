/** An instant as RFC 3339 text in UTC with milliseconds, as `Date.prototype.toISOString` writes it; such texts sort by time. */
export type Instant = string

/** The instant `ms` milliseconds after `at`. */
export const later = (at: Instant, ms: number): Instant => new Date(Date.parse(at) + ms).toISOString()

/** Whether `now` has reached `at`. */
export const reached = (at: Instant, now: Instant): boolean => now >= at

/** How many milliseconds it is from one instant to another; never less than 0. */
export const msBetween = (from: Instant, to: Instant): number => Math.max(0, Date.parse(to) - Date.parse(from))
