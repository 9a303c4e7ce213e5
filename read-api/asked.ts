import { z } from 'zod'
import { Refused } from '../domain/kernel/endpoint.ts'

/** The datastore that a path names. */
export const datastoreParams = z.object({ uuid: z.uuid().toLowerCase() })

const LIMIT_MAX = 100
const OFFSET_MAX = 1_000_000_000

/** Which part of a list is asked for. */
export const pageQuery = (limitDefault: number) =>
  z.object({
    limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(limitDefault),
    offset: z.coerce.number().int().min(0).max(OFFSET_MAX).default(0),
  })

/** Another's datastore does not exist for the one who asks. */
export const noDatastore = (datastoreId: string): Refused =>
  new Refused({ rejected: 'datastore-not-found', because: `there is no datastore ${datastoreId}` })
