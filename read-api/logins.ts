import type { Kysely } from 'kysely'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'

/**
 * The logins of accounts, by their ids. Who has no account, or none any more, is absent.
 *
 * @param accountIds in any order, also repeatedly
 */
export const loginsOf = async (
  db: Kysely<ReadSchema>,
  { open }: Pick<PersonalData, 'open'>,
  accountIds: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  const ids = [...new Set(accountIds)]
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('accounts').select(['account_id', 'login']).where('account_id', 'in', ids).execute()
  const logins = await open(rows.map(({ login }) => login))
  return new Map(rows.map(({ account_id }, n) => [account_id, logins[n] ?? '']))
}
