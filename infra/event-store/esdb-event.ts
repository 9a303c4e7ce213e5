import { z } from 'zod'
import type { Metadata, Recorded } from '../../domain/kernel/event-store.ts'
import { shapes } from '../../projections/upcast.ts'
import type { WireEvent } from './esdb-decode.ts'
import { EventMetadata, type JsonObject, isJsonObject, isMetadata } from './event-metadata.ts'

/** An event in one of our streams that is not one of ours. Nothing can be done about it but look at it. */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent'
  readonly stream: string
  readonly revision: bigint
  constructor(stream: string, revision: bigint, cause: unknown) {
    super(`event ${revision} of stream ${stream} is malformed`, { cause })
    this.stream = stream
    this.revision = revision
  }
}

const Own = z.object({ type: z.string().min(1), id: z.uuid(), data: z.looseObject({}), metadata: EventMetadata })

const UUID = /^[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

type Checked = { readonly type: string; readonly id: string; readonly data: JsonObject; readonly metadata: Metadata }

/** What was read, checked; by the schema only if a look does not do, which tells what is wrong with it. */
const checked = (type: string, id: string, data: unknown, metadata: unknown): Checked => {
  if (type !== '' && UUID.test(id) && isJsonObject(data) && isMetadata(metadata)) return { type, id, data, metadata }
  return Own.parse({ type, id, data, metadata })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** 100 ns ticks since 1970 as RFC 3339. */
const instantOf = (ticks: string): string => new Date(Math.floor(Number(ticks) / 10_000)).toISOString()

const json = (bytes: Uint8Array): unknown => JSON.parse(utf8.decode(bytes))

/**
 * An event as it came over the wire, checked, in the newest shape of its type.
 *
 * @throws MalformedEvent when its data is not a JSON object or its metadata is not ours
 */
export const recordedOf = ({ stream, revision, position, ...event }: WireEvent): Recorded => {
  try {
    const { type, id, data, metadata } = checked(event.type, event.id, json(event.data), json(event.metadata))
    const recordedAt = instantOf(event.createdTicks)
    return { ...shapes.recall({ type, data }), id, stream, revision, position, recordedAt, metadata }
  } catch (cause) {
    throw new MalformedEvent(stream, revision, cause)
  }
}
