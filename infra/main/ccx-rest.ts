import { serve } from './base.ts'
import { httpPart } from './parts/http.ts'
import { commandCalls } from './parts/rest.ts'

/** The REST API of the tenants: commands and queries. */
await serve('ccx-rest', [httpPart(commandCalls)])
