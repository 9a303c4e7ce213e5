import { randomUUID } from 'node:crypto'
import type { EventStoreDBClient } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import type { Status } from '@eventstore/db-client/generated/status_pb.js'
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import empty from 'google-protobuf/google/protobuf/empty_pb.js'
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js'
import { type NewEvent, type Position, type Revision, RevisionConflict } from '../../domain/kernel/event-store.ts'
import { isRefusal, StoreUnavailable } from './transient.ts'
import { shapes } from '../../projections/upcast.ts'

/** The store will not take these events, now or later: they are too large, or the user may not write. */
export class AppendRefused extends Error {
  override readonly name = 'AppendRefused'
}

type Written = { readonly revision: bigint; readonly position: Position }

type Waiting = PromiseWithResolvers<streams.BatchAppendResp>

/** A BatchAppend call and the appends that wait for its answers. */
type Line = {
  readonly call: ClientDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>
  readonly waiting: Map<string, Waiting>
}

const conflict = (stream: string, details: shared.WrongExpectedVersion): RevisionConflict => {
  const current = details.hasCurrentStreamRevision() ? `at ${details.getCurrentStreamRevision()}` : 'absent'
  const expected = details.hasExpectedStreamPosition() ? `at ${details.getExpectedStreamPosition()}` : 'absent'
  return new RevisionConflict(`stream ${stream} is ${current}, and was expected to be ${expected}`)
}

/** What the store's refusal means. Whatever is not known to be final leaves the append in doubt. */
const errorOf = (stream: string, error: Status | undefined): Error => {
  const details = error?.getDetails()
  const name = details?.getTypeName()
  switch (name) {
    case 'event_store.client.WrongExpectedVersion': {
      const unpacked = details?.unpack((bytes) => shared.WrongExpectedVersion.deserializeBinary(bytes), name)
      return unpacked ? conflict(stream, unpacked) : new RevisionConflict(`stream ${stream} has moved on`)
    }
    case 'event_store.client.StreamDeleted':
      return new AppendRefused(`stream ${stream} is deleted`)
    case 'event_store.client.AccessDenied':
      return new AppendRefused(`writing to stream ${stream} is not allowed`)
    case 'event_store.client.MaximumAppendSizeExceeded':
      return new AppendRefused(`the events for stream ${stream} are too large for one append`)
    case 'event_store.client.BadRequest':
      return new AppendRefused(`the store does not understand the append to stream ${stream}`)
    default: {
      const why = error?.getMessage() ?? 'it did not say why'
      return new StoreUnavailable(`the store could not append to stream ${stream}: ${why}`)
    }
  }
}

const writtenOf = (stream: string, answer: streams.BatchAppendResp): Written => {
  const success = answer.getSuccess()
  const position = success?.getPosition()
  if (success === undefined) throw errorOf(stream, answer.getError())
  if (position === undefined) throw new StoreUnavailable(`the store did not say where it wrote to stream ${stream}`)
  return {
    revision: BigInt(success.getCurrentRevision()),
    position: { commit: BigInt(position.getCommitPosition()), prepare: BigInt(position.getPreparePosition()) },
  }
}

const proposed = (event: NewEvent): streams.BatchAppendReq.ProposedMessage => {
  const message = new streams.BatchAppendReq.ProposedMessage()
    .setId(new shared.UUID().setString(event.id))
    .setData(Buffer.from(JSON.stringify(event.data)))
    .setCustomMetadata(Buffer.from(JSON.stringify(event.metadata)))
  message.getMetadataMap().set('type', shapes.wireType(event.type)).set('content-type', 'application/json')
  return message
}

const requestOf = (
  correlation: string,
  stream: string,
  events: readonly NewEvent[],
  { expected, timeoutMs }: { readonly expected: Revision; readonly timeoutMs: number },
): streams.BatchAppendReq => {
  const options = new streams.BatchAppendReq.Options()
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(stream)))
    .setDeadline(timestamp.Timestamp.fromDate(new Date(Date.now() + timeoutMs)))
  if (expected === 'absent') options.setNoStream(new empty.Empty())
  else options.setStreamPosition(`${expected}`)
  return new streams.BatchAppendReq()
    .setCorrelationId(new shared.UUID().setString(correlation))
    .setOptions(options)
    .setProposedMessagesList(events.map(proposed))
    .setIsFinal(true)
}

type Correlated = { getCorrelationId(): shared.UUID | undefined }

const correlationOf = (message: Correlated): string => message.getCorrelationId()?.getString() ?? ''

const openLine = async (client: EventStoreDBClient, onOver: (line: Line) => void): Promise<Line> => {
  const open = client['GRPCStreamCreator'](StreamsClient, 'batchAppend', (calls) =>
    calls.batchAppend(...client['callArguments']({}, { deadline: Infinity })),
  )
  const line: Line = { call: await open(), waiting: new Map() }
  const over = (cause?: unknown): void => {
    onOver(line)
    const error = isRefusal(cause)
      ? new AppendRefused('the event store does not take appends from this user', { cause })
      : new StoreUnavailable('the connection to the event store broke during an append', { cause })
    for (const it of line.waiting.values()) it.reject(error)
    line.waiting.clear()
  }
  line.call.on('error', over)
  line.call.on('end', () => over())
  line.call.on('data', (answer: streams.BatchAppendResp) => {
    // An answer that nobody waits for any more is late: its append has been given up or is being repeated.
    const id = correlationOf(answer)
    line.waiting.get(id)?.resolve(answer)
    line.waiting.delete(id)
  })
  return line
}

/**
 * Appends over one long-lived BatchAppend call on the client's connection.
 *
 * The client's own `appendToStream` is not used: it has no time limit, it rejects appends that wait on other
 * connections when one breaks, and the answer to one of those then throws where nobody can catch it. Here every
 * connection has its own waiting appends.
 *
 * @returns `append`, which makes one attempt, and `close`
 */
export const appender = (client: EventStoreDBClient, timeoutMs: number) => {
  let current: Promise<Line> | undefined

  const line = (): Promise<Line> => {
    if (current !== undefined) return current
    const forget = (): void => {
      if (current === opened) current = undefined
    }
    const opened: Promise<Line> = openLine(client, forget)
    opened.catch(forget)
    current = opened
    return opened
  }
  const send = async (request: streams.BatchAppendReq, answer: Waiting): Promise<void> => {
    const { call, waiting } = await line()
    waiting.set(correlationOf(request), answer)
    call.write(request)
  }
  return {
    /**
     * Appends once.
     *
     * @throws RevisionConflict, AppendRefused; anything else leaves the append in doubt
     */
    append: async (stream: string, events: readonly NewEvent[], expected: Revision): Promise<Written> => {
      const request = requestOf(randomUUID(), stream, events, { expected, timeoutMs })
      const answer = Promise.withResolvers<streams.BatchAppendResp>()
      const timer = setTimeout(() => {
        answer.reject(new StoreUnavailable(`the store did not answer an append within ${timeoutMs} ms`))
        // A server that is silent once is asked again on a new call; what else waits on this one is in doubt as well.
        void current?.then(({ call }) => call.cancel(), () => undefined)
      }, timeoutMs)
      send(request, answer).catch(answer.reject)
      try {
        return writtenOf(stream, await answer.promise)
      } finally {
        clearTimeout(timer)
      }
    },
    close: async (): Promise<void> => {
      const open = await current?.catch(() => undefined)
      open?.call.cancel()
    },
  }
}
