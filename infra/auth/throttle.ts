import { type Kysely, sql } from 'kysely'
import type { Throttle, ThrottledCall } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import { keyOf } from './digest.ts'
import type { AuthTables } from './tables.ts'

/** So many at once, and one more after each pause. */
type Bucket = { readonly burst: number; readonly pauseMs: number }

const BUCKETS: Readonly<Record<ThrottledCall, Bucket>> = {
  'register-from-address': { burst: 20, pauseMs: 60_000 },
  'reset-from-address': { burst: 20, pauseMs: 60_000 },
  'reset-of-login': { burst: 3, pauseMs: 20 * 60_000 },
  'confirm-of-account': { burst: 3, pauseMs: 10 * 60_000 },
  'mail-token-from-address': { burst: 30, pauseMs: 10_000 },
}

/** Token buckets in Postgres, so that all instances count together; each taken from in one statement. */
export const throttle = ({ db, now }: {
  readonly db: Kysely<AuthTables>
  readonly now: () => Instant
}): Throttle => ({
  take: async (call, whose) => {
    const { burst, pauseMs } = BUCKETS[call]
    const at = now()
    const key = keyOf('bucket', call, whose)
    await db.deleteFrom('auth.buckets').where('full_at', '<', new Date(at)).execute()
    const next = sql<Date>`greatest(auth.buckets.full_at, ${at}::timestamptz) + make_interval(secs => ${pauseMs / 1_000})`
    const taken = await db
      .insertInto('auth.buckets')
      .values({ key, full_at: later(at, pauseMs) })
      .onConflict((conflict) =>
        conflict
          .column('key')
          .doUpdateSet({ full_at: sql`${next}` })
          .where(next, '<=', new Date(later(at, burst * pauseMs))),
      )
      .returning('full_at')
      .executeTakeFirst()
    if (taken !== undefined) return undefined
    const row = await db.selectFrom('auth.buckets').select('full_at').where('key', '=', key).executeTakeFirst()
    const readyMs = (row?.full_at.getTime() ?? 0) + pauseMs - burst * pauseMs
    return Math.max(1, Math.ceil((readyMs - Date.parse(at)) / 1_000))
  },
})
