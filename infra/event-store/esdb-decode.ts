import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { Position } from '../../domain/kernel/event-store.ts'
import { StoreUnavailable } from './transient.ts'

/**
 * Answers of the Read call. Events are read by hand where they have the form in which servers write them, fields in
 * the order of their numbers and none that is unknown: the generated code takes several times as long, and reading the
 * log is what a rebuild spends its time on. Whatever has another form is the generated code's.
 */

/** An event as the store has it. Its bytes are a window on those of the answer. */
export type WireEvent = {
  readonly id: string
  readonly stream: string
  readonly revision: bigint
  readonly position: Position
  readonly type: string
  /** 100 ns ticks since 1970. */
  readonly createdTicks: string
  readonly data: Uint8Array
  readonly metadata: Uint8Array
}

/** What an answer tells a reader; `nothing` is what no reader of ours asks about. */
export type Answer =
  | { readonly kind: 'event'; readonly event: WireEvent }
  | { readonly kind: 'checkpoint'; readonly position: Position }
  | { readonly kind: 'caught-up' }
  | { readonly kind: 'nothing' }

type RecordedEvent = streams.ReadResp.ReadEvent.RecordedEvent
type Uuid = NonNullable<ReturnType<RecordedEvent['getId']>>

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text of a UUID, which may come as two signed halves. */
const uuidOf = (id: Uuid | undefined): string => {
  const halves = id?.getStructured()
  if (halves === undefined) return id?.getString() ?? ''
  const hex = [halves.getMostSignificantBits(), halves.getLeastSignificantBits()]
    .map((half) => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0'))
    .join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const eventOf = (event: RecordedEvent): WireEvent => ({
  id: uuidOf(event.getId()),
  stream: utf8.decode(event.getStreamIdentifier()?.getStreamName_asU8()),
  revision: BigInt(event.getStreamRevision()),
  position: { commit: BigInt(event.getCommitPosition()), prepare: BigInt(event.getPreparePosition()) },
  type: event.getMetadataMap().get('type') ?? '',
  createdTicks: event.getMetadataMap().get('created') ?? '',
  data: event.getData_asU8(),
  metadata: event.getCustomMetadata_asU8(),
})

/** An answer of any form, read by the generated code. @throws what that code, or the text of a name, throws */
const decodeAny = (bytes: Uint8Array): Answer => {
  // The generated code keeps views of what it is given, and a Buffer's views are Buffers.
  const message = streams.ReadResp.deserializeBinary(new Uint8Array(bytes))
  const event = message.getEvent()?.getEvent()
  if (event !== undefined) return { kind: 'event', event: eventOf(event) }
  const checkpoint = message.getCheckpoint()
  if (checkpoint !== undefined) {
    const [commit, prepare] = [BigInt(checkpoint.getCommitPosition()), BigInt(checkpoint.getPreparePosition())]
    return { kind: 'checkpoint', position: { commit, prepare } }
  }
  return message.hasCaughtUp() ? { kind: 'caught-up' } : { kind: 'nothing' }
}

type Cursor = { readonly bytes: Buffer; at: number }

/** A number that is exact as a double; NaN for any other, and when the bytes end in it. */
const varint = (from: Cursor): number => {
  let value = 0
  for (let scale = 1; scale < 2 ** 53; scale *= 128) {
    const byte = from.bytes[from.at]
    if (byte === undefined) return Number.NaN
    from.at += 1
    value += (byte & 127) * scale
    if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN
  }
  return Number.NaN
}

/** The number of the field, 0 where that is left out, NaN where it is none of ours. */
const numberAt = (from: Cursor, tag: number): number => {
  if (from.bytes[from.at] !== tag) return 0
  from.at += 1
  return varint(from)
}

/**
 * Goes into the field and tells where it ends; NaN when another one is here.
 *
 * @throws when it does not end within `end`; the generated code would look for its end for seconds
 */
const blockAt = (from: Cursor, tag: number, end: number): number => {
  if (from.at >= end || from.bytes[from.at] !== tag) return Number.NaN
  from.at += 1
  const blockEnd = varint(from) + from.at
  if (blockEnd > end) throw new Error(`a field ends at ${blockEnd}, and what it is in at ${end}`)
  return blockEnd
}

const NONE = new Uint8Array()

/** The bytes of the field, none where that is left out; undefined when its length is odd. */
const bytesAt = (from: Cursor, tag: number, end: number): Uint8Array | undefined => {
  if (from.bytes[from.at] !== tag) return NONE
  const bytesEnd = blockAt(from, tag, end)
  if (Number.isNaN(bytesEnd)) return undefined
  const bytes = from.bytes.subarray(from.at, bytesEnd)
  from.at = bytesEnd
  return bytes
}

/** Text of the field; undefined when there is none, or it may not be UTF-8. */
const textAt = (from: Cursor, tag: number, end: number): string | undefined => {
  const textEnd = blockAt(from, tag, end)
  if (Number.isNaN(textEnd)) return undefined
  const text = from.bytes.toString('utf8', from.at, textEnd)
  from.at = textEnd
  return text.includes('\u{FFFD}') || text.startsWith('\u{FEFF}') ? undefined : text
}

/** Text that is all there is of a message in the field. */
const innerTextAt = (from: Cursor, [outer, inner]: readonly [number, number], end: number): string | undefined => {
  const blockEnd = blockAt(from, outer, end)
  const text = textAt(from, inner, blockEnd)
  return from.at === blockEnd ? text : undefined
}

/** A tag is the number of the field and whether a length, 2, or a number, 0, comes next. */
const READ_EVENT = 0x0a
const TAGS = {
  event: 0x0a, place: 0x18, noPlace: 0x22, id: [0x0a, 0x12], stream: [0x12, 0x1a], revision: 0x18, prepare: 0x20, commit: 0x28,
  property: 0x32, key: 0x0a, value: 0x12, metadata: 0x3a, data: 0x42,
} as const

type Properties = { type: string; created: string }

/** What the store says of the event; undefined when a property has another form. */
const propertiesAt = (from: Cursor, end: number): Properties | undefined => {
  const found: Properties = { type: '', created: '' }
  while (from.bytes[from.at] === TAGS.property && from.at < end) {
    const blockEnd = blockAt(from, TAGS.property, end)
    const key = textAt(from, TAGS.key, blockEnd)
    const value = textAt(from, TAGS.value, blockEnd)
    if (key === undefined || value === undefined || from.at !== blockEnd) return undefined
    if (key === 'type') found.type = value
    else if (key === 'created') found.created = value
  }
  return found
}

const recordedAt = (from: Cursor, end: number): WireEvent | undefined => {
  const id = innerTextAt(from, TAGS.id, end)
  const stream = innerTextAt(from, TAGS.stream, end)
  if (id === undefined || stream === undefined) return undefined
  const revision = numberAt(from, TAGS.revision)
  const prepare = numberAt(from, TAGS.prepare)
  const commit = numberAt(from, TAGS.commit)
  if (Number.isNaN(revision + prepare + commit)) return undefined
  const properties = propertiesAt(from, end)
  if (properties === undefined) return undefined
  const metadata = bytesAt(from, TAGS.metadata, end)
  const data = bytesAt(from, TAGS.data, end)
  if (metadata === undefined || data === undefined || from.at !== end) return undefined
  const position = { commit: BigInt(commit), prepare: BigInt(prepare) }
  const { type, created } = properties
  return { id, stream, revision: BigInt(revision), position, type, createdTicks: created, data, metadata }
}

/** An event that is no link, in the usual form; undefined for any other answer. @throws when it is cut off */
const usualEvent = (bytes: Buffer): WireEvent | undefined => {
  const from: Cursor = { bytes, at: 0 }
  if (blockAt(from, READ_EVENT, bytes.length) !== bytes.length) return undefined
  const event = recordedAt(from, blockAt(from, TAGS.event, bytes.length))
  if (event === undefined) return undefined
  if (from.bytes[from.at] === TAGS.noPlace && from.bytes[from.at + 1] === 0) from.at += 2
  else if (Number.isNaN(numberAt(from, TAGS.place))) return undefined
  return from.at === bytes.length ? event : undefined
}

/**
 * What an answer of the Read call tells.
 *
 * @throws StoreUnavailable for bytes that are no answer
 */
export const decode = (bytes: Buffer): Answer => {
  try {
    const event = usualEvent(bytes)
    return event === undefined ? decodeAny(bytes) : { kind: 'event', event }
  } catch (cause) {
    throw new StoreUnavailable('the event store gave an answer that cannot be read', { cause })
  }
}
