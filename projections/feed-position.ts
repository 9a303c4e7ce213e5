import { type Position, parsePosition, positionText } from '../domain/kernel/event-store.ts'
import { sortablePosition } from './positions.ts'

const ORDINAL_DIGITS = 4
const ORDINAL_LAST = '9'.repeat(ORDINAL_DIGITS)

/**
 * The place of a public event: that of the internal event it comes from, and which of its public events it is, from 0.
 * Its order by characters (`collate "C"`) is the order of the feed.
 */
export const feedPosition = (position: Position, ordinal: number): string =>
  `${sortablePosition(position)}/${ordinal.toString().padStart(ORDINAL_DIGITS, '0')}`

/** As `feedPosition`, after everything that comes from the events up to and with `position`. */
export const feedPositionAfter = (position: Position | 'start'): string =>
  position === 'start' ? '' : `${sortablePosition(position)}/${ORDINAL_LAST}`

const WRITTEN = /^(\d{20}\/\d{20})\/(\d{4})$/

/** The cursor that goes on after a place in the feed: `commit/prepare/ordinal`, or `commit/prepare` for all of a position. */
export const cursorOf = (place: string): string => {
  const [, digits, ordinal] = WRITTEN.exec(place) ?? []
  if (digits === undefined || ordinal === undefined) return 'start'
  const [commit = '', prepare = ''] = digits.split('/')
  const text = positionText({ commit: BigInt(commit), prepare: BigInt(prepare) })
  return ordinal === ORDINAL_LAST ? text : `${text}/${Number(ordinal)}`
}

/**
 * The place in the feed that a cursor stands for.
 *
 * @param cursor as `cursorOf` or `positionText` write it, or `start`
 * @returns undefined for any other text
 */
export const placeOf = (cursor: string): string | undefined => {
  if (cursor === 'start') return ''
  const [, text, ordinal] = /^(\d+\/\d+)(?:\/(\d{1,4}))?$/.exec(cursor) ?? []
  const position = text === undefined ? undefined : parsePosition(text)
  if (position === undefined) return undefined
  return ordinal === undefined ? feedPositionAfter(position) : feedPosition(position, Number(ordinal))
}
