/** An instant as RFC 3339 text in UTC with milliseconds, as `Date.prototype.toISOString` writes it; such texts sort by time. */
export type Instant = string

/** The instant `ms` milliseconds after `at`. */
export const later = (at: Instant, ms: number): Instant => new Date(Date.parse(at) + ms).toISOString()

/** Whether `now` has reached `at`. */
export const reached = (at: Instant, now: Instant): boolean => now >= at
