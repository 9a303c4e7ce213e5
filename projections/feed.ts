import { v5 } from 'uuid'
import { feedPosition } from './feed-position.ts'
import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import { organisationOf, publicEvents } from './public-events/mapping.ts'
import type { FeedRow } from './schema.ts'

/** Fixed for ever: a table made anew has the same ids (RFC 9562, section 5.5). */
const NAMESPACE = 'f1b0c7de-52a1-4a0e-8d3c-6b9e07d4a915'

/** One row per event that integrators get, in the order of the log. What belongs to no organisation has none. */
export const feed = projection<FeedRow>({
  name: 'feed',
  version: 1,
  table: 'feed',
  key: 'position',
  columns: {
    position: 'text',
    organisation_id: 'text',
    id: 'text',
    type: 'text',
    subject: 'text',
    datastore_id: 'text',
    at: 'time',
    data: 'json',
  },

  keys: (event) => rowsOf(event).map(({ position }) => position),

  apply: (row, event, key) => rowsOf(event).find(({ position }) => position === key) ?? row,
})

const rowsOf = (event: KnownEvent): readonly FeedRow[] => {
  const organisationId = organisationOf(event)
  if (organisationId === undefined) return []
  return publicEvents(event).map(({ type, subject, data }, ordinal) => ({
    position: feedPosition(event.position, ordinal),
    organisation_id: organisationId,
    id: v5(JSON.stringify([event.id, ordinal]), NAMESPACE),
    type,
    subject,
    datastore_id: 'datastoreId' in data ? data.datastoreId : null,
    at: event.data.at,
    data,
  }))
}
