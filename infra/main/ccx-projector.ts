import { serve } from './base.ts'
import { auditPart } from './parts/audit.ts'
import { projectorPart } from './parts/projector.ts'

/** Builds the read models and the audit trail from the log. */
await serve('ccx-projector', [projectorPart, auditPart])
