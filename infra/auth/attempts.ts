import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Attempts } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import type { AuthTables } from './tables.ts'

/**
 * So many may fail before anyone has to wait. Those under way count too, so that it must be more than one user does at
 * once.
 */
export const FREE_ATTEMPTS = 10
/** The first wait; each failure doubles it. */
const WAIT_SECONDS = 2
const WAIT_SECONDS_MAX = 900
/** After so long without an attempt the count begins anew. */
const FORGET_MS = 60 * 60 * 1000

const keyOf = (who: string, address: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([who.trim().normalize('NFC').toLowerCase(), address]))
    .digest()

/**
 * Counts attempts by login and address, in Postgres, so that all instances count together. An attempt is counted before
 * it is made, in one statement: a hundred at once are a hundred.
 */
export const attemptCounter = ({
  db,
  now,
}: {
  readonly db: Kysely<AuthTables>
  readonly now: () => Instant
}): Attempts => ({
  begin: async (who, address) => {
    const at = now()
    const key = keyOf(who, address)
    await db
      .deleteFrom('auth.attempts')
      .where('last_at', '<', new Date(later(at, -FORGET_MS)))
      .execute()
    const admitted = await db
      .insertInto('auth.attempts')
      .values({ key, count: 1, last_at: at, blocked_until: null })
      .onConflict((conflict) =>
        conflict
          .column('key')
          .doUpdateSet({
            count: sql`auth.attempts.count + 1`,
            last_at: at,
            blocked_until: sql`case when auth.attempts.count + 1 < ${FREE_ATTEMPTS} then null else ${at}::timestamptz
              + make_interval(secs => least(${WAIT_SECONDS_MAX}::double precision,
                  ${WAIT_SECONDS} * power(2, least(30, auth.attempts.count + 1 - ${FREE_ATTEMPTS})))) end`,
          })
          .where((it) =>
            it.or([
              it('auth.attempts.blocked_until', 'is', null),
              it('auth.attempts.blocked_until', '<=', new Date(at)),
            ]),
          ),
      )
      .returning('count')
      .executeTakeFirst()
    if (admitted !== undefined) return undefined
    const row = await db.selectFrom('auth.attempts').select('blocked_until').where('key', '=', key).executeTakeFirst()
    const leftMs = (row?.blocked_until?.getTime() ?? 0) - Date.parse(at)
    return Math.max(1, Math.ceil(leftMs / 1000))
  },

  succeed: async (who, address) => {
    await db.deleteFrom('auth.attempts').where('key', '=', keyOf(who, address)).execute()
  },
})
