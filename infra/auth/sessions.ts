import { createHash, randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Sessions } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import type { AuthTables } from './tables.ts'

const TOKEN_BYTES = 32
const TOKEN = /^[A-Za-z0-9_-]{43}$/
/** How exactly `last_seen_at` is kept; each request would be a write otherwise. */
const SEEN_EVERY_MS = 60_000

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** Sessions and tokens in Postgres. A token is random, so a plain hash of it cannot be turned back. */
export const sessionStore = ({
  db,
  now,
}: {
  readonly db: Kysely<AuthTables>
  readonly now: () => Instant
}): Sessions => ({
  open: async ({ accountId, kind, clientId, expiresAt }) => {
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const at = now()
    await db.deleteFrom('auth.sessions').where('expires_at', '<=', new Date(at)).execute()
    await db
      .insertInto('auth.sessions')
      .values({
        token_hash: hashOf(token),
        account_id: accountId,
        kind,
        client_id: clientId,
        created_at: at,
        last_seen_at: at,
        expires_at: expiresAt,
      })
      .execute()
    return token
  },

  find: async (token) => {
    if (!TOKEN.test(token)) return undefined
    const at = now()
    const hash = hashOf(token)
    const row = await db
      .selectFrom('auth.sessions')
      .select(['account_id', 'kind', 'client_id', 'expires_at', 'last_seen_at'])
      .where('token_hash', '=', hash)
      .where('expires_at', '>', new Date(at))
      .executeTakeFirst()
    if (row === undefined) return undefined
    if (later(row.last_seen_at.toISOString(), SEEN_EVERY_MS) <= at) {
      await db.updateTable('auth.sessions').set({ last_seen_at: at }).where('token_hash', '=', hash).execute()
    }
    const { account_id: accountId, kind, client_id: clientId, expires_at: expiresAt } = row
    return { accountId, kind, clientId, expiresAt: expiresAt.toISOString() }
  },

  end: async (token) => {
    await db.deleteFrom('auth.sessions').where('token_hash', '=', hashOf(token)).execute()
  },

  endAllOf: async (subject) => {
    const isTheirs = sql<boolean>`client_id = ${subject} or account_id = ${subject}`
    await db.deleteFrom('auth.sessions').where(isTheirs).execute()
  },
})
