import type { DatastoreSpec } from '../datastore/spec.ts'
import { type Instant, later } from '../kernel/time.ts'

export type Maintenance = DatastoreSpec['maintenance']
/** `to` does not belong to it. */
export type Window = { readonly from: Instant; readonly to: Instant }

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** 1970-01-01 was a Thursday, the fourth day; a week of windows is counted from the Monday before. */
const FIRST_MONDAY_MS = -3 * DAY_MS

/** How long a window lasts; one that ends before it begins goes past midnight. */
const lengthMs = ({ startHour, endHour }: Maintenance): number => ((endHour - startHour + 24) % 24 || 24) * HOUR_MS

/**
 * The window that is open, or else the next one; they come once a week, in UTC.
 *
 * @param now any instant
 * @returns the first window whose end is after `now`
 */
export const windowAt = (maintenance: Maintenance, now: Instant): Window => {
  const { dayOfWeek, startHour } = maintenance
  const offsetMs = (dayOfWeek - 1) * DAY_MS + startHour * HOUR_MS
  const length = lengthMs(maintenance)
  const sinceMs = Date.parse(now) - FIRST_MONDAY_MS - offsetMs - length
  const week = Math.floor(sinceMs / (7 * DAY_MS)) + 1
  const from = new Date(FIRST_MONDAY_MS + week * 7 * DAY_MS + offsetMs).toISOString()
  return { from, to: later(from, length) }
}

/** Whether a window is open. */
export const isOpen = ({ from, to }: Window, now: Instant): boolean => from <= now && now < to
