import type { AccountEvent } from '../domain/account/account.ts'
import { projection } from './projection.ts'
import type { AccountRow } from './schema.ts'

const TYPES: ReadonlySet<string> = new Set<AccountEvent['type']>([
  'AccountRegistered',
  'LoginConfirmed',
  'AccountSuspended',
  'AccountUnsuspended',
  'AccountDeleted',
  'OrganisationErased',
])

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
    suspended: 'boolean',
    suspended_because: 'text',
    deleted: 'boolean',
    created_at: 'time',
  },

  keys: ({ type, data }) => (TYPES.has(type) && 'accountId' in data ? [data.accountId] : []),

  apply(row, { type, data }) {
    if (type === 'OrganisationErased') return undefined
    if (type === 'LoginConfirmed') return row && { ...row, to_confirm: false }
    if (row !== undefined && type === 'AccountSuspended') return { ...row, suspended: true, suspended_because: data.reason }
    if (row !== undefined && type === 'AccountUnsuspended') return { ...row, suspended: false, suspended_because: null }
    if (row !== undefined && type === 'AccountDeleted') return { ...row, deleted: true }
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
      suspended: false,
      suspended_because: null,
      deleted: false,
      created_at: data.at,
    }
  },
})
