import { serve } from './base.ts'
import { deployerPart } from './parts/deployer.ts'

/** Carries out infrastructure orders: network, machine, address, volume, names. */
await serve('ccx-deployer', [deployerPart])
