import { changed } from '../domain/datastore/changes/index.ts'
import { amountsOf, metered } from '../domain/usage/meter.ts'
import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import type { UsageRow } from './schema.ts'

/** One row per datastore that there ever was: what it used, from when to when, and the events that made it so. */
export const usage = projection<UsageRow>({
  name: 'usage',
  version: 1,
  table: 'usage',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    vendor: 'text',
    type: 'text',
    shape: 'json',
    segments: 'json',
    created_at: 'time',
    deleted_at: 'time',
  },

  types: [
    'DatastoreCreated', 'DatastoreDeployed', 'DatastoreChanged', 'DeletionStarted', 'DeletionAbandoned', 'DatastoreDeleted',
  ],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DatastoreChanged':
      case 'DeletionStarted':
      case 'DeletionAbandoned':
      case 'DatastoreDeleted':
        return [data.datastoreId]
      default:
        return []
    }
  },

  apply(row, event) {
    const { type, data } = event
    if (type === 'DatastoreCreated') {
      const { datastoreId, spec, at } = data
      const { ownerId, vendor, type: topology } = spec
      const about = { datastore_id: datastoreId, owner_id: ownerId, vendor, type: topology }
      return { ...about, shape: { spec, nodes: [] }, segments: [], created_at: at, deleted_at: null }
    }
    if (row === undefined) return undefined
    switch (type) {
      case 'DatastoreDeployed':
        return used({ ...row, shape: { ...row.shape, nodes: data.nodes } }, event)
      case 'DatastoreChanged': {
        const { spec } = changed(row.shape, data.change)
        return used({ ...row, shape: { spec, nodes: data.nodes } }, event)
      }
      // Whoever does not want it any more does not pay for it any more, however long its deletion takes.
      case 'DeletionStarted':
        return used({ ...row, deleted_at: data.at }, event)
      case 'DeletionAbandoned':
        return used({ ...row, deleted_at: null }, event)
      default:
        return row
    }
  },
})

const used = (row: UsageRow, { id, data: { at } }: KnownEvent): UsageRow => {
  const amounts = row.deleted_at === null ? amountsOf(row.shape) : []
  return { ...row, segments: metered(row.segments, amounts, { at, eventId: id }) }
}
