import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import type { EventStreamRow } from './schema.ts'

const OPENS = ['EventStreamOpened', 'OrganisationStreamOpened'] as const
const CLOSES = [
  'EventStreamClosed', 'AccountDeleted', 'OrganisationErased', 'OrganisationStreamClosed', 'OrganisationDeleted',
] as const

const isOneOf = <T extends KnownEvent['type']>(
  types: readonly T[],
  event: KnownEvent,
): event is Extract<KnownEvent, { readonly type: T }> => types.some((type) => type === event.type)

/** One row per organisation that has ever had credentials for a stream of its public events. */
export const eventStreams = projection<EventStreamRow>({
  name: 'event-streams',
  version: 2,
  table: 'event_streams',
  key: 'organisation_id',
  columns: { organisation_id: 'text', open: 'boolean', changed_at: 'time' },
  types: [...OPENS, ...CLOSES],

  keys(event) {
    if (!isOneOf(OPENS, event) && !isOneOf(CLOSES, event)) return []
    return 'accountId' in event.data ? [event.data.accountId] : [event.data.organisationId]
  },

  apply(row, event, organisationId) {
    if (isOneOf(OPENS, event)) return { organisation_id: organisationId, open: true, changed_at: event.data.at }
    return row === undefined || !isOneOf(CLOSES, event) ? row : { ...row, open: false, changed_at: event.data.at }
  },
})
