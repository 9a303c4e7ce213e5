import messages from '@eventstore/db-client/generated/persistent_pb.js'
import type shared from '@eventstore/db-client/generated/shared_pb.js'
import type { handleBidiStreamingCall } from '@grpc/grpc-js'
import { uuidOf } from '../append-request.ts'
import type { Serving } from '../grpc-service.ts'
import { outlet } from '../outlet.ts'
import { malformed, refusalOf } from '../refusal.ts'
import { confirmationBytes, messageBytes } from './encode.ts'
import type { NackAction } from './engine.ts'
import { keyOf } from './group.ts'
import type { Groups } from './groups.ts'
import type { Membership, Subscriber } from './members.ts'
import { sourceOf } from './requests.ts'
import { nameOf } from './source.ts'

const { Action } = messages.ReadReq.Nack

const ACTIONS: Readonly<Record<number, NackAction>> = {
  [Action.UNKNOWN]: 'unknown',
  [Action.PARK]: 'park',
  [Action.RETRY]: 'retry',
  [Action.SKIP]: 'skip',
  [Action.STOP]: 'stop',
}

const idsOf = (ids: readonly shared.UUID[]): string[] => ids.map(uuidOf)

/** @throws Refusal when it says neither */
const answer = (membership: Membership, request: messages.ReadReq): void => {
  const [ack, nack] = [request.getAck(), request.getNack()]
  if (ack !== undefined) membership.ack(idsOf(ack.getIdsList()))
  else if (nack === undefined) throw malformed('a consumer says what it has done with which events')
  else membership.nack(idsOf(nack.getIdsList()), ACTIONS[nack.getAction()] ?? 'skip', nack.getReason())
}

type ReadCall = handleBidiStreamingCall<messages.ReadReq, Buffer>

/**
 * The Read call: long-lived, both ways. A consumer says first which group it is of and how many messages it takes at
 * once, then what became of them.
 */
export const readCall = (groups: Groups, { access, calls }: Serving): ReadCall => (call) => {
  const to = outlet(calls.add(call))
  let joined: Membership | undefined

  const join = async (request: messages.ReadReq): Promise<Membership> => {
    const options = request.getOptions()
    if (options === undefined) throw malformed('a consumer begins with its options')
    const source = sourceOf(options)
    const name = options.getGroupName()
    await access.require(call, 'read', nameOf(source))
    const form = options.getUuidOption()?.hasString() === true ? 'string' : 'structured'
    const subscriber: Subscriber = {
      bufferSize: Math.max(1, options.getBufferSize()),
      connectionName: call.metadata.get('connection-name')[0]?.toString() ?? '<unknown>',
      from: call.getPeer(),
      username: access.principalOf(call).login ?? 'anonymous',
      send: (message) => to.send(messageBytes(message, form)),
      drop: to.fail,
    }
    return groups.join(source, name, subscriber, () => to.send(confirmationBytes(keyOf(source, name))))
  }
  const receive = async (request: messages.ReadReq): Promise<void> => {
    if (to.gone()) return
    if (joined !== undefined) {
      answer(joined, request)
      return
    }
    const membership = await join(request)
    joined = membership
    to.onGone(membership.leave)
  }
  let last = Promise.resolve()
  call.on('data', (request: messages.ReadReq) => {
    last = last.then(() => receive(request)).catch((error: unknown) => to.fail(refusalOf(error)))
  })
  // A consumer that says no more may still listen; one that never said anything has nothing to wait for.
  call.on('end', () => {
    void last.then(() => {
      if (joined === undefined) to.end()
    })
  })
}
