import { projection } from './projection.ts'
import type { AccountRow } from './schema.ts'

/** One row per account, for signing in and for naming who did something. */
export const accounts = projection<AccountRow>({
  name: 'accounts',
  version: 1,
  table: 'accounts',
  key: 'account_id',
  columns: {
    account_id: 'text',
    login: 'text',
    first_name: 'text',
    last_name: 'text',
    is_admin: 'boolean',
    created_at: 'time',
  },

  keys: ({ type, data }) => (type === 'AccountRegistered' || type === 'OrganisationErased' ? [data.accountId] : []),

  apply(row, { type, data }) {
    if (type === 'OrganisationErased') return undefined
    if (type !== 'AccountRegistered') return row
    return {
      account_id: data.accountId,
      login: data.login,
      first_name: data.firstName,
      last_name: data.lastName,
      is_admin: data.isAdmin,
      created_at: data.at,
    }
  },
})
