import { type Kysely, sql } from 'kysely'
import type { Attempts } from '../../command-handlers/auth/ports.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import { placeOf } from '../http/place.ts'
import { keyOf } from './digest.ts'
import type { AuthTables } from './tables.ts'

/** So many may fail before anyone has to wait; then each failure doubles the wait. */
export type Patience = { readonly free: number; readonly waitSeconds: number; readonly waitSecondsMax: number }

/**
 * What is counted, beside one another. Those under way count too, so that `free` must be more than one user does at once.
 * The last two are for places from where the login has never signed in: nobody who guesses, from however many addresses,
 * keeps its owner out of where he always is.
 */
export const PATIENCE = {
  /** One login from one address. */
  pair: { free: 10, waitSeconds: 2, waitSecondsMax: 900 },
  /** One login, from anywhere new. */
  login: { free: 50, waitSeconds: 2, waitSecondsMax: 900 },
  /** Any login that is new to one address. */
  address: { free: 100, waitSeconds: 2, waitSecondsMax: 300 },
} as const satisfies Readonly<Record<string, Patience>>

/** After so long without an attempt the count begins anew. */
const FORGET_MS = 60 * 60 * 1000
const KNOWN_MS = 90 * 24 * FORGET_MS

const loginOf = (who: string): string => who.trim().normalize('NFC').toLowerCase()

type Options = { readonly db: Kysely<AuthTables>; readonly now: () => Instant }

/**
 * Counts one attempt, in one statement: a hundred at once are a hundred.
 *
 * @returns how many seconds to wait instead, if there were too many
 */
const count = async ({ db, now }: Options, key: Buffer, patience: Patience): Promise<number | undefined> => {
  const { free, waitSeconds, waitSecondsMax } = patience
  const at = now()
  const admitted = await db
    .insertInto('auth.attempts')
    .values({ key, count: 1, last_at: at, blocked_until: null })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet({
          count: sql`auth.attempts.count + 1`,
          last_at: at,
          blocked_until: sql`case when auth.attempts.count + 1 < ${free} then null else ${at}::timestamptz
            + make_interval(secs => least(${waitSecondsMax}::double precision,
                ${waitSeconds} * power(2, least(30, auth.attempts.count + 1 - ${free})))) end`,
        })
        .where((it) =>
          it.or([it('auth.attempts.blocked_until', 'is', null), it('auth.attempts.blocked_until', '<=', new Date(at))]),
        ),
    )
    .returning('count')
    .executeTakeFirst()
  if (admitted !== undefined) return undefined
  const row = await db.selectFrom('auth.attempts').select('blocked_until').where('key', '=', key).executeTakeFirst()
  return Math.max(1, Math.ceil(((row?.blocked_until?.getTime() ?? 0) - Date.parse(at)) / 1000))
}

/** An attempt that was right is no guess: it is taken out of the counts again. */
const discount = async ({ db }: Options, keys: readonly Buffer[]): Promise<void> => {
  await db
    .updateTable('auth.attempts')
    .set({ count: sql`greatest(0, count - 1)`, blocked_until: sql`case when count <= 1 then null else blocked_until end` })
    .where('key', 'in', keys)
    .execute()
}

const keysOf = (who: string, address: string) => {
  const [login, place] = [loginOf(who), placeOf(address)]
  const [pair, known] = [keyOf('pair', login, place), keyOf('known', login, place)]
  return { pair, known, login: keyOf('login', login), address: keyOf('address', place) }
}

/** Counts attempts in Postgres, so that all instances count together. An attempt is counted before it is made. */
export const attemptCounter = (options: Options): Attempts => {
  const { db, now } = options

  const isKnown = async (key: Buffer): Promise<boolean> =>
    (await db.selectFrom('auth.known_places').select('key').where('key', '=', key).executeTakeFirst()) !== undefined

  return {
    begin: async (who, address) => {
      const keys = keysOf(who, address)
      const before = (ms: number): Date => new Date(later(now(), -ms))
      await db.deleteFrom('auth.attempts').where('last_at', '<', before(FORGET_MS)).execute()
      const wait = await count(options, keys.pair, PATIENCE.pair)
      if (wait !== undefined || (await isKnown(keys.known))) return wait
      return (await count(options, keys.login, PATIENCE.login)) ?? count(options, keys.address, PATIENCE.address)
    },

    succeed: async (who, address) => {
      const keys = keysOf(who, address)
      await db.deleteFrom('auth.attempts').where('key', '=', keys.pair).execute()
      if (!(await isKnown(keys.known))) await discount(options, [keys.login, keys.address])
      const at = now()
      await db.deleteFrom('auth.known_places').where('last_at', '<', new Date(later(at, -KNOWN_MS))).execute()
      await db
        .insertInto('auth.known_places')
        .values({ key: keys.known, last_at: at })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ last_at: at }))
        .execute()
    },
  }
}
