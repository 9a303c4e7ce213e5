import shared from '@eventstore/db-client/generated/shared_pb.js'
import status from '@eventstore/db-client/generated/status_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import { type handleBidiStreamingCall, type ServerDuplexStream, status as grpcStatus } from '@grpc/grpc-js'
import type { Message } from 'google-protobuf'
import any from 'google-protobuf/google/protobuf/any_pb.js'
import empty from 'google-protobuf/google/protobuf/empty_pb.js'
import { proposedOf, targetOf, uuidOf } from './append-request.ts'
import type { Appended, Log } from './log.ts'
import { ABSENT, type Proposed, weightOf } from './record.ts'
import { isDenial, Refusal } from './refusal.ts'
import type { Expected } from './version-rules.ts'

/** How often appends that wait are looked at for their deadline, in ms. */
const DEADLINE_CHECK_MS = 100

/** How long an append without a deadline may wait, in ms. */
const DEFAULT_TIMEOUT_MS = 10_000

/** An append that is being received or written. */
type Batch = {
  readonly correlation: shared.UUID
  readonly identifier: shared.StreamIdentifier | undefined
  readonly stream: string
  readonly expected: Expected
  readonly deadlineAt: number
  readonly events: Proposed[]
  weight: number
  answered: boolean
}

const statusOf = (code: number, name: string, detail: Message): status.Status => {
  const details = new any.Any()
  details.pack(detail.serializeBinary(), `event_store.client.${name}`)
  return new status.Status().setCode(code).setMessage(name).setDetails(details)
}

const wrongExpectedVersion = (current: number, expected: Expected): status.Status => {
  const detail = new shared.WrongExpectedVersion()
  if (current === ABSENT) detail.setCurrentNoStream(new empty.Empty())
  else detail.setCurrentStreamRevision(`${current}`)
  if (expected === 'any') detail.setExpectedAny(new empty.Empty())
  else if (expected === 'stream-exists') detail.setExpectedStreamExists(new empty.Empty())
  else if (expected === ABSENT) detail.setExpectedNoStream(new empty.Empty())
  else detail.setExpectedStreamPosition(`${expected}`)
  return statusOf(grpcStatus.ALREADY_EXISTS, 'WrongExpectedVersion', detail)
}

const timeout = (): status.Status => statusOf(grpcStatus.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout())

const streamDeleted = (identifier: shared.StreamIdentifier | undefined): status.Status =>
  statusOf(grpcStatus.FAILED_PRECONDITION, 'StreamDeleted', new shared.StreamDeleted().setStreamIdentifier(identifier))

const tooBig = (bytesMax: number): status.Status =>
  statusOf(
    grpcStatus.INVALID_ARGUMENT,
    'MaximumAppendSizeExceeded',
    new shared.MaximumAppendSizeExceeded().setMaxappendsize(bytesMax),
  )

const badRequest = (message: string): status.Status =>
  statusOf(grpcStatus.INVALID_ARGUMENT, 'BadRequest', new shared.BadRequest().setMessage(message))

const denied = (): status.Status =>
  statusOf(grpcStatus.PERMISSION_DENIED, 'AccessDenied', new shared.AccessDenied())

const unknown = (): status.Status => statusOf(grpcStatus.UNKNOWN, 'Unknown', new shared.Unknown())

const success = ({ revision, position }: Appended & { outcome: 'written' }): streams.BatchAppendResp.Success => {
  const answer = new streams.BatchAppendResp.Success()
  if (revision === ABSENT) answer.setNoStream(new empty.Empty())
  else answer.setCurrentRevision(`${revision}`)
  if (position === undefined) return answer.setNoPosition(new empty.Empty())
  return answer.setPosition(
    new shared.AllStreamPosition().setCommitPosition(`${position}`).setPreparePosition(`${position}`),
  )
}

const answerTo = (
  correlation: shared.UUID,
  identifier: shared.StreamIdentifier | undefined,
  result: Appended | status.Status,
  expected: Expected,
): streams.BatchAppendResp => {
  const answer = new streams.BatchAppendResp().setCorrelationId(correlation).setStreamIdentifier(identifier)
  if (expected === 'any') answer.setAny(new empty.Empty())
  else if (expected === 'stream-exists') answer.setStreamExists(new empty.Empty())
  else if (expected === ABSENT) answer.setNoStream(new empty.Empty())
  else answer.setStreamPosition(`${expected}`)
  if (!('outcome' in result)) return answer.setError(result)
  if (result.outcome === 'written') return answer.setSuccess(success(result))
  if (result.outcome === 'deleted') return answer.setError(streamDeleted(identifier))
  return answer.setError(wrongExpectedVersion(result.revision, expected))
}

/** @throws Refusal when the options make no sense */
const batchOf = (correlation: shared.UUID, options: streams.BatchAppendReq.Options): Batch => ({
  correlation,
  identifier: options.getStreamIdentifier(),
  ...targetOf(options, options.hasStreamPosition() ? options.getStreamPosition() : undefined),
  deadlineAt: options.getDeadline()?.toDate().getTime() ?? Date.now() + DEFAULT_TIMEOUT_MS,
  events: [],
  weight: 0,
  answered: false,
})

type Call = ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>

type BatchLog = Pick<Log, 'append' | 'appendBytesMax' | 'hasRoom' | 'whenRoom'>

/**
 * One call's appends: several parts may make one append, many appends are under way at once, and every one is answered.
 */
const conversation = (log: BatchLog, call: Call) => {
  const open = new Map<string, Batch>()
  // Answered before their last part came: the rest is passed over, since a client takes a second answer for a fault.
  const refused = new Set<string>()

  const answer = (batch: Batch, result: Appended | status.Status): void => {
    if (batch.answered) return
    batch.answered = true
    if (call.cancelled || !call.writable) return
    call.write(answerTo(batch.correlation, batch.identifier, result, batch.expected))
  }
  const write = async (id: string, batch: Batch): Promise<void> => {
    if (batch.answered) {
      open.delete(id)
      return
    }
    try {
      answer(batch, await log.append(batch.stream, batch.expected, batch.events))
    } catch (error) {
      answer(batch, isDenial(error) ? denied() : unknown())
    } finally {
      open.delete(id)
    }
  }
  const add = (batch: Batch, messages: readonly streams.BatchAppendReq.ProposedMessage[]): void => {
    for (const message of messages) {
      if (batch.answered) return
      const event = proposedOf(message)
      batch.weight += weightOf(event)
      if (batch.weight <= log.appendBytesMax) batch.events.push(event)
      else answer(batch, tooBig(log.appendBytesMax))
    }
  }
  const receive = (request: streams.BatchAppendReq): void => {
    const correlation = request.getCorrelationId() ?? new shared.UUID()
    const id = uuidOf(correlation)
    const final = request.getIsFinal()
    if (refused.has(id)) {
      if (final) refused.delete(id)
      return
    }
    const options = request.getOptions()
    let batch = open.get(id)
    try {
      if (options !== undefined) {
        batch = batchOf(correlation, options)
        open.set(id, batch)
      }
      if (batch === undefined) throw new Refusal(grpcStatus.INVALID_ARGUMENT, 'an append begins with its options')
      add(batch, request.getProposedMessagesList())
      if (batch.deadlineAt <= Date.now()) answer(batch, timeout())
    } catch (error) {
      const result = error instanceof Refusal ? badRequest(error.details) : unknown()
      if (batch !== undefined) answer(batch, result)
      else {
        const identifier = options?.getStreamIdentifier() ?? new shared.StreamIdentifier()
        call.write(answerTo(correlation, identifier, result, 'any'))
        if (!final) refused.add(id)
      }
    }
    if (batch !== undefined && final) void write(id, batch)
  }
  return {
    receive,
    expire: (): void => {
      const now = Date.now()
      for (const batch of open.values()) if (batch.deadlineAt <= now) answer(batch, timeout())
    },
    /** Whether nothing is under way. */
    idle: (): boolean => open.size === 0,
  }
}

/** The BatchAppend call: long-lived, both ways, answers matched to appends by correlation id. */
export const batchAppendCall =
  (log: BatchLog): handleBidiStreamingCall<streams.BatchAppendReq, streams.BatchAppendResp> =>
  (call) => {
    const { receive, expire, idle } = conversation(log, call)
    let ended = false
    const timer = setInterval(() => {
      expire()
      if (ended && idle()) close()
    }, DEADLINE_CHECK_MS)
    const close = (): void => {
      clearInterval(timer)
      if (!call.cancelled && call.writable) call.end()
    }
    // Reading goes on once the client takes its answers and the log has room.
    const proceed = (): void => log.whenRoom(() => call.resume())
    call.on('data', (request: streams.BatchAppendReq) => {
      try {
        receive(request)
      } catch (error) {
        clearInterval(timer)
        call.emit('error', error)
        return
      }
      if (call.writableNeedDrain) call.pause()
      else if (!log.hasRoom()) {
        call.pause()
        proceed()
      }
    })
    call.on('drain', proceed)
    call.on('end', () => {
      ended = true
      if (idle()) close()
    })
    call.on('cancelled', () => clearInterval(timer))
  }
