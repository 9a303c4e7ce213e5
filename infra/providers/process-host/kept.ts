// What a machine's folder keeps beside the machine itself, each in a file of its own.
import { join } from 'node:path'
import { z } from 'zod'

export const AddressRecord = z.object({ publicAddress: z.string() })
export const FilterRecord = z.object({
  ports: z.array(z.int()),
  sources: z.union([z.literal('everybody'), z.array(z.string())]),
})
export const OffRecord = z.object({})

export const filterFile = (folder: string): string => join(folder, 'filter.json')
/** There while the machine is off because it is to be. */
export const offFile = (folder: string): string => join(folder, 'off.json')
export const addressFile = (folder: string): string => join(folder, 'address.json')
