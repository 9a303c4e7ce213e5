import type { Kysely } from 'kysely'
import type { JwtLogins } from '../../command-handlers/auth/ports.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { keyOf } from './digest.ts'
import type { AuthTables } from './tables.ts'

/** Which tokens of issuers have opened a session here, and which are over, in Postgres. */
export const jwtLogins = ({ db, now }: {
  readonly db: Kysely<AuthTables>
  readonly now: () => Instant
}): JwtLogins => ({
  claim: async ({ issuer, jti }, sessionId, keepUntil) => {
    const key = keyOf('jwt', issuer, jti)
    await db.deleteFrom('auth.jwt_logins').where('keep_until', '<=', new Date(now())).execute()
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('auth.jwt_logins')
      .values({ key, session_id: sessionId, ended: false, keep_until: keepUntil })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  },

  standing: async ({ issuer, jti }) => {
    const row = await db
      .selectFrom('auth.jwt_logins as j')
      .leftJoin('auth.sessions as s', (join) =>
        join.onRef('s.session_id', '=', 'j.session_id').on('s.expires_at', '>', new Date(now())),
      )
      .select(['j.ended', 'j.session_id', 's.session_id as live'])
      .where('j.key', '=', keyOf('jwt', issuer, jti))
      .executeTakeFirst()
    if (row === undefined) return 'unused'
    // One that is claimed and has no session has lost it: ended here, or run out.
    if (row.ended || row.live === null) return 'over'
    return { sessionId: row.live }
  },

  end: async ({ issuer, jti }, keepUntil) => {
    const key = keyOf('jwt', issuer, jti)
    await db.transaction().execute(async (transaction) => {
      const { session_id: sessionId } = await transaction
        .insertInto('auth.jwt_logins')
        .values({ key, session_id: null, ended: true, keep_until: keepUntil })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ ended: true }))
        .returning('session_id')
        .executeTakeFirstOrThrow()
      if (sessionId !== null) await transaction.deleteFrom('auth.sessions').where('session_id', '=', sessionId).execute()
    })
  },
})
