import type { Kysely } from 'kysely'
import { z } from 'zod'
import { parsePosition, type Recorded } from '../../domain/kernel/event-store.ts'
import type { AuditSchema } from '../../projections/audit-schema.ts'
import { isKnown, type KnownEvent } from '../../projections/known-event.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { shapes } from '../../projections/upcast.ts'
import { endOf, type PastInstant } from './instant.ts'

/** The audit trail, which has every event of a datastore in the order of the log. */
export type AuditDb = Kysely<AuditSchema>

const PAGE = 2_000

const anObject = z.looseObject({})
const position = z.string().transform((text, context) => {
  const parsed = parsePosition(text)
  if (parsed !== undefined) return parsed
  context.addIssue('is no position')
  return z.NEVER
})

const Entry = z.object({
  id: z.string(),
  stream: z.string(),
  revision: z.int().transform(BigInt),
  position,
  type: z.string(),
  at: z.string(),
  data: anObject,
  metadata: z.object({
    commandId: z.string(),
    correlationId: z.string(),
    causationId: z.string(),
    actor: z.object({
      kind: z.enum(['user', 'client', 'operator', 'system']),
      id: z.string(),
      clientId: z.string().exactOptional(),
      role: z.string().exactOptional(),
    }),
    organisationId: z.string().exactOptional(),
    requestId: z.string().exactOptional(),
    traceparent: z.string().exactOptional(),
    command: z.object({ type: z.string(), data: anObject }).exactOptional(),
  }),
})

/** Reads an entry's text back into the event that it was made of. */
export const eventOf = (text: string): Recorded => {
  const { at, type, data, ...event } = Entry.parse(JSON.parse(text))
  return { ...event, ...shapes.read({ type, data }), recordedAt: at }
}

/** The known ones among the events that these texts were made of. */
export const knownOf = (rows: readonly { readonly event: string }[]): readonly KnownEvent[] =>
  rows.map(({ event }) => eventOf(event)).filter(isKnown)

/** What a datastore begins with. */
export type Beginning = Extract<KnownEvent, { readonly type: 'DatastoreCreated' }>

/** The first event of a datastore; it tells whose the datastore is. */
export const beginningOf = async (db: AuditDb, datastoreId: string): Promise<Beginning | undefined> => {
  const rows = await db
    .selectFrom('audit.entries')
    .select('event')
    .where('datastore_id', '=', datastoreId)
    .where('type', '=', 'DatastoreCreated')
    .orderBy('position')
    .limit(1)
    .execute()
  const [event] = knownOf(rows)
  return event?.type === 'DatastoreCreated' ? event : undefined
}

/**
 * Up to where the events of a datastore count at an instant, as text that sorts. It is always a beginning of the
 * datastore's history, even if the store's clock went back in it.
 */
export const placeAt = async (db: AuditDb, datastoreId: string, instant: PastInstant): Promise<string> => {
  if ('position' in instant) return sortablePosition(instant.position)
  const row = await db
    .selectFrom('audit.entries')
    .select('position')
    .where('datastore_id', '=', datastoreId)
    .where('at', '<', endOf(instant))
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.position ?? ''
}

export type Part = {
  /** Only events after this place. */
  readonly after?: string | undefined
  /** Only events up to and with this place; absent: all there are. */
  readonly upTo?: string | undefined
  readonly types?: readonly KnownEvent['type'][] | undefined
  readonly streams?: readonly string[] | undefined
  /** So many at most; absent: all there are. */
  readonly limit?: number | undefined
}

/** The events of a datastore in the order of the log, a page of them at a time, so that none holds all in memory. */
export const eventsOf = async function* (
  db: AuditDb,
  datastoreId: string,
  { after = '', upTo, types, streams, limit = Infinity }: Part,
): AsyncGenerator<readonly KnownEvent[]> {
  for (let place = after, left = limit; left > 0; ) {
    const size = Math.min(PAGE, left)
    let query = db
      .selectFrom('audit.entries')
      .select(['position', 'event'])
      .where('datastore_id', '=', datastoreId)
      .where('position', '>', place)
      .orderBy('position')
      .limit(size)
    if (upTo !== undefined) query = query.where('position', '<=', upTo)
    if (types !== undefined) query = query.where('type', 'in', types)
    if (streams !== undefined) query = query.where('stream', 'in', streams)
    const rows = await query.execute()
    const last = rows.at(-1)
    if (last === undefined) return
    yield knownOf(rows)
    if (rows.length < size) return
    left -= rows.length
    place = last.position
  }
}
