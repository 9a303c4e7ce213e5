import { accessCalls } from './access.ts'
import { authCalls } from './auth.ts'
import { integrationCalls } from './integration.ts'
import { adminUserCalls, organisationCalls } from './organisations.ts'
import { commandCalls, queryCalls } from './rest.ts'
import { webhookCalls } from './webhooks.ts'

/** What the authentication service answers. */
export const authServiceCalls = [authCalls]

/** What the service of the REST API answers. */
export const restCalls = [
  commandCalls, queryCalls, webhookCalls, integrationCalls, organisationCalls, adminUserCalls, accessCalls,
]
