import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { handleClientStreamingCall } from '@grpc/grpc-js'
import { proposedOf, targetOf } from './append-request.ts'
import type { Appended, Log } from './log.ts'
import { ABSENT, type Proposed, weightOf } from './record.ts'
import { appendTooBig, malformed, refusalOf, streamDeleted } from './refusal.ts'
import type { Expected } from './version-rules.ts'

type AppendHandler = handleClientStreamingCall<streams.AppendReq, streams.AppendResp>

type Target = { readonly stream: string; readonly expected: Expected }

const success = (revision: number, position: number | undefined): streams.AppendResp.Success => {
  const answer = new streams.AppendResp.Success()
  if (revision === ABSENT) answer.setNoStream(new shared.Empty())
  else answer.setCurrentRevision(`${revision}`)
  if (position === undefined) return answer.setNoPosition(new shared.Empty())
  return answer.setPosition(
    new streams.AppendResp.Position().setCommitPosition(`${position}`).setPreparePosition(`${position}`),
  )
}

/** A conflict is an answer here, not an error status. */
const conflict = (current: number, expected: Expected): streams.AppendResp.WrongExpectedVersion => {
  const answer = new streams.AppendResp.WrongExpectedVersion()
  if (current === ABSENT) answer.setCurrentNoStream(new shared.Empty())
  else answer.setCurrentRevision(`${current}`)
  if (expected === 'any') return answer.setExpectedAny(new shared.Empty())
  if (expected === 'stream-exists') return answer.setExpectedStreamExists(new shared.Empty())
  return expected === ABSENT
    ? answer.setExpectedNoStream(new shared.Empty())
    : answer.setExpectedRevision(`${expected}`)
}

/** @throws Refusal when the stream is deleted */
const answerOf = (appended: Appended, { stream, expected }: Target): streams.AppendResp => {
  if (appended.outcome === 'deleted') throw streamDeleted(stream)
  return appended.outcome === 'written'
    ? new streams.AppendResp().setSuccess(success(appended.revision, appended.position))
    : new streams.AppendResp().setWrongExpectedVersion(conflict(appended.revision, expected))
}

/** The Append call: one stream, its events one message each, one answer. gRPC itself enforces the deadline. */
export const appendCall = (log: Pick<Log, 'append' | 'appendBytesMax'>): AppendHandler => (call, callback) => {
  let target: Target | undefined
  const events: Proposed[] = []
  let weight = 0
  let answered = false
  const fail = (error: unknown): void => {
    if (answered) return
    answered = true
    callback(refusalOf(error))
  }
  const take = (request: streams.AppendReq): void => {
    const options = request.getOptions()
    const message = request.getProposedMessage()
    if (options !== undefined) target = targetOf(options, options.hasRevision() ? options.getRevision() : undefined)
    if (message === undefined) return
    const event = proposedOf(message)
    weight += weightOf(event)
    if (weight > log.appendBytesMax) throw appendTooBig(log.appendBytesMax)
    events.push(event)
  }
  const finish = async (): Promise<void> => {
    if (target === undefined) throw malformed('an append begins with its options')
    const { stream, expected } = target
    const answer = answerOf(await log.append(stream, expected, events), target)
    if (answered) return
    answered = true
    callback(null, answer)
  }
  call.on('data', (request: streams.AppendReq) => {
    if (answered) return
    try {
      take(request)
    } catch (error) {
      fail(error)
    }
  })
  call.on('end', () => {
    if (!answered) finish().catch(fail)
  })
  call.on('cancelled', () => {
    answered = true
  })
}
