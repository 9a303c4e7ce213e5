import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { Resolved } from './links.ts'
import { type LogRecord, TOMBSTONE } from './record.ts'

/**
 * Answers of the Read call as protobuf bytes. Events are written by hand: the generated code takes four times as long
 * even when its messages are there already, and reading the log is what the projector spends its time on. The
 * generated code reads them back in the tests.
 */

const varintLength = (value: number): number => {
  let length = 1
  for (; value >= 128; length++) value = Math.floor(value / 128)
  return length
}

const putVarint = (into: Buffer, at: number, value: number): number => {
  for (; value >= 2 ** 31; value = Math.floor(value / 128)) into[at++] = (value % 128) | 128
  for (; value >= 128; value >>>= 7) into[at++] = (value & 127) | 128
  into[at++] = value
  return at
}

/** All field numbers in here are below 16, so a tag is one byte. */
const LENGTH_DELIMITED = 2
const tag = (field: number, type: number): number => (field << 3) | type

const blockLength = (length: number): number => 1 + varintLength(length) + length

const openBlock = (into: Buffer, at: number, field: number, length: number): number => {
  into[at] = tag(field, LENGTH_DELIMITED)
  return putVarint(into, at + 1, length)
}

const putText = (into: Buffer, at: number, field: number, text: string, length: number): number => {
  at = openBlock(into, at, field, length)
  return at + into.write(text, at)
}

const putBytes = (into: Buffer, at: number, field: number, bytes: Uint8Array): number => {
  if (bytes.length === 0) return at
  at = openBlock(into, at, field, bytes.length)
  into.set(bytes, at)
  return at + bytes.length
}

const bytesLength = (bytes: Uint8Array): number => (bytes.length === 0 ? 0 : blockLength(bytes.length))

const putNumber = (into: Buffer, at: number, field: number, value: number): number => {
  if (value === 0) return at
  into[at] = tag(field, 0)
  return putVarint(into, at + 1, value)
}

const numberLength = (value: number): number => (value === 0 ? 0 : 1 + varintLength(value))

const putEntry = (into: Buffer, at: number, key: string, value: string, lengths: Entry): number => {
  at = openBlock(into, at, 6, lengths.entry)
  at = putText(into, at, 1, key, key.length)
  return putText(into, at, 2, value, lengths.value)
}

type Entry = { readonly entry: number; readonly value: number }

/** Keys are ASCII; values need not be. */
const entryOf = (key: string, value: string): Entry => {
  const length = Buffer.byteLength(value)
  return { value: length, entry: blockLength(key.length) + blockLength(length) }
}

/** A UUID as two signed halves, which is how some clients ask for it. */
export const structured = (id: string): shared.UUID => {
  const hex = id.replaceAll('-', '')
  const half = (digits: string): string => BigInt.asIntN(64, BigInt(`0x${digits}`)).toString()
  const halves = new shared.UUID.Structured()
  halves.setMostSignificantBits(half(hex.slice(0, 16)))
  halves.setLeastSignificantBits(half(hex.slice(16)))
  return new shared.UUID().setStructured(halves)
}

export type UuidForm = 'string' | 'structured'

const uuidBytes = (id: string, form: UuidForm): Uint8Array => {
  if (form === 'structured') return structured(id).serializeBinary()
  const bytes = Buffer.allocUnsafe(2 + id.length)
  putText(bytes, 0, 2, id, id.length)
  return bytes
}

/** A tombstone's revision, which no double can be: 63 bits, all of them set. */
const TOMBSTONE_VARINT = Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 127])

const revisionLength = (revision: number): number =>
  revision === TOMBSTONE ? 1 + TOMBSTONE_VARINT.length : numberLength(revision)

const putRevision = (into: Buffer, at: number, field: number, revision: number): number => {
  if (revision !== TOMBSTONE) return putNumber(into, at, field, revision)
  into[at] = tag(field, 0)
  into.set(TOMBSTONE_VARINT, at + 1)
  return at + 1 + TOMBSTONE_VARINT.length
}

/** A RecordedEvent that has been measured, since in protobuf a length comes before what it measures. */
type Measured = {
  readonly length: number
  readonly put: (into: Buffer, at: number, field: number) => number
}

const measured = (record: LogRecord, form: UuidForm): Measured => {
  const id = uuidBytes(record.id, form)
  const name = Buffer.byteLength(record.stream)
  const type = entryOf('type', record.type)
  const contentType = entryOf('content-type', record.contentType)
  const created = entryOf('created', record.createdTicks)
  const length =
    blockLength(id.length) + blockLength(blockLength(name)) +
    revisionLength(record.revision) + 2 * numberLength(record.position) +
    blockLength(type.entry) + blockLength(contentType.entry) + blockLength(created.entry) +
    bytesLength(record.metadata) + bytesLength(record.data)
  const put = (into: Buffer, start: number, field: number): number => {
    let at = openBlock(into, start, field, length)
    at = putBytes(into, at, 1, id)
    at = openBlock(into, at, 2, blockLength(name))
    at = putText(into, at, 3, record.stream, name)
    at = putRevision(into, at, 3, record.revision)
    at = putNumber(into, at, 4, record.position)
    at = putNumber(into, at, 5, record.position)
    at = putEntry(into, at, 'type', record.type, type)
    at = putEntry(into, at, 'content-type', record.contentType, contentType)
    at = putEntry(into, at, 'created', record.createdTicks, created)
    at = putBytes(into, at, 7, record.metadata)
    return putBytes(into, at, 8, record.data)
  }
  return { length: blockLength(length), put }
}

/** An event, or a link with what it stands for, as a ReadResp. Its place is that of the link. */
export const eventBytes = ({ event, link }: Partial<Resolved>, form: UuidForm): Buffer => {
  const [ofEvent, ofLink] = [event && measured(event, form), link && measured(link, form)]
  const position = (link ?? event)?.position ?? 0
  const readEvent = (ofEvent?.length ?? 0) + (ofLink?.length ?? 0) + numberLength(position)
  const into = Buffer.allocUnsafe(blockLength(readEvent))
  let at = openBlock(into, 0, 1, readEvent)
  at = ofEvent?.put(into, at, 1) ?? at
  at = ofLink?.put(into, at, 2) ?? at
  putNumber(into, at, 3, position)
  return into
}

const bytesOf = (response: streams.ReadResp): Buffer => Buffer.from(response.serializeBinary())

/** The first answer of a subscription. */
export const confirmationBytes = (subscriptionId: string): Buffer => {
  const confirmation = new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(subscriptionId)
  return bytesOf(new streams.ReadResp().setConfirmation(confirmation))
}

/** Everything up to `position` has been considered by a filtered subscription. */
export const checkpointBytes = (position: number): Buffer =>
  bytesOf(
    new streams.ReadResp().setCheckpoint(
      new streams.ReadResp.Checkpoint().setCommitPosition(`${position}`).setPreparePosition(`${position}`),
    ),
  )

/** From here on a subscription is live. */
export const caughtUpBytes = (): Buffer => bytesOf(new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()))

/** The answer to reading a stream that has no events. It is no error status. */
export const streamNotFoundBytes = (stream: string): Buffer => {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream))
  const notFound = new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifier)
  return bytesOf(new streams.ReadResp().setStreamNotFound(notFound))
}
