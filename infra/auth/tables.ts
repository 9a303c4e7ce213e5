import { sql, type ColumnType, type Kysely } from 'kysely'
import { type Migrations, migrateToLatest } from '../read-store/migrate.ts'

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
  }
  'auth.sessions': {
    /** SHA-256. */
    token_hash: Buffer
    account_id: string
    kind: 'session' | 'token'
    client_id: string | null
    created_at: Written
    last_seen_at: Written
    expires_at: Written
  }
  'auth.attempts': {
    /** SHA-256 of who and from where. */
    key: Buffer
    count: number
    last_at: Written
    blocked_until: WrittenOrNull
  }
}

const migrations: Migrations = {
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
}

/** Brings the schema `auth` up to date. */
export const migrateAuth = (db: Kysely<AuthTables>): Promise<readonly string[]> =>
  migrateToLatest(db, { schema: 'auth', migrations })
