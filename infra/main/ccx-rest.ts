import { serve } from './base.ts'
import { authCalls } from './parts/auth.ts'
import { httpPart } from './parts/http.ts'
import { organisationCalls } from './parts/organisations.ts'
import { commandCalls, queryCalls } from './parts/rest.ts'
import { integrationCalls } from './parts/integration.ts'
import { webhookCalls } from './parts/webhooks.ts'

/** The REST API of the tenants: commands and queries. */
await serve('ccx-rest', [
  httpPart({ serves: [commandCalls, queryCalls, webhookCalls, integrationCalls, organisationCalls], elsewhere: [authCalls] }),
])
