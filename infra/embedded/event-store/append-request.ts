import type shared from '@eventstore/db-client/generated/shared_pb.js'
import { streamNameOf } from './read-request.ts'
import { ABSENT, type Proposed } from './record.ts'
import { malformed, propertyMissing } from './refusal.ts'
import type { Expected } from './version-rules.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @returns the id as text in lower case. @throws Refusal when it is not a UUID */
export const uuidOf = (uuid: shared.UUID | undefined): string => {
  const halves = uuid?.getStructured()
  const text = halves === undefined ? (uuid?.getString() ?? '').toLowerCase() : dashed(halves)
  if (!UUID.test(text)) throw malformed(`'${text}' is not a UUID`)
  return text
}

const dashed = (halves: shared.UUID.Structured): string => {
  const half = (text: string): string => BigInt.asUintN(64, BigInt(text)).toString(16).padStart(16, '0')
  const hex = half(halves.getMostSignificantBits()) + half(halves.getLeastSignificantBits())
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Both forms of append carry their events alike, under different names. */
type ProposedMessage = {
  getId(): shared.UUID | undefined
  getMetadataMap(): { get(key: string): string | undefined }
  getCustomMetadata_asU8(): Uint8Array
  getData_asU8(): Uint8Array
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** @throws Refusal when an event lacks its type or content type, or its id is not a UUID */
export const proposedOf = (message: ProposedMessage): Proposed => {
  const properties = message.getMetadataMap()
  const type = properties.get('type')
  const contentType = properties.get('content-type')
  if (type === undefined || type === '') throw propertyMissing('type')
  if (contentType === undefined) throw propertyMissing('content-type')
  if (`${type}${contentType}`.includes('\0')) throw malformed('a type does not hold the character NUL')
  return {
    id: uuidOf(message.getId()),
    type,
    contentType,
    data: bufferOf(message.getData_asU8()),
    metadata: bufferOf(message.getCustomMetadata_asU8()),
  }
}

type Options = {
  getStreamIdentifier(): shared.StreamIdentifier | undefined
  hasNoStream(): boolean
  hasAny(): boolean
  hasStreamExists(): boolean
}

/**
 * @param exact the exact revision as text, if one is given
 * @throws Refusal when the stream cannot be appended to or nothing is expected
 */
export const targetOf = (
  options: Options,
  exact: string | undefined,
): { readonly stream: string; readonly expected: Expected } => {
  const stream = streamNameOf(options.getStreamIdentifier())
  // A metadata stream has no metadata of its own, and $all no events.
  if (stream === '$all' || stream === '$$' || stream.startsWith('$$$$')) throw malformed(`${stream} is not written to`)
  if (exact !== undefined) return { stream, expected: Number(exact) }
  if (options.hasNoStream()) return { stream, expected: ABSENT }
  if (options.hasAny()) return { stream, expected: 'any' }
  if (options.hasStreamExists()) return { stream, expected: 'stream-exists' }
  throw malformed('an append expects something of its stream')
}
