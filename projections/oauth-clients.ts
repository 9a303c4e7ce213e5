import { projection } from './projection.ts'
import type { OauthClientRow } from './schema.ts'

/** One row per OAuth2 client that is not revoked. */
export const oauthClients = projection<OauthClientRow>({
  name: 'oauth-clients',
  version: 2,
  table: 'oauth_clients',
  key: 'client_id',
  columns: {
    client_id: 'text',
    owner_id: 'text',
    organisation_id: 'text',
    role: 'text',
    name: 'text',
    created_at: 'time',
    expires_at: 'time',
  },

  keys({ type, data }) {
    if (type === 'OrganisationErased' || type === 'AccountDeleted') return data.clientIds
    return type === 'ClientCreated' || type === 'ClientRevoked' ? [data.clientId] : []
  },

  apply(row, { type, data }) {
    if (type === 'ClientRevoked' || type === 'OrganisationErased' || type === 'AccountDeleted') return undefined
    if (type !== 'ClientCreated') return row
    const { clientId, accountId, organisationId = null, role = null, name, at, expiresAt } = data
    return {
      client_id: clientId, owner_id: accountId, organisation_id: organisationId, role, name,
      created_at: at, expires_at: expiresAt,
    }
  },
})
