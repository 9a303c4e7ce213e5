import { projection } from './projection.ts'
import type { OauthClientRow } from './schema.ts'

/** One row per OAuth2 client that is not revoked. */
export const oauthClients = projection<OauthClientRow>({
  name: 'oauth-clients',
  version: 1,
  table: 'oauth_clients',
  key: 'client_id',
  columns: { client_id: 'text', owner_id: 'text', name: 'text', created_at: 'time', expires_at: 'time' },

  keys({ type, data }) {
    if (type === 'OrganisationErased') return data.clientIds
    return type === 'ClientCreated' || type === 'ClientRevoked' ? [data.clientId] : []
  },

  apply(row, { type, data }) {
    if (type === 'ClientRevoked' || type === 'OrganisationErased') return undefined
    if (type !== 'ClientCreated') return row
    const { clientId, accountId, name, at, expiresAt } = data
    return { client_id: clientId, owner_id: accountId, name, created_at: at, expires_at: expiresAt }
  },
})
