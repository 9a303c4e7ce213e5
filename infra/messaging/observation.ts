import { z } from 'zod'
import type { VolumeUsage } from '../../domain/datastore/messages.ts'

const id = z.string().min(1)
const bytes = z.number().int().nonnegative()
const instant = z.iso.datetime()

const about = z.object({ datastoreId: id, ownerId: id, at: instant })

/** What a look at a datastore has shown, as it travels. Another kind of it is a member here, and what follows from it. */
export const ObservationMessage = z.discriminatedUnion('kind', [
  about.extend({
    kind: z.literal('disk-usage'),
    /** Of the nodes that answered. */
    volumes: z.array(
      z.object({ nodeId: id, usedBytes: bytes, totalBytes: bytes }) satisfies z.ZodType<VolumeUsage>,
    ),
  }),
  /** The primary answers neither the controller nor any replica that can be asked. */
  about.extend({
    kind: z.literal('primary-unreachable'),
    primaryId: id,
    /** The epoch that this node is the primary of, as the controller knows it. */
    epoch: z.int().nonnegative(),
    lastSeenAt: instant,
    /** In words a tenant understands. */
    because: z.string(),
    /** How much the primary had written when it was last seen; null where nobody knows. */
    positionBytes: bytes.nullable(),
  }),
  /** A node has been silent since then; whether its machine answers all the same. */
  about.extend({ kind: z.literal('node-silent'), nodeId: id, since: instant, machineAnswers: z.boolean() }),
  /** A node was silent or fenced; its machine answers, and it does not follow the primary. */
  about.extend({ kind: z.literal('node-back'), nodeId: id }),
  /** A node was told to be lost, and does its part again. */
  about.extend({ kind: z.literal('node-well'), nodeId: id }),
  /** A server that died was started again where it was. */
  about.extend({
    kind: z.literal('server-restarted'),
    nodeId: id,
    role: z.enum(['primary', 'replica']),
    downSince: instant,
    backAt: instant,
  }),
])

export type Observation = z.infer<typeof ObservationMessage>
