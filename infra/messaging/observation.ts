import { z } from 'zod'
import type { VolumeUsage } from '../../domain/datastore/messages.ts'

const id = z.string().min(1)
const bytes = z.number().int().nonnegative()

const about = z.object({ datastoreId: id, ownerId: id, at: z.iso.datetime() })

/** What a look at a datastore has shown, as it travels. Another kind of it is a member here, and what follows from it. */
export const ObservationMessage = z.discriminatedUnion('kind', [
  about.extend({
    kind: z.literal('disk-usage'),
    /** Of the nodes that answered. */
    volumes: z.array(
      z.object({ nodeId: id, usedBytes: bytes, totalBytes: bytes }) satisfies z.ZodType<VolumeUsage>,
    ),
  }),
])

export type Observation = z.infer<typeof ObservationMessage>
