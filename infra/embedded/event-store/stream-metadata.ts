import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Proposed } from './record.ts'

/** Who may do what with a stream: names of users and groups. What is not named falls under the default. */
export type StreamAcl = {
  readonly readRoles?: readonly string[] | undefined
  readonly writeRoles?: readonly string[] | undefined
  readonly deleteRoles?: readonly string[] | undefined
  readonly metaReadRoles?: readonly string[] | undefined
  readonly metaWriteRoles?: readonly string[] | undefined
}

/** What a stream's metadata says of it. Keys of the user's own stay in the event and mean nothing to the server. */
export type StreamMetadata = {
  readonly maxCount?: number | undefined
  readonly maxAgeSeconds?: number | undefined
  /** The first revision that is read; `deleted` (int64's maximum in the JSON) hides the stream until it is written again. */
  readonly truncateBefore?: number | 'deleted' | undefined
  readonly acl?: StreamAcl | undefined
}

const NONE: StreamMetadata = {}

/** Metadata streams keep one event. */
export const OF_METADATA_STREAMS: StreamMetadata = { maxCount: 1 }

export const METADATA_TYPE = '$metadata'
export const JSON_CONTENT = 'application/json'

const INT64_MAX = 2n ** 63n - 1n

/** .NET's time spans end here, in seconds. */
const SECONDS_MAX = 922_337_203_685n

export const isMetadataStream = (stream: string): boolean => stream.startsWith('$$')
export const metadataStreamOf = (stream: string): string => `$$${stream}`
export const describedBy = (metadataStream: string): string => metadataStream.slice(2)

const clamped = (value: bigint): number => Number(value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : value)

const Integer = z.bigint().min(-INT64_MAX - 1n).max(INT64_MAX)
/** Out of range means "not set", as on the real server; beyond int64, or no integer, makes all of it invalid. */
const Positive = Integer.transform((it) => (it > 0n ? clamped(it) : undefined))
const Seconds = Integer.refine((it) => it >= -SECONDS_MAX && it <= SECONDS_MAX)
  .transform((it) => (it > 0n ? Number(it) : undefined))
const Truncation = Integer.transform((it) => (it === INT64_MAX ? 'deleted' : it >= 0n ? clamped(it) : undefined))
const Roles = z.union([z.string().transform((role) => [role]), z.array(z.string())]).optional()
const Acl = z
  .strictObject({ $r: Roles, $w: Roles, $d: Roles, $mr: Roles, $mw: Roles })
  .transform(({ $r, $w, $d, $mr, $mw }): StreamAcl =>
    ({ readRoles: $r, writeRoles: $w, deleteRoles: $d, metaReadRoles: $mr, metaWriteRoles: $mw }))

const Metadata = z
  .looseObject({
    $maxCount: Positive.optional(),
    $maxAge: Seconds.optional(),
    $tb: Truncation.optional(),
    $tmp: z.boolean().optional(),
    $cacheControl: Seconds.optional(),
    $acl: Acl.optional(),
  })
  .transform(({ $maxCount, $maxAge, $tb, $acl }): StreamMetadata =>
    ({ maxCount: $maxCount, maxAgeSeconds: $maxAge, truncateBefore: $tb, acl: $acl }))

const Source = z.object({ source: z.string() })

/** JSON as it is, save that integers are bigints: a number of JavaScript's cannot hold int64's maximum. */
const withIntegers = (text: string): unknown =>
  JSON.parse(text, (...[, value, context]: readonly unknown[]) => {
    if (typeof value !== 'number') return value
    const { source } = Source.parse(context)
    return /^-?\d+$/.test(source) ? BigInt(source) : value
  })

type Content = Pick<Proposed, 'contentType' | 'data'>

/**
 * What the newest event of a metadata stream says. As the real server has it, metadata that is not JSON, or in which one
 * of the known keys has a value of the wrong kind, says nothing at all.
 */
export const metadataIn = (event: Content | undefined): StreamMetadata => {
  if (event === undefined || event.contentType !== JSON_CONTENT || !isUtf8(event.data)) return NONE
  try {
    return Metadata.safeParse(withIntegers(event.data.toString())).data ?? NONE
  } catch {
    return NONE
  }
}

/** What an access control list says; nothing if it is not one. */
export const aclIn = (value: unknown): StreamAcl => Acl.safeParse(value).data ?? {}

const metadataEvent = (json: string): Proposed => ({
  id: randomUUID(), type: METADATA_TYPE, contentType: JSON_CONTENT, data: Buffer.from(json), metadata: Buffer.alloc(0),
})

/** The metadata that hides a stream. It takes the place of all that was there, as on the real server. */
export const deletion = (): Proposed => metadataEvent(`{"$tb":${INT64_MAX}}`)

const Keys = z.record(z.string(), z.unknown())

/**
 * The metadata that lets a hidden stream be read again.
 *
 * @param hiding the data of the metadata that is to go on but for this
 * @param from the revision that is to be the first
 * @returns nothing when that is no JSON object; the stream is seen then anyway
 */
export const revived = (hiding: Buffer, from: number): readonly Proposed[] => {
  try {
    return [metadataEvent(JSON.stringify({ ...Keys.parse(JSON.parse(hiding.toString())), $tb: from }))]
  } catch {
    return []
  }
}

/** The event that ends a stream for ever. */
export const ending = (): Proposed => ({
  id: randomUUID(),
  type: '$streamDeleted',
  contentType: 'application/octet-stream',
  data: Buffer.alloc(0),
  metadata: Buffer.alloc(0),
})
