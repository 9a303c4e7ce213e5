import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { UuidForm } from './encode.ts'
import { type Filter, filterOf } from './filter.ts'
import { malformed } from './refusal.ts'

/** Where a read begins: either end, or a revision or position that is a number. */
export type From = 'start' | 'end' | number

export type ReadRequest = {
  /** Undefined for `$all`. */
  readonly stream: string | undefined
  readonly from: From
  readonly backward: boolean
  /** How many events at most; undefined for a subscription, which has no end. */
  readonly limit: number | undefined
  readonly filter: Filter | undefined
  readonly uuids: UuidForm
  /** Whether links are answered with what they stand for. */
  readonly resolvesLinks: boolean
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The name of a stream.
 *
 * @throws Refusal when it is empty, not UTF-8, or holds a character that cannot be stored
 */
export const streamNameOf = (identifier: { getStreamName_asU8(): Uint8Array } | undefined): string => {
  let name: string
  try {
    name = decoder.decode(identifier?.getStreamName_asU8() ?? new Uint8Array())
  } catch {
    throw malformed('the stream name is not UTF-8')
  }
  if (name === '' || name.includes('\0')) throw malformed(`'${name}' is not a stream name`)
  return name
}

/**
 * Unsigned 64-bit text as a number. What lies beyond 2^53 lies beyond every event as well, so nothing is lost by the
 * limit.
 */
const numberOf = (text: string): number => Math.min(Number(text), Number.MAX_SAFE_INTEGER - 1)

const fromOf = (options: { hasStart(): boolean; hasEnd(): boolean }, exact: () => number): From =>
  options.hasStart() ? 'start' : options.hasEnd() ? 'end' : exact()

const allFrom = (all: streams.ReadReq.Options.AllOptions): From =>
  fromOf(all, () => {
    const position = all.getPosition()
    if (position === undefined) throw malformed('a read of $all begins at the start, at the end or at a position')
    const commit = numberOf(position.getCommitPosition())
    if (commit !== numberOf(position.getPreparePosition())) throw malformed('Invalid Position')
    return commit
  })

/** Reads what a client asks for. @throws Refusal when it asks for something that makes no sense */
export const readRequestOf = (request: streams.ReadReq): ReadRequest => {
  const options = request.getOptions()
  if (options === undefined) throw malformed('a read has options')
  const stream = options.getStream()
  const all = options.getAll()
  const subscribes = options.hasSubscription()
  if (!subscribes && !options.hasCount()) throw malformed('a read has a count or is a subscription')
  const backward = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS
  if (subscribes && backward) throw malformed('a subscription does not go backwards')
  const shared = {
    backward,
    limit: subscribes ? undefined : numberOf(options.getCount()),
    resolvesLinks: options.getResolveLinks(),
    uuids: options.getUuidOption()?.hasStructured() === true ? 'structured' : 'string',
  } as const
  if (all !== undefined) return { ...shared, stream: undefined, from: allFrom(all), filter: filterOf(options) }
  if (stream === undefined) throw malformed('a read names a stream or $all')
  return {
    ...shared,
    stream: streamNameOf(stream.getStreamIdentifier()),
    from: fromOf(stream, () => numberOf(stream.getRevision())),
    filter: undefined,
  }
}
