import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'
import type { DeliveryLog, Standing } from './webhook-log.ts'
import { deadLettersReply, deliveriesReply, type webhookReply, webhookWithStanding, webhooksReply } from './webhook-reply.ts'

export type WebhookQueries = {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
  readonly deliveryLog: DeliveryLog
}

type Row = Selectable<ReadSchema['webhooks']>

const PATH = '/api/v1/webhooks'
const tag = 'Webhooks'
const params = z.object({ id: z.uuid().toLowerCase() })
const limit = z.coerce.number().int().min(1).max(100).default(50)

/** The webhooks of the one who asks, and what became of what they were to send. */
export const webhooks = (queries: WebhookQueries): readonly Endpoint[] => [
  list(queries),
  get(queries),
  deliveries(queries),
  deadLetters(queries),
]

const list = ({ db, personal, deliveryLog }: WebhookQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the webhooks, newest first',
    tag,
    access: 'user',
    replies: { 200: { description: 'All of them: an organisation has few.', schema: webhooksReply } },
    handle: async ({ principal }) => {
      const rows = await db
        .selectFrom('webhooks')
        .selectAll()
        .where('organisation_id', '=', principal.ownerId)
        .orderBy('created_at', 'desc')
        .orderBy('webhook_id')
        .execute()
      return { status: 200, body: { webhooks: await repliesOf(rows, personal, deliveryLog) } }
    },
  })

const get = ({ db, personal, deliveryLog }: WebhookQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id`,
    summary: 'Read a webhook, and how far it has come',
    tag,
    access: 'user',
    params,
    replies: { 200: { description: 'The webhook.', schema: webhookWithStanding } },
    handle: async ({ params: { id }, principal }) => {
      const row = await owned(db, id, principal.ownerId)
      const [body] = await repliesOf([row], personal, deliveryLog)
      return { status: 200, body }
    },
  })

const deliveries = ({ db, personal, deliveryLog }: WebhookQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id/deliveries`,
    summary: 'List the requests to a webhook, newest first, of the last 30 days',
    tag,
    access: 'user',
    params,
    query: z.object({ cursor: z.string().regex(/^\d{1,18}$/).optional(), limit }),
    replies: { 200: { description: 'A part of the list; its cursor goes on where it ends.', schema: deliveriesReply } },
    handle: async ({ params: { id }, query, principal }) => {
      await owned(db, id, principal.ownerId)
      const found = await deliveryLog.attempts(id, { before: query.cursor, limit: query.limit })
      const heads = await personal.open(found.map(({ response_head: head }) => head ?? ''))
      const items = found.map((one, n) => ({
        id: one.attempt_id,
        kind: one.kind,
        event_id: one.event_id,
        type: one.type,
        attempt: one.attempt,
        at: one.at.toISOString(),
        outcome: one.outcome,
        latency_ms: one.latency_ms,
        response_code: one.response_code,
        response: one.response_head === null ? null : (heads[n] ?? null),
        because: one.because,
        next_attempt_at: one.next_attempt_at?.toISOString() ?? null,
      }))
      const cursor = found.length === query.limit ? (found.at(-1)?.attempt_id ?? null) : null
      return { status: 200, body: { deliveries: items, cursor } }
    },
  })

const deadLetters = ({ db, deliveryLog }: WebhookQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id/dead-letters`,
    summary: 'List the events that a webhook could not be told of, oldest first',
    tag,
    access: 'user',
    params,
    query: z.object({ cursor: z.string().regex(/^(start|\d{1,19}\/\d{1,19}(\/\d{1,4})?)$/).default('start'), limit }),
    replies: { 200: { description: 'A part of the list; its cursor goes on where it ends.', schema: deadLettersReply } },
    handle: async ({ params: { id }, query, principal }) => {
      await owned(db, id, principal.ownerId)
      const found = await deliveryLog.deadLetters(id, { after: query.cursor, limit: query.limit })
      const items = found.map((one) => ({
        event_id: one.event_id,
        type: one.type,
        attempts: one.attempts,
        because: one.because,
        died_at: one.died_at.toISOString(),
        cursor: one.cursor,
      }))
      const cursor = found.length === query.limit ? (found.at(-1)?.cursor ?? null) : null
      return { status: 200, body: { dead_letters: items, cursor } }
    },
  })

/** Another's webhook does not exist for the one who asks. */
const owned = async (db: Kysely<ReadSchema>, id: string, ownerId: string): Promise<Row> => {
  const row = await db
    .selectFrom('webhooks')
    .selectAll()
    .where('webhook_id', '=', id)
    .where('organisation_id', '=', ownerId)
    .executeTakeFirst()
  if (row === undefined) throw new Refused({ rejected: 'webhook-not-found', because: `there is no webhook ${id}` })
  return row
}

const repliesOf = async (rows: readonly Row[], personal: Pick<PersonalData, 'open'>, log: DeliveryLog) => {
  const [opened, standings] = await Promise.all([
    personal.open(rows.flatMap(({ url, description }) => [url, description ?? ''])),
    log.standing(rows.map(({ webhook_id }) => webhook_id)),
  ])
  return rows.map((row, n) => ({
    ...reply(row, opened[2 * n] ?? '', row.description === null ? null : (opened[2 * n + 1] ?? null)),
    ...standingOf(standings.get(row.webhook_id)),
  }))
}

const reply = (row: Row, url: string, description: string | null): z.infer<typeof webhookReply> => ({
  id: row.webhook_id,
  url,
  description,
  types: [...row.types],
  subjects: [...row.subjects],
  status: row.paused_because === null ? 'active' : 'paused',
  paused_because: row.paused_because,
  paused_at: row.paused_at?.toISOString() ?? null,
  previous_secret_until: row.previous_secret_until?.toISOString() ?? null,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
})

const standingOf = (standing: Standing | undefined) => ({
  cursor: standing?.cursor ?? null,
  attempts: standing?.attempts ?? 0,
  next_attempt_at: standing?.next_attempt_at?.toISOString() ?? null,
})
