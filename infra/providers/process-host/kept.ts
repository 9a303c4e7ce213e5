// What a machine's folder keeps beside the machine itself, each in a file of its own.
import { join } from 'node:path'
import { z } from 'zod'
import type { CutDirection } from '../provider.ts'

export const AddressRecord = z.object({ publicAddress: z.string() })
export const FilterRecord = z.object({
  ports: z.array(z.int()),
  sources: z.union([z.literal('everybody'), z.array(z.string())]),
})
export const OffRecord = z.object({})
export const CutRecord = z.object({ direction: z.enum(['both', 'in', 'out'] satisfies CutDirection[]) })

export const filterFile = (folder: string): string => join(folder, 'filter.json')
/** There while the machine is off because it is to be. */
export const offFile = (folder: string): string => join(folder, 'off.json')
export const addressFile = (folder: string): string => join(folder, 'address.json')
/** There while the machine is on: since which start of the machine underneath. */
export const onFile = (folder: string): string => join(folder, 'on.json')
/** There from a fence to the boot after it. */
export const fenceFile = (folder: string): string => join(folder, 'fenced')
/** There while the machine's link is cut. */
export const cutFile = (folder: string): string => join(folder, 'cut.json')
