import { type Kysely, sql } from 'kysely'
import type { Sessions } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import { newToken, TOKEN, tokenHash } from './digest.ts'
import type { AuthTables } from './tables.ts'

/** How exactly `last_seen_at` is kept; each request would be a write otherwise. */
const SEEN_EVERY_MS = 60_000

type Options = { readonly db: Kysely<AuthTables>; readonly now: () => Instant }

/** Sessions and tokens in Postgres, known by nothing but their hash. */
export const sessionStore = ({ db, now }: Options): Sessions => ({
  open: async ({ sessionId, accountId, kind, clientId, expiresAt, from }) => {
    const token = newToken()
    const at = now()
    await db.deleteFrom('auth.sessions').where('expires_at', '<=', new Date(at)).execute()
    await db
      .insertInto('auth.sessions')
      .values({
        token_hash: tokenHash(token),
        ...(sessionId === undefined ? {} : { session_id: sessionId }),
        account_id: accountId,
        kind,
        client_id: clientId,
        address: from?.address ?? null,
        agent: from?.agent ?? null,
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
    const hash = tokenHash(token)
    const row = await db
      .selectFrom('auth.sessions')
      .select(['session_id', 'account_id', 'kind', 'client_id', 'expires_at', 'last_seen_at'])
      .where('token_hash', '=', hash)
      .where('expires_at', '>', new Date(at))
      .executeTakeFirst()
    if (row === undefined) return undefined
    if (later(row.last_seen_at.toISOString(), SEEN_EVERY_MS) <= at) {
      await db.updateTable('auth.sessions').set({ last_seen_at: at }).where('token_hash', '=', hash).execute()
    }
    const { session_id: sessionId, account_id: accountId, kind, client_id: clientId, expires_at: expiresAt } = row
    return { sessionId, accountId, kind, clientId, expiresAt: expiresAt.toISOString() }
  },

  listOf: async (accountId) => {
    const rows = await db
      .selectFrom('auth.sessions')
      .select(['session_id', 'address', 'agent', 'created_at', 'last_seen_at', 'expires_at'])
      .where('account_id', '=', accountId)
      .where('kind', '=', 'session')
      .where('expires_at', '>', new Date(now()))
      .orderBy('created_at', 'desc')
      .orderBy('session_id')
      .execute()
    return rows.map((row) => ({
      sessionId: row.session_id,
      address: row.address,
      agent: row.agent,
      createdAt: row.created_at.toISOString(),
      lastSeenAt: row.last_seen_at.toISOString(),
      expiresAt: row.expires_at.toISOString(),
    }))
  },

  end: async (token) => {
    await db.deleteFrom('auth.sessions').where('token_hash', '=', tokenHash(token)).execute()
  },

  endOne: async (accountId, sessionId) => {
    const { numDeletedRows } = await db
      .deleteFrom('auth.sessions')
      .where('account_id', '=', accountId)
      .where('session_id', '=', sessionId)
      .where('kind', '=', 'session')
      .executeTakeFirst()
    return numDeletedRows > 0n
  },

  endOthers: async (accountId, keepId) => {
    const { numDeletedRows } = await db
      .deleteFrom('auth.sessions')
      .where('account_id', '=', accountId)
      .where('kind', '=', 'session')
      .$if(keepId !== undefined, (it) => it.where('session_id', '!=', keepId ?? ''))
      .executeTakeFirst()
    return Number(numDeletedRows)
  },

  endAllOf: async (subject) => {
    const isTheirs = sql<boolean>`client_id = ${subject} or account_id = ${subject}`
    await db.deleteFrom('auth.sessions').where(isTheirs).execute()
  },
})
