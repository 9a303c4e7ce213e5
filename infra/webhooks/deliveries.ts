import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Pool } from 'pg'
import type { Deliveries } from '../../command-handlers/webhook-ports.ts'
import { cursorOf, placeOf } from '../../projections/feed-position.ts'
import type { DeliveryLog } from '../../read-api/webhook-log.ts'
import { migrateToLatest } from '../read-store/migrate.ts'
import { meet } from './delivery-store.ts'
import { type DeliveryDb, ERRAND_CHANNEL, WEBHOOKS, webhookMigrations } from './migrations.ts'

/** Where the sender keeps how far it is, brought up to date. */
export const deliveryDb = async (pool: Pool): Promise<DeliveryDb> => {
  const db: DeliveryDb = new Kysely({ dialect: new PostgresDialect({ pool }) })
  await migrateToLatest(db, { schema: WEBHOOKS, migrations: webhookMigrations })
  return db
}

const ring = (db: DeliveryDb, webhookId: string) => sql`select pg_notify(${ERRAND_CHANNEL}, ${webhookId})`.execute(db)

/** What the owner of a webhook may ask of the sender, beyond what is in the log. */
export const deliveries = (db: DeliveryDb, now: () => string): Deliveries => ({
  ping: async (webhookId, eventId) => {
    await meet(db, webhookId)
    const pending = await db
      .selectFrom('webhooks.errand')
      .select('event_id')
      .where('webhook_id', '=', webhookId)
      .where('kind', '=', 'ping')
      .executeTakeFirst()
    if (pending !== undefined) return pending.event_id
    await db
      .insertInto('webhooks.errand')
      .values({ webhook_id: webhookId, kind: 'ping', event_id: eventId, asked_at: new Date(now()) })
      .onConflict((conflict) => conflict.columns(['webhook_id', 'kind', 'event_id']).doNothing())
      .execute()
    await ring(db, webhookId)
    return eventId
  },

  replayFrom: async (webhookId, cursor) => {
    const place = placeOf(cursor)
    if (place === undefined) return 'malformed'
    await meet(db, webhookId)
    const moved = await db
      .updateTable('webhooks.endpoint')
      .set({ place, attempts: 0, next_attempt_at: null })
      .where('webhook_id', '=', webhookId)
      .where('place', '>=', place)
      .executeTakeFirst()
    if (moved.numUpdatedRows === 0n) return 'ahead'
    await ring(db, webhookId)
    return 'asked'
  },

  replayDeadLetter: async (webhookId, eventId) => {
    const there = await db
      .selectFrom('webhooks.dead_letter')
      .select('event_id')
      .where('webhook_id', '=', webhookId)
      .where('event_id', '=', eventId)
      .executeTakeFirst()
    if (there === undefined) return false
    await db
      .insertInto('webhooks.errand')
      .values({ webhook_id: webhookId, kind: 'dead-letter', event_id: eventId, asked_at: new Date(now()) })
      .onConflict((conflict) => conflict.columns(['webhook_id', 'kind', 'event_id']).doNothing())
      .execute()
    await ring(db, webhookId)
    return true
  },

  forget: async (webhookId) => {
    await db.deleteFrom('webhooks.endpoint').where('webhook_id', '=', webhookId).execute()
  },

  countOf: async (organisationId) => {
    const { count } = await db
      .selectFrom('read.webhooks')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .where('organisation_id', '=', organisationId)
      .executeTakeFirstOrThrow()
    return Number(count)
  },
})

/** What the owner of a webhook can see of the sending. */
export const deliveryLog = (db: DeliveryDb): DeliveryLog => ({
  standing: async (webhookIds) => {
    if (webhookIds.length === 0) return new Map()
    const rows = await db
      .selectFrom('webhooks.endpoint')
      .select(['webhook_id', 'place', 'attempts', 'next_attempt_at'])
      .where('webhook_id', 'in', [...webhookIds])
      .execute()
    return new Map(rows.map(({ webhook_id, place, ...row }) => [webhook_id, { cursor: cursorOf(place), ...row }]))
  },

  attempts: (webhookId, { before, limit }) =>
    db
      .selectFrom('webhooks.attempt')
      .selectAll()
      .where('webhook_id', '=', webhookId)
      .$if(before !== undefined, (it) => it.where('attempt_id', '<', before ?? ''))
      .orderBy('attempt_id', 'desc')
      .limit(limit)
      .execute(),

  deadLetters: async (webhookId, { after, limit }) => {
    const rows = await db
      .selectFrom('webhooks.dead_letter')
      .selectAll()
      .where('webhook_id', '=', webhookId)
      .where('place', '>', placeOf(after) ?? '')
      .orderBy('place')
      .limit(limit)
      .execute()
    return rows.map(({ place, ...row }) => ({ ...row, cursor: cursorOf(place) }))
  },
})
