import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Credentials } from '../../command-handlers/auth/ports.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { hashPassword, isOutdated, isPassword } from './password-hash.ts'
import { tokenHash } from './digest.ts'
import type { AuthTables } from './tables.ts'

const SECRET_BYTES = 32
const NOBODY = '00000000-0000-0000-0000-000000000000'

type Options = { readonly db: Kysely<AuthTables>; readonly now: () => Instant }

const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

/** Keeps a password for a subject that has none; whether it had none. */
const keeping = ({ db, now }: Options): Credentials['keep'] => async (subject, password) => {
  const hash = await hashPassword(password)
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('auth.credentials')
    .values({ subject, hash, created_at: now(), used_at: null, previous_hash: null, previous_until: null })
    .onConflict((conflict) => conflict.column('subject').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Compares with the hash that is kept, and with the one before it while that holds. */
const verifying = ({ db, now }: Options): Credentials['verify'] => {
  // What an unknown subject is compared with, so that it takes as long as a known one.
  let decoy: Promise<string> | undefined
  return async (subject, password) => {
    decoy ??= hashPassword(newSecret())
    const row = await db
      .selectFrom('auth.credentials')
      .select(['hash', 'previous_hash', 'previous_until'])
      .where('subject', '=', subject ?? NOBODY)
      .executeTakeFirst()
    const isCurrent = await isPassword(password, row?.hash ?? (await decoy))
    if (row === undefined || subject === undefined) return false
    const { hash, previous_hash: previous, previous_until: until } = row
    const holds = previous !== null && until !== null && until > new Date(now())
    if (!isCurrent && !(holds && (await isPassword(password, previous)))) return false
    const better = isCurrent && isOutdated(hash) ? { hash: await hashPassword(password) } : {}
    await db
      .updateTable('auth.credentials')
      .set({ used_at: now(), ...better })
      .where('subject', '=', subject)
      // Not over one that was set while this one was compared.
      .where('hash', '=', hash)
      .execute()
    return true
  }
}

/** Sets a password: with it all that the old one had opened ends, in one transaction. */
const setting = ({ db, now }: Options): Credentials['set'] => async (accountId, password, { spending, keeping: keepId }) => {
  const hash = await hashPassword(password)
  return db.transaction().execute(async (transaction) => {
    if (spending !== undefined) {
      const spent = await transaction
        .deleteFrom('auth.mail_tokens')
        .where('token_hash', '=', tokenHash(spending))
        .where('account_id', '=', accountId)
        .where('purpose', '=', 'reset')
        .where('expires_at', '>', new Date(now()))
        .executeTakeFirst()
      if (spent.numDeletedRows === 0n) return false
    }
    await transaction
      .insertInto('auth.credentials')
      .values({ subject: accountId, hash, created_at: now(), used_at: null, previous_hash: null, previous_until: null })
      .onConflict((conflict) => conflict.column('subject').doUpdateSet({ hash, previous_hash: null, previous_until: null }))
      .execute()
    await transaction.deleteFrom('auth.mail_tokens').where('account_id', '=', accountId).where('purpose', '=', 'reset').execute()
    const ended = transaction.deleteFrom('auth.sessions').where('account_id', '=', accountId)
    // Whoever comes by way of a mail may have lost more than the password; else tokens of clients have nothing to do with it.
    if (spending !== undefined) await ended.execute()
    else await ended.where('kind', '=', 'session').where('session_id', '!=', keepId ?? NOBODY).execute()
    return true
  })
}

/** Passwords and client secrets in Postgres, as argon2id hashes. */
export const credentialStore = (options: Options): Credentials => {
  const { db } = options
  const keep = keeping(options)
  return {
    keep,
    verify: verifying(options),
    set: setting(options),

    issue: async (subject) => {
      const secret = newSecret()
      if (!(await keep(subject, secret))) throw new Error(`BUG: ${subject} has a secret already`)
      return secret
    },

    rotate: async (subject, previousUntil) => {
      const secret = newSecret()
      const hash = await hashPassword(secret)
      const { numUpdatedRows } = await db
        .updateTable('auth.credentials')
        .set({ hash, previous_hash: sql`auth.credentials.hash`, previous_until: previousUntil })
        .where('subject', '=', subject)
        .executeTakeFirst()
      return numUpdatedRows === 0n ? undefined : secret
    },

    forget: async (subjects) => {
      if (subjects.length === 0) return
      await db.deleteFrom('auth.credentials').where('subject', 'in', subjects).execute()
      await db.deleteFrom('auth.mail_tokens').where('account_id', 'in', subjects).execute()
    },

    lastUsed: async (subjects) => {
      if (subjects.length === 0) return new Map()
      const rows = await db
        .selectFrom('auth.credentials')
        .select(['subject', 'used_at'])
        .where('subject', 'in', subjects)
        .execute()
      return new Map(
        rows.flatMap(({ subject, used_at: at }) => (at === null ? [] : [[subject, at.toISOString()] as const])),
      )
    },
  }
}
