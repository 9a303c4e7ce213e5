import { serve } from './base.ts'
import { authCalls } from './parts/auth.ts'
import { httpPart } from './parts/http.ts'

/** Who may sign in: passwords, sessions, client credentials. */
await serve('ccx-auth-service', [httpPart({ serves: [authCalls] })])
