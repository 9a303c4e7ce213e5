import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'

export const regionReply = z.object({ code: z.string(), display_code: z.string(), name: z.string() })

/** A region as clients want it: an object. One that is not offered any more has only its code. */
export const regionOf = ({ clouds }: Catalogue, cloud: string, region: string): z.infer<typeof regionReply> => {
  const found = clouds.find(({ code }) => code === cloud)?.regions.find(({ code }) => code === region)
  return { code: region, display_code: found?.displayCode ?? region, name: found?.name ?? region }
}
