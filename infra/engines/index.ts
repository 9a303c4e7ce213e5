import type { Engine } from './engine.ts'
import { postgresql } from './postgresql/index.ts'

/** Every engine there is. A new one is a folder and a line here; the contract suite then runs over it. */
export const engines: readonly Engine[] = [postgresql]
