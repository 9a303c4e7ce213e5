import { projection } from './projection.ts'
import type { EventStreamRow } from './schema.ts'

/** One row per organisation that has ever had credentials for a stream of its public events. */
export const eventStreams = projection<EventStreamRow>({
  name: 'event-streams',
  version: 1,
  table: 'event_streams',
  key: 'organisation_id',
  columns: { organisation_id: 'text', open: 'boolean', changed_at: 'time' },
  types: ['EventStreamOpened', 'EventStreamClosed', 'OrganisationErased'],

  keys: ({ type, data }) =>
    type === 'EventStreamOpened' || type === 'EventStreamClosed' || type === 'OrganisationErased' ? [data.accountId] : [],

  apply(row, { type, data }, organisationId) {
    if (type === 'EventStreamOpened') return { organisation_id: organisationId, open: true, changed_at: data.at }
    if (row === undefined || (type !== 'EventStreamClosed' && type !== 'OrganisationErased')) return row
    return { ...row, open: false, changed_at: data.at }
  },
})
