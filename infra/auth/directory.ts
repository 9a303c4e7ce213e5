import { type Kysely, type Selectable, sql } from 'kysely'
import type { AccountView, ClientView, Directory } from '../../command-handlers/auth/ports.ts'
import { accountIdOf } from '../../command-handlers/ids.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'

type AccountRow = Selectable<ReadSchema['accounts']>
type ClientRow = Selectable<ReadSchema['oauth_clients']>
type Open = PersonalData['open']

const accountOf = async (open: Open, row: AccountRow): Promise<AccountView> => {
  const [login = '', firstName = '', lastName = ''] = await open([row.login, row.first_name, row.last_name])
  return {
    accountId: row.account_id,
    login,
    firstName,
    lastName,
    isAdmin: row.is_admin,
    suspended: row.suspended,
    toConfirm: row.to_confirm,
    terms: row.terms,
    createdAt: row.created_at.toISOString(),
  }
}

const clientsOf = async (open: Open, rows: readonly ClientRow[]): Promise<readonly ClientView[]> => {
  const names = await open(rows.map(({ name }) => name))
  return rows.map((row, n) => ({
    clientId: row.client_id,
    accountId: row.owner_id,
    organisationId: row.organisation_id,
    role: row.role,
    name: names[n] ?? '',
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
  }))
}

/** Who there is, from the read models. */
export const directory = ({ db, personal: { open } }: {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
}): Directory => {
  const read = db.withSchema(READ_SCHEMA)
  const accountById = async (accountId: string): Promise<AccountView | undefined> => {
    const rows = read.selectFrom('accounts').selectAll().where('account_id', '=', accountId).where('deleted', '=', false)
    const row = await rows.executeTakeFirst()
    return row && accountOf(open, row)
  }
  const clientsWhere = async (column: 'owner_id' | 'organisation_id', id: string): Promise<readonly ClientView[]> => {
    const rows = read.selectFrom('oauth_clients').selectAll().where(column, '=', id)
    return clientsOf(open, await rows.orderBy('created_at').orderBy('client_id').execute())
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
      return row && (await clientsOf(open, [row]))[0]
    },
    clientsOf: (accountId) => clientsWhere('owner_id', accountId),
    clientsIn: (organisationId) => clientsWhere('organisation_id', organisationId),
    organisationsOf: async (accountId) => {
      const rows = await read
        .selectFrom('organisations')
        .select(['organisation_id', 'name', 'members'])
        .where(sql<boolean>`members @> ${JSON.stringify([{ user_id: accountId }])}::jsonb`)
        .orderBy('created_at')
        .orderBy('organisation_id')
        .execute()
      const names = await open(rows.map(({ name }) => name))
      return rows.flatMap(({ organisation_id: organisationId, members }, n) => {
        const role = members.find(({ user_id: id }) => id === accountId)?.role
        return role === undefined ? [] : [{ organisationId, name: names[n] ?? '', role }]
      })
    },
  }
}
