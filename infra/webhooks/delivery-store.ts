import { type Selectable, sql } from 'kysely'
import type { ReadSchema } from '../../projections/schema.ts'
import type { AttemptRow, DeliveryDb, EndpointRow, Errand } from './migrations.ts'

export type Webhook = Selectable<ReadSchema['webhooks']>

/** A webhook as it stands, and how far its endpoint has come. */
export type Line = {
  readonly webhook: Webhook
  readonly endpoint: Readonly<EndpointRow>
  readonly task: Task | undefined
}

/** Something out of the line of events. */
export type Task = { readonly kind: Errand; readonly event_id: string; readonly asked_at: Date }

export type Attempt = Omit<AttemptRow, 'attempt_id'>

/** What an attempt at the next event comes to for its endpoint. */
export type Step = Partial<Pick<EndpointRow, 'place' | 'attempts' | 'next_attempt_at' | 'dead_in_a_row' | 'verdict' | 'course'>>

/** Makes the row of each webhook that has none, beginning where its webhook does, and remembers what was seen of it. */
export const meet = async (db: DeliveryDb, webhookId?: string): Promise<void> => {
  await db
    .insertInto('webhooks.endpoint')
    .columns(['webhook_id', 'place', 'course', 'seen'])
    .expression((from) =>
      from
        .selectFrom('read.webhooks as w')
        .leftJoin('webhooks.endpoint as e', 'e.webhook_id', 'w.webhook_id')
        .select(['w.webhook_id', 'w.feed_from', 'w.course', 'w.as_of'])
        .$if(webhookId !== undefined, (it) => it.where('w.webhook_id', '=', webhookId ?? ''))
        .where((eb) => eb.or([eb('e.webhook_id', 'is', null), eb('e.seen', '<', eb.ref('w.as_of'))])),
    )
    .onConflict((conflict) => conflict.column('webhook_id').doUpdateSet((eb) => ({ seen: eb.ref('excluded.seen') })))
    .execute()
}

/** The webhooks that have something to do now, those that were looked after longest ago first. */
export const dueWebhooks = async (db: DeliveryDb, now: Date): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('read.webhooks as w')
    .innerJoin('webhooks.endpoint as e', 'e.webhook_id', 'w.webhook_id')
    .select('w.webhook_id')
    .whereRef('w.as_of', '>=', 'e.seen')
    .where((eb) => {
      const errands = eb.selectFrom('webhooks.errand as x').select('x.kind').whereRef('x.webhook_id', '=', 'w.webhook_id')
      const events = eb
        .selectFrom('read.feed as f')
        .select('f.position')
        .whereRef('f.organisation_id', '=', 'w.organisation_id')
        .whereRef('f.position', '>', 'e.place')
      const isFresh = eb('e.course', '!=', eb.ref('w.course'))
      const hasTime = eb.or([isFresh, eb('e.next_attempt_at', 'is', null), eb('e.next_attempt_at', '<=', now)])
      return eb.or([
        eb.exists(errands.where('x.kind', '=', 'ping')),
        eb.and([
          eb('w.paused_because', 'is', null),
          eb.or([eb.exists(errands), eb('e.verdict', 'is not', null), eb.and([hasTime, eb.exists(events)])]),
        ]),
      ])
    })
    .orderBy('e.touched_at')
    .execute()
  return rows.map(({ webhook_id }) => webhook_id)
}

/** A webhook, its endpoint and its next errand; undefined once it is deleted, and while its row is older than one seen. */
export const lineOf = async (db: DeliveryDb, webhookId: string): Promise<Line | undefined> => {
  const [webhook, endpoint, tasks] = await Promise.all([
    db.selectFrom('read.webhooks').selectAll().where('webhook_id', '=', webhookId).executeTakeFirst(),
    db.selectFrom('webhooks.endpoint').selectAll().where('webhook_id', '=', webhookId).executeTakeFirst(),
    db
      .selectFrom('webhooks.errand')
      .select(['kind', 'event_id', 'asked_at'])
      .where('webhook_id', '=', webhookId)
      .orderBy('asked_at')
      .execute(),
  ])
  if (webhook === undefined || endpoint === undefined || webhook.as_of < endpoint.seen) return undefined
  // A webhook that is paused is sent nothing but pings.
  const task = tasks.find(({ kind }) => webhook.paused_because === null || kind === 'ping')
  return { webhook, endpoint, task }
}

/** An event of the feed by its place; undefined where there is none any more. */
export const eventAt = async (db: DeliveryDb, webhookId: string, eventId: string) =>
  db
    .selectFrom('webhooks.dead_letter as d')
    .innerJoin('read.feed as f', 'f.position', 'd.place')
    .selectAll('f')
    .where('d.webhook_id', '=', webhookId)
    .where('d.event_id', '=', eventId)
    .executeTakeFirst()

type Writing = Parameters<Parameters<ReturnType<DeliveryDb['transaction']>['execute']>[0]>[0]

/**
 * Moves an endpoint on from where it was found. Nothing happens when it is elsewhere by now: somebody else has sent, asked
 * for a replay, or deleted it.
 *
 * @param also written in the same transaction
 * @returns whether it was moved
 */
export const moveOn = (
  db: DeliveryDb,
  { webhook_id, place, attempts }: Readonly<EndpointRow>,
  step: Step,
  also: (transaction: Writing) => Promise<unknown> = async () => undefined,
): Promise<boolean> =>
  db.transaction().execute(async (transaction) => {
    // A crash of the database may take the last moves back: then events are sent again, as after our own.
    await sql`set local synchronous_commit = off`.execute(transaction)
    const moved = await transaction
      .updateTable('webhooks.endpoint')
      .set({ ...step, touched_at: sql`now()` })
      .where('webhook_id', '=', webhook_id)
      .where('place', '=', place)
      .where('attempts', '=', attempts)
      .executeTakeFirst()
    if (moved.numUpdatedRows === 0n) return false
    await also(transaction)
    return true
  })

/**
 * Writes an attempt down. What was given up with it becomes a dead letter; what was delivered at last is none any more.
 *
 * @param place of the event, in the feed
 */
export const note = async (
  db: Pick<DeliveryDb, 'insertInto' | 'deleteFrom'>,
  attempt: Attempt,
  place?: string,
): Promise<void> => {
  const { webhook_id, event_id, type, attempt: attempts, because, at: died_at, outcome } = attempt
  await db.insertInto('webhooks.attempt').values(attempt).execute()
  if (outcome === 'delivered') {
    await db
      .deleteFrom('webhooks.dead_letter')
      .where('webhook_id', '=', webhook_id)
      .where('event_id', '=', event_id)
      .execute()
  }
  if (outcome !== 'dead' || place === undefined) return
  await db
    .insertInto('webhooks.dead_letter')
    .values({ webhook_id, event_id, type, attempts, because: because ?? '', died_at, place })
    .onConflict((conflict) => conflict.columns(['webhook_id', 'event_id']).doUpdateSet({ attempts, died_at }))
    .execute()
}

/**
 * Ends an errand with its only attempt. Where a dead letter was not delivered, those behind it need not be tried: they
 * would hold up the events.
 *
 * @param attempt absent where nothing could be sent
 */
export const endTask = (db: DeliveryDb, webhookId: string, { kind, event_id }: Task, attempt?: Attempt): Promise<void> =>
  db.transaction().execute(async (transaction) => {
    const isDelivered = attempt?.outcome === 'delivered'
    const ended = await transaction
      .deleteFrom('webhooks.errand')
      .where('webhook_id', '=', webhookId)
      .where('kind', '=', kind)
      .$if(isDelivered, (it) => it.where('event_id', '=', event_id))
      .executeTakeFirst()
    if (ended.numDeletedRows > 0n && attempt !== undefined) await note(transaction, attempt)
  })

/** Forgets what is older, and endpoints whose webhooks have been deleted for so long. */
export const prune = async (db: DeliveryDb, before: Date): Promise<void> => {
  await db.deleteFrom('webhooks.attempt').where('at', '<', before).execute()
  await db
    .deleteFrom('webhooks.endpoint as e')
    .where('e.touched_at', '<', before)
    .where((eb) => {
      const there = eb.selectFrom('read.webhooks as w').select('w.webhook_id')
      return eb.not(eb.exists(there.whereRef('w.webhook_id', '=', 'e.webhook_id')))
    })
    .execute()
}
