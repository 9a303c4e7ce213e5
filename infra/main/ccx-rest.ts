import { serve } from './base.ts'
import { authServiceCalls, restCalls } from './parts/calls.ts'
import { httpPart } from './parts/http.ts'

/** The REST API of the tenants: commands and queries. */
await serve('ccx-rest', [httpPart({ serves: restCalls, elsewhere: authServiceCalls })])
