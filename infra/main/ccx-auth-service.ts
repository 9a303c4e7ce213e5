import { serve } from './base.ts'
import { authServiceCalls } from './parts/calls.ts'
import { httpPart } from './parts/http.ts'

/** Who may sign in: passwords, sessions, client credentials. */
await serve('ccx-auth-service', [httpPart({ serves: authServiceCalls })])
