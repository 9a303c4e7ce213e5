import type { Kysely } from 'kysely'
import type { DatastoreSpec } from '../../domain/datastore/spec.ts'
import { ERASED, type PersonalData } from '../../domain/kernel/sealed.ts'
import type { ReadSchema } from '../../projections/schema.ts'

export type Directory = {
  /** With the schema of the read models. */
  readonly read: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
}

/** The accounts that own what an owner's id stands for: a person's own, or those of the owners of an organisation. */
const ownersOf = async ({ read }: Directory, ownerId: string): Promise<readonly string[]> => {
  const row = await read
    .selectFrom('organisations').select('members').where('organisation_id', '=', ownerId).executeTakeFirst()
  const owners = (row?.members ?? []).filter(({ role }) => role === 'owner').map(({ user_id: userId }) => userId)
  return owners.length === 0 ? [ownerId] : owners
}

/**
 * Whom a datastore's notices go to: those it names, or its owners by their logins. Nobody twice, and nobody whose address
 * can be read no more.
 */
export const recipientsOf = async (
  directory: Directory,
  { ownerId, notifications: { enabled, emails } }: Pick<DatastoreSpec, 'ownerId' | 'notifications'>,
): Promise<readonly string[]> => {
  if (!enabled) return []
  const { read, personal } = directory
  const sealed =
    emails.length > 0
      ? emails
      : (
          await read
            .selectFrom('accounts').select('login').where('account_id', 'in', [...(await ownersOf(directory, ownerId))])
            .where('to_confirm', '=', false).where('deleted', '=', false).execute()
        ).map(({ login }) => login)
  const opened = (await personal.open(sealed)).filter((address) => address !== ERASED && address.includes('@'))
  return [...new Map(opened.map((address) => [address.toLowerCase(), address])).values()]
}
