import { sql, type Kysely } from 'kysely'
import type { Migrations } from '../read-store/migrate.ts'

const SIGN_UP_AND_SESSIONS: readonly string[] = [
  `alter table auth.credentials add column previous_hash text, add column previous_until timestamptz`,
  `alter table auth.sessions add column session_id uuid not null default gen_random_uuid() unique,
    add column address text, add column agent text`,
  `create table auth.mail_tokens (
    token_hash bytea primary key,
    account_id uuid not null,
    purpose text not null check (purpose in ('confirm', 'reset')),
    expires_at timestamptz not null
  )`,
  `create index mail_tokens_account on auth.mail_tokens (account_id)`,
  `create index mail_tokens_expiry on auth.mail_tokens (expires_at)`,
  `create table auth.jwt_logins (
    key bytea primary key,
    session_id uuid,
    ended boolean not null,
    keep_until timestamptz not null
  )`,
  `create index jwt_logins_keep on auth.jwt_logins (keep_until)`,
  `create table auth.known_places (key bytea primary key, last_at timestamptz not null)`,
  `create index known_places_last on auth.known_places (last_at)`,
  `create table auth.buckets (key bytea primary key, full_at timestamptz not null)`,
  `create index buckets_full on auth.buckets (full_at)`,
]

/** Every step that the schema `auth` has ever made. */
export const authMigrations: Migrations = {
  '0001-auth': {
    up: async (db: Kysely<unknown>) => {
      const schema = db.schema.withSchema('auth')
      await schema
        .createTable('credentials')
        .addColumn('subject', 'uuid', (column) => column.primaryKey())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('used_at', 'timestamptz')
        .execute()
      await schema
        .createTable('sessions')
        .addColumn('token_hash', 'bytea', (column) => column.primaryKey())
        .addColumn('account_id', 'uuid', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull().check(sql`kind in ('session', 'token')`))
        .addColumn('client_id', 'uuid')
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('last_seen_at', 'timestamptz', (column) => column.notNull())
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .execute()
      for (const column of ['account_id', 'client_id', 'expires_at']) {
        await schema.createIndex(`sessions_${column}`).on('sessions').column(column).execute()
      }
      await schema
        .createTable('attempts')
        .addColumn('key', 'bytea', (column) => column.primaryKey())
        .addColumn('count', 'integer', (column) => column.notNull())
        .addColumn('last_at', 'timestamptz', (column) => column.notNull())
        .addColumn('blocked_until', 'timestamptz')
        .execute()
      await schema.createIndex('attempts_last_at').on('attempts').column('last_at').execute()
    },
  },
  '0002-sign-up-and-sessions': {
    up: async (db: Kysely<unknown>) => {
      for (const statement of SIGN_UP_AND_SESSIONS) await sql.raw(statement).execute(db)
    },
  },
}
