import { z } from 'zod'
import type { WebhookFilters } from '../domain/webhook/messages.ts'

// The domain knows the forms; here only what may be held in memory is bounded.
const patterns = z.array(z.string().max(1_000)).max(100)
const url = z.string().max(2_000)
const description = z.string().trim().max(1_000)

export const createBody = z.object({
  url,
  description: description.nullish().transform((text) => (text === undefined || text === '' ? null : text)),
  types: patterns.nullish(),
  subjects: patterns.nullish(),
})

/** What is absent stays as it is; a description of null or nothing is taken away. */
export const patchBody = z.object({
  url: url.exactOptional(),
  description: description.nullable().transform((text) => (text === '' ? null : text)).exactOptional(),
  types: patterns.exactOptional(),
  subjects: patterns.exactOptional(),
})

export const filtersOf = ({ types, subjects }: z.infer<typeof createBody>): WebhookFilters => ({
  types: types ?? [],
  subjects: subjects ?? [],
})

const secret = z.string().meta({ description: '`whsec_` and the key in base64 (Standard Webhooks).' })

export const createdBody = z.object({
  id: z.uuid(),
  url: z.string(),
  description: z.string().nullable(),
  types: z.array(z.string()),
  subjects: z.array(z.string()),
  status: z.literal('active'),
  created_at: z.iso.datetime(),
  secret,
})

export const rotatedBody = z.object({ secret })
