import { projection } from './projection.ts'
import type { AccountRow } from './schema.ts'

/** One row per account, for signing in and for naming who did something. */
export const accounts = projection<AccountRow>({
  name: 'accounts',
  version: 2,
  table: 'accounts',
  key: 'account_id',
  columns: {
    account_id: 'text',
    login: 'text',
    first_name: 'text',
    last_name: 'text',
    is_admin: 'boolean',
    to_confirm: 'boolean',
    issuer: 'text',
    customer_reference: 'text',
    terms: 'json',
    created_at: 'time',
  },

  keys({ type, data }) {
    if (type === 'AccountRegistered' || type === 'LoginConfirmed' || type === 'OrganisationErased') return [data.accountId]
    return []
  },

  apply(row, { type, data }) {
    if (type === 'OrganisationErased') return undefined
    if (type === 'LoginConfirmed') return row && { ...row, to_confirm: false }
    if (type !== 'AccountRegistered') return row
    return {
      account_id: data.accountId,
      login: data.login,
      first_name: data.firstName,
      last_name: data.lastName,
      is_admin: data.isAdmin,
      to_confirm: data.toConfirm ?? false,
      issuer: data.external?.issuer ?? null,
      customer_reference: data.external?.subject ?? null,
      terms: data.terms ?? null,
      created_at: data.at,
    }
  },
})
