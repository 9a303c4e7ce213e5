import { serve } from './base.ts'
import { projectorPart } from './parts/projector.ts'

/** Builds the read models from the log. */
await serve('ccx-projector', [projectorPart])
