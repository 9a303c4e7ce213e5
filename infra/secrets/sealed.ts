import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { type Binding, KEY_BYTES, newKey, seal, unseal } from './envelope.ts'
import type { VaultSchema } from './migrations.ts'
import type { SecretRef, Secrets } from './secrets.ts'

// Each attempt fails only because the owner was destroyed under it, which does not happen twice in a row for long.
const ATTEMPTS_MAX = 5
const FOREIGN_KEY_VIOLATION = '23503'

type DataKey = { readonly keyId: string; readonly key: Buffer }

const keyBinding = (ownerId: string, keyId: string): Binding => ['data key', ownerId, keyId]
const secretBinding = ({ ownerId, subjectId, name }: SecretRef, keyId: string): Binding =>
  ['secret', ownerId, subjectId, name, keyId]

const opened = (what: string, key: Buffer, sealed: Buffer, binding: Binding): Buffer => {
  try {
    return unseal(key, sealed, binding)
  } catch (cause) {
    throw new Error(`${what} does not open: it was changed, moved, or sealed under another key`, { cause })
  }
}

const keyIsGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === FOREIGN_KEY_VIOLATION

/** Data keys by owner, made when first asked for. */
const dataKeys = (db: Kysely<VaultSchema>, masterKey: Buffer) => {
  const unwrapped = (ownerId: string, row: { readonly key_id: string; readonly wrapped: Buffer }): DataKey => ({
    keyId: row.key_id,
    key: opened(`the data key of owner ${ownerId}`, masterKey, row.wrapped, keyBinding(ownerId, row.key_id)),
  })
  /** The owner's data key, made if there is none. Racing callers get the one that was kept. */
  const of = async (ownerId: string): Promise<DataKey> => {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const row = await db
        .selectFrom('vault.owner_key')
        .select(['key_id', 'wrapped'])
        .where('owner_id', '=', ownerId)
        .executeTakeFirst()
      if (row !== undefined) return unwrapped(ownerId, row)
      const keyId = randomUUID()
      await db
        .insertInto('vault.owner_key')
        .values({ key_id: keyId, owner_id: ownerId, wrapped: seal(masterKey, newKey(), keyBinding(ownerId, keyId)) })
        .onConflict((conflict) => conflict.column('owner_id').doNothing())
        .execute()
    }
    throw new Error(`owner ${ownerId} is destroyed again and again`)
  }
  return { of, unwrapped }
}

/** Writes and reads single secrets, each under its owner's key. */
const sealedRows = (db: Kysely<VaultSchema>, masterKey: Buffer) => {
  const keys = dataKeys(db, masterKey)

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
  if (masterKey.length !== KEY_BYTES) {
    throw new Error(`a master key has ${KEY_BYTES} bytes, this one ${masterKey.length}`)
  }
  const db = new Kysely<VaultSchema>({ dialect: new PostgresDialect({ pool }) })
  const { open, write } = sealedRows(db, masterKey)
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
    destroyOwner: async (ownerId) => {
      await db.deleteFrom('vault.owner_key').where('owner_id', '=', ownerId).execute()
    },
  }
}
