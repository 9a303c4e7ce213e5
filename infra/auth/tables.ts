import type { ColumnType, Generated, Kysely } from 'kysely'
import { migrateToLatest } from '../read-store/migrate.ts'
import { authMigrations } from './migrations.ts'

type Written = ColumnType<Date, string, string>
type WrittenOrNull = ColumnType<Date | null, string | null, string | null>

/** What the authentication service keeps: nothing in it can be turned back into a password, a secret or a token. */
export type AuthTables = {
  'auth.credentials': {
    /** An account or a client. */
    subject: string
    /** In PHC string format. */
    hash: string
    created_at: Written
    used_at: WrittenOrNull
    /** The secret before, while it still holds. */
    previous_hash: string | null
    previous_until: WrittenOrNull
  }
  'auth.sessions': {
    /** SHA-256. */
    token_hash: Buffer
    session_id: Generated<string>
    account_id: string
    kind: 'session' | 'token'
    client_id: string | null
    /** Where it was opened from, and with what; sealed under the account's key. */
    address: string | null
    agent: string | null
    created_at: Written
    last_seen_at: Written
    expires_at: Written
  }
  /** What was sent by mail, and is good for one thing once. */
  'auth.mail_tokens': {
    /** SHA-256. */
    token_hash: Buffer
    account_id: string
    purpose: 'confirm' | 'reset'
    expires_at: Written
  }
  /** Tokens of issuers that have opened a session here, or never shall. */
  'auth.jwt_logins': {
    /** SHA-256 of the issuer and its `jti`. */
    key: Buffer
    session_id: string | null
    ended: boolean
    /** After that the token is over by itself. */
    keep_until: Written
  }
  'auth.attempts': {
    /** SHA-256 of what is counted. */
    key: Buffer
    count: number
    last_at: Written
    blocked_until: WrittenOrNull
  }
  /** From where a login has signed in. */
  'auth.known_places': {
    /** SHA-256 of who and from where. */
    key: Buffer
    last_at: Written
  }
  'auth.buckets': {
    /** SHA-256 of what is limited. */
    key: Buffer
    /** When the bucket will be as full as it can be. */
    full_at: Written
  }
}

/** Brings the schema `auth` up to date. */
export const migrateAuth = (db: Kysely<AuthTables>): Promise<readonly string[]> =>
  migrateToLatest(db, { schema: 'auth', migrations: authMigrations })
