import type { Kysely } from 'kysely'
import type { AccountView, ClientView, Directory } from '../../command-handlers/auth/ports.ts'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'

const accountOf = (row: {
  readonly account_id: string
  readonly login: string
  readonly first_name: string
  readonly last_name: string
  readonly is_admin: boolean
  readonly created_at: Date
}): AccountView => ({
  accountId: row.account_id,
  login: row.login,
  firstName: row.first_name,
  lastName: row.last_name,
  isAdmin: row.is_admin,
  createdAt: row.created_at.toISOString(),
})

const clientOf = (row: {
  readonly client_id: string
  readonly owner_id: string
  readonly name: string
  readonly created_at: Date
  readonly expires_at: Date | null
}): ClientView => ({
  clientId: row.client_id,
  accountId: row.owner_id,
  name: row.name,
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at?.toISOString() ?? null,
})

/** Who there is, from the read models. */
export const directory = ({ db }: { readonly db: Kysely<ReadSchema> }): Directory => {
  const read = db.withSchema(READ_SCHEMA)
  const accountById = async (accountId: string): Promise<AccountView | undefined> => {
    const row = await read.selectFrom('accounts').selectAll().where('account_id', '=', accountId).executeTakeFirst()
    return row && accountOf(row)
  }
  return {
    // An account's id derives from its login, so nobody need agree with the database on what a lower-case letter is.
    accountByLogin: (login) => accountById(accountIdOf(login)),
    accountById,
    clientById: async (clientId) => {
      const row = await read
        .selectFrom('oauth_clients')
        .selectAll()
        .where('client_id', '=', clientId)
        .executeTakeFirst()
      return row && clientOf(row)
    },
    clientsOf: async (accountId) => {
      const rows = await read
        .selectFrom('oauth_clients')
        .selectAll()
        .where('owner_id', '=', accountId)
        .orderBy('created_at')
        .orderBy('client_id')
        .execute()
      return rows.map(clientOf)
    },
  }
}
