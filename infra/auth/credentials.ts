import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Credentials } from '../../command-handlers/auth/ports.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { hashPassword, isPassword } from './password-hash.ts'
import type { AuthTables } from './tables.ts'

const SECRET_BYTES = 32
const NOBODY = '00000000-0000-0000-0000-000000000000'

type Options = { readonly db: Kysely<AuthTables>; readonly now: () => Instant }

/** Passwords and client secrets in Postgres, as argon2id hashes. */
export const credentialStore = ({ db, now }: Options): Credentials => {
  // What an unknown subject is compared with, so that it takes as long as a known one.
  let decoy: Promise<string> | undefined

  const keep = async (subject: string, password: string): Promise<boolean> => {
    const hash = await hashPassword(password)
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('auth.credentials')
      .values({ subject, hash, created_at: now(), used_at: null })
      .onConflict((conflict) => conflict.column('subject').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  return {
    keep,

    issue: async (subject) => {
      const secret = randomBytes(SECRET_BYTES).toString('base64url')
      if (!(await keep(subject, secret))) throw new Error(`BUG: ${subject} has a secret already`)
      return secret
    },

    verify: async (subject, password) => {
      decoy ??= hashPassword(randomBytes(SECRET_BYTES).toString('base64url'))
      const row = await db
        .selectFrom('auth.credentials')
        .select('hash')
        .where('subject', '=', subject ?? NOBODY)
        .executeTakeFirst()
      const isRight = await isPassword(password, row?.hash ?? (await decoy))
      if (row === undefined || subject === undefined || !isRight) return false
      await db.updateTable('auth.credentials').set({ used_at: now() }).where('subject', '=', subject).execute()
      return true
    },

    forget: async (subjects) => {
      if (subjects.length === 0) return
      await db.deleteFrom('auth.credentials').where('subject', 'in', subjects).execute()
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
