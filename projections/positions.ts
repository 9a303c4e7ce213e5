import type { Position } from '../domain/kernel/event-store.ts'

/** The digits of the greatest unsigned 64-bit number. */
const DIGITS = 20

/** A position as text of fixed length, whose order by characters (`collate "C"`) is the order of the log. */
export const sortablePosition = ({ commit, prepare }: Position): string =>
  [commit, prepare].map((part) => part.toString().padStart(DIGITS, '0')).join('/')
