import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js'
import { z } from 'zod'
import type { Metadata, Position, Recorded } from '../../domain/kernel/event-store.ts'
import type { Sealed } from '../../domain/kernel/sealed.ts'
import { shapes } from '../../projections/upcast.ts'

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

const EventMetadata = z.looseObject({
  commandId: z.string(),
  correlationId: z.string(),
  causationId: z.string(),
  actor: Actor,
  organisationId: z.string().exactOptional(),
  requestId: z.string().exactOptional(),
  traceparent: z.string().exactOptional(),
  command: Command.exactOptional(),
}) satisfies z.ZodType<Metadata>

const EventData = z.looseObject({})
const EventType = z.string().min(1)
const EventId = z.uuid()

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

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** 100 ns ticks since 1970 as RFC 3339. */
const instantOf = (ticks: string | undefined): string => new Date(Math.floor(Number(ticks ?? 0) / 10_000)).toISOString()

const json = (bytes: Uint8Array): unknown => JSON.parse(utf8.decode(bytes))

type WireEvent = ReadResp.ReadEvent.RecordedEvent

const positionOf = (event: WireEvent): Position => ({
  commit: BigInt(event.getCommitPosition()),
  prepare: BigInt(event.getPreparePosition()),
})

/**
 * An event as it came over the wire, checked, in the newest shape of its type.
 *
 * @throws MalformedEvent when its data is not a JSON object or its metadata is not ours
 */
export const recordedOf = (event: WireEvent): Recorded => {
  const stream = utf8.decode(event.getStreamIdentifier()?.getStreamName_asU8())
  const revision = BigInt(event.getStreamRevision())
  const properties = event.getMetadataMap()
  try {
    return {
      ...shapes.recall({
        type: EventType.parse(properties.get('type')),
        data: EventData.parse(json(event.getData_asU8())),
      }),
      id: EventId.parse(event.getId()?.getString()),
      stream,
      revision,
      position: positionOf(event),
      recordedAt: instantOf(properties.get('created')),
      metadata: EventMetadata.parse(json(event.getCustomMetadata_asU8())),
    }
  } catch (cause) {
    throw new MalformedEvent(stream, revision, cause)
  }
}
