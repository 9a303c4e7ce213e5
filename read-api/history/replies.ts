import { z } from 'zod'
import type { JsonValue } from '../../domain/kernel/json.ts'

const instant = z.iso.datetime()

const actor = z.object({
  kind: z.enum(['user', 'client', 'operator', 'system']),
  id: z.string(),
  login: z.string().nullable().meta({ description: 'Where there is an account still.' }),
  client_id: z.string().nullable().meta({ description: 'The OAuth2 client that acted for the user.' }),
  role: z.string().nullable(),
})

const event = z.object({
  id: z.string(),
  type: z.string(),
  stream: z.string(),
  position: z.string().meta({ description: 'Where it is in the log: `commit/prepare`, as `asOf` takes it.' }),
  at: instant,
  what: z.string().meta({ description: 'The same as a sentence.' }),
})

const value = z.custom<JsonValue>().meta({ description: 'Null also for a field that is not there.' })

const change = z.object({ field: z.string(), from: value, to: value })

export const historyReply = z.object({
  uuid: z.string(),
  events: z.array(event.extend({ actor, request_id: z.string().nullable(), changes: z.array(change) })),
  next: z.string().nullable().meta({ description: 'The cursor of the next part; null at the end.' }),
})

export const diffReply = z.object({
  uuid: z.string(),
  from: z.string(),
  to: z.string(),
  changes: z.array(change.extend({ set_by: event })),
})

const request = z.object({
  actor,
  request_id: z.string().nullable(),
  command: z.string().nullable(),
  command_id: z.string(),
  at: instant,
})

const order = z.object({
  id: z.string().nullable().meta({ description: 'Null for an order that was never answered.' }),
  subject: z.string(),
})

const step = z.object({
  name: z.string(),
  title: z.string(),
  undo: z.boolean(),
  attempt: z.int(),
  node: z.string().nullable(),
  order: order.nullable(),
})

const job = z.object({ job_id: z.string(), kind: z.string().nullable(), step: step.nullable() })

export const whyReply = z.object({
  uuid: z.string(),
  fields: z.array(
    z.object({
      field: z.string(),
      value,
      set_by: event,
      request: request.meta({ description: 'What everything in the chain follows from.' }),
      job: job.nullable(),
      chain: z
        .array(z.union([event.extend({ order: order.exactOptional() }), request]))
        .meta({ description: 'From the request to the event: each follows from the one before.' }),
    }),
  ),
})

export type EventReply = z.infer<typeof event>
export type ActorReply = z.infer<typeof actor>
export type WhyReply = z.infer<typeof whyReply>
export type HistoryReply = z.infer<typeof historyReply>
export type DiffReply = z.infer<typeof diffReply>
