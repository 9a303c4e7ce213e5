import { type Generated, type Kysely, sql } from 'kysely'
import type { Sealed } from '../../domain/kernel/sealed.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import type { Migrations } from '../read-store/migrate.ts'

/** The Postgres schema of what the sender of webhooks must not forget. */
export const WEBHOOKS = 'webhooks'

/** Told whenever there is something to do that no event tells of. */
export const ERRAND_CHANNEL = 'webhook_errand'

export type Outcome = 'delivered' | 'failed' | 'dead'
export type Errand = 'ping' | 'dead-letter'

/** How far each endpoint has come. Not a read model: it cannot be made again from the log. */
export type EndpointRow = {
  webhook_id: string
  /** In the feed: all that is before and at it is settled. */
  place: string
  /** Of the webhook, as it was when attempts were last counted anew. */
  course: string
  /**
   * The newest `as_of` that the webhook's row has had. A row that is older comes from read models that are being made anew,
   * and tells where events went long ago.
   */
  seen: string
  /** At the event that is next. */
  attempts: number
  next_attempt_at: Date | null
  dead_in_a_row: number
  /** What the webhook is to be paused for. */
  verdict: 'failing' | 'gone' | null
  touched_at: Date
}

export type AttemptRow = {
  attempt_id: Generated<string>
  webhook_id: string
  kind: 'event' | Errand
  event_id: string
  type: string
  attempt: number
  at: Date
  outcome: Outcome
  latency_ms: number
  response_code: number | null
  /** The first bytes of the answer: a stranger's words, so they are sealed. */
  response_head: Sealed | null
  because: string | null
  next_attempt_at: Date | null
}

export type DeadLetterRow = {
  webhook_id: string
  event_id: string
  place: string
  type: string
  attempts: number
  because: string
  died_at: Date
}

export type WebhookSchema = {
  'webhooks.endpoint': EndpointRow
  'webhooks.attempt': AttemptRow
  'webhooks.dead_letter': DeadLetterRow
  /** What is done once, out of the line of events. */
  'webhooks.errand': { webhook_id: string; kind: Errand; event_id: string; asked_at: Date }
}

/** With the read models that the sender looks at. */
export type DeliveryDb = Kysely<
  WebhookSchema & { 'read.webhooks': ReadSchema['webhooks']; 'read.feed': ReadSchema['feed'] }
>

const statements: readonly string[] = [
  `create table webhooks.endpoint (
    webhook_id text primary key,
    place text collate "C" not null,
    course text not null,
    seen text collate "C" not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    dead_in_a_row integer not null default 0,
    verdict text,
    touched_at timestamptz not null default now()
  )`,
  `create table webhooks.attempt (
    attempt_id bigint generated always as identity primary key,
    webhook_id text not null references webhooks.endpoint on delete cascade,
    kind text not null,
    event_id text not null,
    type text not null,
    attempt integer not null,
    at timestamptz not null,
    outcome text not null,
    latency_ms integer not null,
    response_code integer,
    response_head text,
    because text,
    next_attempt_at timestamptz
  )`,
  `create index attempt_by_webhook on webhooks.attempt (webhook_id, attempt_id desc)`,
  `create index attempt_by_time on webhooks.attempt (at)`,
  `create table webhooks.dead_letter (
    webhook_id text not null references webhooks.endpoint on delete cascade,
    event_id text not null,
    place text collate "C" not null,
    type text not null,
    attempts integer not null,
    because text not null,
    died_at timestamptz not null,
    primary key (webhook_id, event_id)
  )`,
  `create index dead_letter_by_place on webhooks.dead_letter (webhook_id, place)`,
  `create table webhooks.errand (
    webhook_id text not null references webhooks.endpoint on delete cascade,
    kind text not null,
    event_id text not null,
    asked_at timestamptz not null,
    primary key (webhook_id, kind, event_id)
  )`,
]

export const webhookMigrations: Migrations = {
  '0001-deliveries': {
    up: async (db: Kysely<unknown>) => {
      for (const statement of statements) await sql.raw(statement).execute(db)
    },
  },
}
