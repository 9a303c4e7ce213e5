import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { OrganisationErased } from '../../domain/kernel/sealed.ts'
import { type Binding, KEY_BYTES, newKey, seal, unseal } from './envelope.ts'
import type { VaultSchema } from './migrations.ts'

export type DataKey = { readonly keyId: string; readonly key: Buffer }

export type DataKeys = {
  /**
   * The owner's data key, made if there is none. Racing callers get the one that was kept.
   *
   * @throws OrganisationErased when it was destroyed
   */
  readonly of: (ownerId: string) => Promise<DataKey>
  /** Those of these keys that there are, by their ids. */
  readonly byIds: (keyIds: readonly string[]) => Promise<ReadonlyMap<string, Buffer>>
  readonly unwrapped: (ownerId: string, row: { readonly key_id: string; readonly wrapped: Buffer }) => DataKey
  /** Destroys the owner's key, and sees to it that he never gets another. */
  readonly destroy: (ownerId: string) => Promise<void>
}

const keyBinding = (ownerId: string, keyId: string): Binding => ['data key', ownerId, keyId]

/** @throws an error that says what does not open, with the cause */
export const opened = (what: string, key: Buffer, sealed: Buffer, binding: Binding): Buffer => {
  try {
    return unseal(key, sealed, binding)
  } catch (cause) {
    throw new Error(`${what} does not open: it was changed, moved, or sealed under another key`, { cause })
  }
}

/**
 * Data keys by owner, each wrapped by the master key.
 *
 * @param masterKey 32 bytes
 * @throws when the master key is of another length
 */
export const dataKeys = (db: Kysely<VaultSchema>, masterKey: Buffer): DataKeys => {
  if (masterKey.length !== KEY_BYTES) {
    throw new Error(`a master key has ${KEY_BYTES} bytes, this one ${masterKey.length}`)
  }
  const unwrapped: DataKeys['unwrapped'] = (ownerId, row) => ({
    keyId: row.key_id,
    key: opened(`the data key of owner ${ownerId}`, masterKey, row.wrapped, keyBinding(ownerId, row.key_id)),
  })
  const kept = (ownerId: string) =>
    db.selectFrom('vault.owner_key').select(['key_id', 'wrapped']).where('owner_id', '=', ownerId).executeTakeFirst()

  /** One at a time for each owner, so that a key is never made beside its destruction. */
  const alone = <T>(ownerId: string, work: (transaction: Kysely<VaultSchema>) => Promise<T>): Promise<T> =>
    db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`ccx data key ${ownerId}`}, 0))`.execute(transaction)
      return work(transaction)
    })

  const make = (ownerId: string): Promise<void> =>
    alone(ownerId, async (transaction) => {
      const erased = await transaction
        .selectFrom('vault.erased_owner')
        .select('owner_id')
        .where('owner_id', '=', ownerId)
        .executeTakeFirst()
      if (erased !== undefined) throw new OrganisationErased(`the key of ${ownerId} is destroyed`)
      const keyId = randomUUID()
      await transaction
        .insertInto('vault.owner_key')
        .values({ key_id: keyId, owner_id: ownerId, wrapped: seal(masterKey, newKey(), keyBinding(ownerId, keyId)) })
        .onConflict((conflict) => conflict.column('owner_id').doNothing())
        .execute()
    })

  return {
    unwrapped,
    of: async (ownerId) => {
      const row = await kept(ownerId)
      if (row !== undefined) return unwrapped(ownerId, row)
      await make(ownerId)
      const made = await kept(ownerId)
      if (made === undefined) throw new OrganisationErased(`the key of ${ownerId} was destroyed as it was made`)
      return unwrapped(ownerId, made)
    },
    byIds: async (keyIds) => {
      if (keyIds.length === 0) return new Map()
      const rows = await db.selectFrom('vault.owner_key').selectAll().where('key_id', 'in', [...keyIds]).execute()
      return new Map(rows.map((row) => [row.key_id, unwrapped(row.owner_id, row).key]))
    },
    destroy: (ownerId) =>
      alone(ownerId, async (transaction) => {
        await transaction
          .insertInto('vault.erased_owner')
          .values({ owner_id: ownerId })
          .onConflict((conflict) => conflict.column('owner_id').doNothing())
          .execute()
        await transaction.deleteFrom('vault.owner_key').where('owner_id', '=', ownerId).execute()
      }),
  }
}
