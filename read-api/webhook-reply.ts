import { z } from 'zod'

const instant = z.iso.datetime()

export const webhookReply = z.object({
  id: z.uuid(),
  url: z.string(),
  description: z.string().nullable(),
  types: z.array(z.string()).meta({ description: 'Whole types, or the beginning of one and a star; none: all.' }),
  subjects: z.array(z.string()).meta({ description: 'Whole subjects; none: all.' }),
  status: z.enum(['active', 'paused']),
  paused_because: z.enum(['asked', 'failing', 'gone']).nullable(),
  paused_at: instant.nullable(),
  previous_secret_until: instant.nullable().meta({ description: 'Until then the previous secret signs as well.' }),
  created_at: instant,
  updated_at: instant,
})

export const webhookWithStanding = webhookReply.extend({
  cursor: z.string().nullable().meta({ description: 'In the feed: all that is before and at it is settled.' }),
  attempts: z.int().meta({ description: 'At the event that is next.' }),
  next_attempt_at: instant.nullable(),
})

export const webhooksReply = z.object({ webhooks: z.array(webhookWithStanding) })

const delivery = z.object({
  id: z.string(),
  kind: z.enum(['event', 'ping', 'dead-letter']),
  event_id: z.uuid(),
  type: z.string(),
  attempt: z.int(),
  at: instant,
  outcome: z.enum(['delivered', 'failed', 'dead']),
  latency_ms: z.int(),
  response_code: z.int().nullable(),
  response: z.string().nullable().meta({ description: 'The first 4 KiB of the answer.' }),
  because: z.string().nullable(),
  next_attempt_at: instant.nullable(),
})

export const deliveriesReply = z.object({ deliveries: z.array(delivery), cursor: z.string().nullable() })

const deadLetter = z.object({
  event_id: z.uuid(),
  type: z.string(),
  attempts: z.int(),
  because: z.string(),
  died_at: instant,
  cursor: z.string().meta({ description: 'Of the event, in the feed.' }),
})

export const deadLettersReply = z.object({ dead_letters: z.array(deadLetter), cursor: z.string().nullable() })
