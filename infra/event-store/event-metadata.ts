import { z } from 'zod'
import type { Metadata } from '../../domain/kernel/event-store.ts'
import type { Sealed } from '../../domain/kernel/sealed.ts'

// The first events ever written hold it as plain text.
const Address = z.custom<Sealed>((value) => typeof value === 'string')

// What is not known here is kept: an event says the same whoever reads it, and the audit trail hashes all of it.
const Actor = z.looseObject({
  kind: z.enum(['user', 'client', 'operator', 'system']),
  id: z.string(),
  clientId: z.string().exactOptional(),
  role: z.string().exactOptional(),
  address: Address.exactOptional(),
})

const Command = z.looseObject({ type: z.string(), data: z.looseObject({}) })

/** What our events say of why they were written. */
export const EventMetadata = z.looseObject({
  commandId: z.string(),
  correlationId: z.string(),
  causationId: z.string(),
  actor: Actor,
  organisationId: z.string().exactOptional(),
  requestId: z.string().exactOptional(),
  traceparent: z.string().exactOptional(),
  command: Command.exactOptional(),
}) satisfies z.ZodType<Metadata>

export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a JSON value is an object, and no list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isText = (value: unknown): value is string => typeof value === 'string'
// JSON has no undefined: what is undefined is not there.
const isTextIfThere = (value: unknown): boolean => value === undefined || typeof value === 'string'

const KINDS: ReadonlySet<unknown> = new Set(Actor.shape.kind.options)

const isActor = (value: unknown): boolean =>
  isJsonObject(value) && KINDS.has(value['kind']) && isText(value['id']) &&
  isTextIfThere(value['clientId']) && isTextIfThere(value['role']) && isTextIfThere(value['address'])

const isCommandIfThere = (value: unknown): boolean =>
  value === undefined || (isJsonObject(value) && isText(value['type']) && isJsonObject(value['data']))

/**
 * Whether a JSON value is metadata of ours: the same as `EventMetadata`, for a tenth of the time. Every event that is
 * read goes through here.
 */
export const isMetadata = (value: unknown): value is Metadata =>
  isJsonObject(value) && isText(value['commandId']) && isText(value['correlationId']) && isText(value['causationId']) &&
  isActor(value['actor']) && isTextIfThere(value['organisationId']) && isTextIfThere(value['requestId']) &&
  isTextIfThere(value['traceparent']) && isCommandIfThere(value['command'])
