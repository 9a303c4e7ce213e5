import type { Kysely } from 'kysely'
import type { MailTokens } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import { newToken, TOKEN, tokenHash } from './digest.ts'
import type { AuthTables } from './tables.ts'

/** What is sent by mail, in Postgres by nothing but its hash. */
export const mailTokens = ({ db, now }: {
  readonly db: Kysely<AuthTables>
  readonly now: () => Instant
}): MailTokens => ({
  issue: async (accountId, purpose, lifeMs) => {
    const token = newToken()
    const at = now()
    await db.deleteFrom('auth.mail_tokens').where('expires_at', '<=', new Date(at)).execute()
    await db
      .insertInto('auth.mail_tokens')
      .values({ token_hash: tokenHash(token), account_id: accountId, purpose, expires_at: later(at, lifeMs) })
      .execute()
    return token
  },

  accountOf: async (token, purpose) => {
    if (!TOKEN.test(token)) return undefined
    const row = await db
      .selectFrom('auth.mail_tokens')
      .select('account_id')
      .where('token_hash', '=', tokenHash(token))
      .where('purpose', '=', purpose)
      .where('expires_at', '>', new Date(now()))
      .executeTakeFirst()
    return row?.account_id
  },

  spend: async (token) => {
    await db.deleteFrom('auth.mail_tokens').where('token_hash', '=', tokenHash(token)).execute()
  },
})
