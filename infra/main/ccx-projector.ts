import { serve } from './base.ts'
import { auditPart } from './parts/audit.ts'
import { integrationPart } from './parts/integration.ts'
import { projectorPart } from './parts/projector.ts'

/** Builds the read models, the audit trail and the streams of integrators from the log. */
await serve('ccx-projector', [projectorPart, auditPart, integrationPart])
