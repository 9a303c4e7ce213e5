import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { type DataKeys, dataKeys, opened } from './data-keys.ts'
import { type Binding, seal } from './envelope.ts'
import type { VaultSchema } from './migrations.ts'
import type { SecretRef, Secrets } from './secrets.ts'

// Each attempt fails only because the owner was destroyed under it, which does not happen twice in a row for long.
const ATTEMPTS_MAX = 5
const FOREIGN_KEY_VIOLATION = '23503'

const secretBinding = ({ ownerId, subjectId, name }: SecretRef, keyId: string): Binding =>
  ['secret', ownerId, subjectId, name, keyId]

const keyIsGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === FOREIGN_KEY_VIOLATION

/** Writes and reads single secrets, each under its owner's key. */
const sealedRows = (db: Kysely<VaultSchema>, keys: DataKeys) => {
  /** Writes under the owner's key; tries anew when the owner was destroyed in between. */
  const write = async (secret: SecretRef, value: string, kept: 'first' | 'last'): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const { keyId, key } = await keys.of(secret.ownerId)
      const sealed = seal(key, Buffer.from(value), secretBinding(secret, keyId))
      const insert = db
        .insertInto('vault.secret')
        .values({ key_id: keyId, subject_id: secret.subjectId, name: secret.name, sealed })
        .onConflict((conflict) => {
          const there = conflict.columns(['key_id', 'subject_id', 'name'])
          return kept === 'first' ? there.doNothing() : there.doUpdateSet({ sealed, sealed_at: new Date() })
        })
      try {
        await insert.execute()
        return
      } catch (error) {
        if (!keyIsGone(error) || attempt === ATTEMPTS_MAX) throw error
      }
    }
  }

  const open = async (secret: SecretRef): Promise<string | undefined> => {
    const row = await db
      .selectFrom('vault.secret as s')
      .innerJoin('vault.owner_key as k', 'k.key_id', 's.key_id')
      .select(['s.sealed', 'k.key_id', 'k.wrapped'])
      .where('k.owner_id', '=', secret.ownerId)
      .where('s.subject_id', '=', secret.subjectId)
      .where('s.name', '=', secret.name)
      .executeTakeFirst()
    if (row === undefined) return undefined
    const { keyId, key } = keys.unwrapped(secret.ownerId, row)
    const what = `the secret ${secret.name} of ${secret.subjectId}`
    return opened(what, key, row.sealed, secretBinding(secret, keyId)).toString()
  }

  return { open, write }
}

/**
 * Secrets in Postgres: each sealed under its owner's data key, each data key wrapped by the master key. Data keys are
 * kept nowhere else, not even in memory, so that a destroyed owner is destroyed for every process at once.
 *
 * @param options.pool the database with the schema `vault` (see `vaultMigrations`); stays the caller's to close
 * @param options.masterKey 32 bytes
 * @throws when the master key is of another length
 */
export const sealedSecrets = ({ pool, masterKey }: { readonly pool: Pool; readonly masterKey: Buffer }): Secrets => {
  const db = new Kysely<VaultSchema>({ dialect: new PostgresDialect({ pool }) })
  const keys = dataKeys(db, masterKey)
  const { open, write } = sealedRows(db, keys)
  return {
    open,
    seal: (secret, value) => write(secret, value, 'last'),
    ensure: async (secret, generate) => {
      const there = await open(secret)
      if (there !== undefined) return there
      const value = await generate()
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        await write(secret, value, 'first')
        const kept = await open(secret)
        if (kept !== undefined) return kept
      }
      throw new Error(`the secret ${secret.name} of ${secret.subjectId} is destroyed again and again`)
    },
    destroySubject: async (subjectId) => {
      await db.deleteFrom('vault.secret').where('subject_id', '=', subjectId).execute()
    },
    destroyOwner: keys.destroy,
  }
}
