import { serve } from './base.ts'
import { rotationPart } from './parts/access.ts'
import { runnerPart } from './parts/runner.ts'
import { windowPart } from './parts/window.ts'

/** Runs jobs: turns events into orders, and what comes of them into events. */
await serve('ccx-runner-service', [runnerPart, rotationPart, windowPart])
