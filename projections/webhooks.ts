import type { WebhookCreated, WebhookEvent } from '../domain/webhook/messages.ts'
import { feedPositionAfter } from './feed-position.ts'
import type { KnownEvent } from './known-event.ts'
import { sortablePosition } from './positions.ts'
import { projection } from './projection.ts'
import type { WebhookRow } from './webhook-row.ts'

const TYPES: ReadonlySet<string> = new Set<WebhookEvent['type']>([
  'WebhookCreated',
  'WebhookChanged',
  'WebhookPaused',
  'WebhookResumed',
  'WebhookSecretRotated',
  'WebhookDeleted',
])

/** One row per webhook that is not deleted; its address and description sealed. */
export const webhooks = projection<WebhookRow>({
  name: 'webhooks',
  version: 1,
  table: 'webhooks',
  key: 'webhook_id',
  columns: {
    webhook_id: 'text',
    organisation_id: 'text',
    url: 'text',
    description: 'text',
    types: 'json',
    subjects: 'json',
    paused_because: 'text',
    paused_at: 'time',
    secret_id: 'text',
    previous_secret_id: 'text',
    previous_secret_until: 'time',
    feed_from: 'text',
    course: 'text',
    as_of: 'text',
    created_at: 'time',
    updated_at: 'time',
  },

  keys: ({ type, data }) => (TYPES.has(type) && 'webhookId' in data ? [data.webhookId] : []),

  apply(row, event) {
    const { type, data, position } = event
    const at = sortablePosition(position)
    if (type === 'WebhookCreated') {
      return { ...created(data), feed_from: feedPositionAfter(position), course: at, as_of: at }
    }
    return row === undefined ? undefined : changed({ ...row, as_of: at }, event)
  },
})

const changed = (row: WebhookRow, { type, data }: KnownEvent): WebhookRow | undefined => {
  switch (type) {
    case 'WebhookChanged':
      return {
        ...row,
        url: data.url ?? row.url,
        description: data.description === undefined ? row.description : data.description,
        types: data.filters?.types ?? row.types,
        subjects: data.filters?.subjects ?? row.subjects,
        course: row.as_of,
        updated_at: data.at,
      }
    case 'WebhookPaused':
      return { ...row, paused_because: data.because, paused_at: data.at, updated_at: data.at }
    case 'WebhookResumed':
      return { ...row, paused_because: null, paused_at: null, course: row.as_of, updated_at: data.at }
    case 'WebhookSecretRotated':
      return {
        ...row,
        secret_id: data.secretId,
        previous_secret_id: data.previousSecretId,
        previous_secret_until: data.previousUntil,
        updated_at: data.at,
      }
    case 'WebhookDeleted':
      return undefined
    default:
      return row
  }
}

const created = ({
  webhookId, organisationId, url, description, filters, secretId, at,
}: WebhookCreated['data']): Omit<WebhookRow, 'feed_from' | 'course' | 'as_of'> => ({
  webhook_id: webhookId,
  organisation_id: organisationId,
  url,
  description,
  types: filters.types,
  subjects: filters.subjects,
  paused_because: null,
  paused_at: null,
  secret_id: secretId,
  previous_secret_id: null,
  previous_secret_until: null,
  created_at: at,
  updated_at: at,
})
