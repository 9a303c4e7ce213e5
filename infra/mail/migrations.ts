import { type Kysely, sql } from 'kysely'
import type { Sealed } from '../../domain/kernel/sealed.ts'
import type { Migrations } from '../read-store/migrate.ts'

/** The Postgres schema of the mails that wait. */
export const MAIL = 'mail'

/** Told whenever a mail was put. */
export const MAIL_CHANNEL = 'mail_put'

export type MailState = 'waiting' | 'sent' | 'dead'

/** One row per mail there ever was, so that one that is put again is known; what it says is kept only until it is sent. */
export type MailRow = {
  mail_id: string
  owner_id: string
  state: MailState
  /** Reader, subject and text as JSON, under the owner's key; null once it is sent. */
  sealed: Sealed | null
  put_at: Date
  attempts: number
  next_attempt_at: Date
  /** Why the last attempt failed, without a word of what a server said: it may name the reader. */
  because: string | null
  ended_at: Date | null
}

export type MailSchema = { 'mail.outbox': MailRow }
export type MailDb = Kysely<MailSchema>

const statements: readonly string[] = [
  `create table mail.outbox (
    mail_id text primary key,
    owner_id text not null,
    state text not null check (state in ('waiting', 'sent', 'dead')),
    sealed text,
    put_at timestamptz not null,
    attempts integer not null,
    next_attempt_at timestamptz not null,
    because text,
    ended_at timestamptz
  )`,
  `create index outbox_due on mail.outbox (next_attempt_at) where state = 'waiting'`,
  `create index outbox_ended on mail.outbox (ended_at)`,
]

export const mailMigrations: Migrations = {
  '0001-outbox': {
    up: async (db: Kysely<unknown>) => {
      for (const statement of statements) await sql.raw(statement).execute(db)
    },
  },
}
