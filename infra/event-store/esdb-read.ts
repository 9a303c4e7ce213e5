import type { EventStoreDBClient } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { StreamsClient, StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { ClientReadableStream } from '@grpc/grpc-js'
import type { Position } from '../../domain/kernel/event-store.ts'
import { type Answer, decode } from './esdb-decode.ts'
import { StoreUnavailable } from './transient.ts'

const { Options } = streams.ReadReq
const { FORWARDS, BACKWARDS } = Options.ReadDirection

/** How many events the server looks at before it tells a filtered subscription how far it has come. */
const CHECKPOINT_EVERY = 512

/** Its messages are bytes still: what they say is decoded where an error is the reader's. */
export type ReadCall = ClientReadableStream<Buffer>

const { path, requestSerialize } = StreamsService.read
const asBytes = (bytes: Buffer): Buffer => bytes

/**
 * Opens a Read call on the client's connection.
 *
 * The client's own readers are not used: they report checkpoints and "caught up" ahead of events that are still
 * buffered, which would make a reader store a position ahead of what it has seen, and cannot filter a read of `$all`.
 * Connecting, discovery, credentials and reconnecting stay the client's.
 *
 * @throws StoreUnavailable when no connection comes about
 */
export const openRead = async (client: EventStoreDBClient, request: streams.ReadReq): Promise<ReadCall> => {
  const open = client['GRPCStreamCreator'](StreamsClient, 'read', (calls) =>
    calls.makeServerStreamRequest(
      path, requestSerialize, asBytes, request, ...client['callArguments']({}, { deadline: Infinity }),
    ),
  )
  try {
    return await open()
  } catch (cause) {
    throw new StoreUnavailable('the event store cannot be reached', { cause })
  }
}

const requestOf = (options: streams.ReadReq.Options): streams.ReadReq =>
  new streams.ReadReq().setOptions(options.setUuidOption(new Options.UUIDOption().setString(new shared.Empty())))

const identifierOf = (stream: string): shared.StreamIdentifier =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(stream))

const streamFrom = (from: bigint | undefined, backward: boolean): streams.ReadReq.Options.StreamOptions => {
  const options = new Options.StreamOptions()
  if (from !== undefined) return options.setRevision(`${from}`)
  return backward ? options.setEnd(new shared.Empty()) : options.setStart(new shared.Empty())
}

/** Reads a stream from a revision (inclusive), or from the end that the direction begins at. */
export const streamRequest = (
  stream: string,
  { from, limit, backward }: { readonly from: bigint | undefined; readonly limit: number; readonly backward: boolean },
): streams.ReadReq =>
  requestOf(
    new Options()
      .setStream(streamFrom(from, backward).setStreamIdentifier(identifierOf(stream)))
      .setReadDirection(backward ? BACKWARDS : FORWARDS)
      .setCount(`${limit}`)
      .setNoFilter(new shared.Empty()),
  )

const allFrom = (after: Position | 'start'): streams.ReadReq.Options.AllOptions => {
  const options = new Options.AllOptions()
  if (after === 'start' || (after.commit === 0n && after.prepare === 0n)) return options.setStart(new shared.Empty())
  const position = new Options.Position().setCommitPosition(`${after.commit}`).setPreparePosition(`${after.prepare}`)
  return options.setPosition(position)
}

const prefixFilter = (prefixes: readonly string[]): streams.ReadReq.Options.FilterOptions => {
  const expression = new Options.FilterOptions.Expression()
  // No stream's name is empty, so this expression matches none.
  if (prefixes.length === 0) expression.setRegex('^$')
  else expression.setPrefixList([...prefixes])
  return new Options.FilterOptions()
    .setStreamIdentifier(expression)
    .setMax(CHECKPOINT_EVERY)
    .setCheckpointintervalmultiplier(1)
}

/** Reads `$all` forward from a position (inclusive), only streams with one of the prefixes. */
export const allRequest = (
  after: Position | 'start',
  prefixes: readonly string[],
  limit: number,
): streams.ReadReq =>
  requestOf(
    new Options()
      .setAll(allFrom(after))
      .setReadDirection(FORWARDS)
      .setCount(`${limit}`)
      .setFilter(prefixFilter(prefixes)),
  )

/** Reads the last event of `$all`. */
export const lastRequest = (): streams.ReadReq =>
  requestOf(
    new Options()
      .setAll(new Options.AllOptions().setEnd(new shared.Empty()))
      .setReadDirection(BACKWARDS)
      .setCount('1')
      .setNoFilter(new shared.Empty()),
  )

/** Follows `$all` after a position. */
export const subscriptionRequest = (after: Position | 'start', prefixes: readonly string[]): streams.ReadReq =>
  requestOf(
    new Options()
      .setAll(allFrom(after))
      .setSubscription(new Options.SubscriptionOptions())
      .setFilter(prefixFilter(prefixes)),
  )

/**
 * Hands every answer of a call to `take` and resolves at its end. The call is cancelled whatever happens, since one
 * left open stays open on the server.
 *
 * @param stallMs how long the server may be silent
 * @throws StoreUnavailable when the server is silent for longer; what gRPC reports; what `take` throws
 */
export const readToEnd = async (
  call: ReadCall,
  take: (answer: Answer) => void,
  stallMs: number,
): Promise<void> => {
  const over = Promise.withResolvers<void>()
  const stalled = (): void => over.reject(new StoreUnavailable(`the event store was silent for ${stallMs} ms`))
  const timer = setTimeout(stalled, stallMs)
  call.on('error', over.reject)
  call.on('end', over.resolve)
  call.on('data', (message: Buffer) => {
    timer.refresh()
    try {
      take(decode(message))
    } catch (error) {
      over.reject(error)
      call.cancel()
    }
  })
  try {
    await over.promise
  } finally {
    clearTimeout(timer)
    call.cancel()
  }
}
