import { z } from 'zod'
import { type Position, parsePosition, positionText } from '../../domain/kernel/event-store.ts'

/** A moment in the life of the log: by the store's clock, or by a place in it. Whatever happened at it has happened. */
export type PastInstant = { readonly time: string } | { readonly position: Position }

const POSITION_MAX = 2n ** 63n - 1n
const time = z.iso.datetime({ offset: true })

const instantOf = (text: string): PastInstant | undefined => {
  const position = parsePosition(text)
  if (position !== undefined) {
    return position.commit <= POSITION_MAX && position.prepare <= POSITION_MAX ? { position } : undefined
  }
  return time.safeParse(text).success ? { time: new Date(text).toISOString() } : undefined
}

/** An instant as clients write it: an RFC 3339 time, or a log position as `CCX-Position` has it. */
export const pastInstant = z
  .string()
  .transform((text, context): PastInstant => {
    const instant = instantOf(text)
    if (instant !== undefined) return instant
    context.addIssue('must be an RFC 3339 time such as 2030-01-01T12:00:00Z, or a log position such as 4711/4711')
    return z.NEVER
  })
  .meta({ description: 'An RFC 3339 time, or a log position (`commit/prepare`).' })

/** For a query that can be asked of the past: `?asOf=`. */
export const asOfQuery = z.object({ asOf: pastInstant.optional() })

export const instantText = (instant: PastInstant): string =>
  'time' in instant ? instant.time : positionText(instant.position)

/** The first moment that is no longer part of it: the store's clock counts in milliseconds. */
export const endOf = ({ time: at }: { readonly time: string }): Date => new Date(Date.parse(at) + 1)
