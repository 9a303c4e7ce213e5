import { serve } from './base.ts'
import { controllerPart } from './parts/controller.ts'

/** Carries out orders on database nodes, and watches every datastore. */
await serve('cmon-master', [controllerPart])
