import type { Principal, Request } from '../domain/kernel/endpoint.ts'
import type { Actor, Cause } from '../domain/kernel/event-store.ts'

type Asked = Pick<Request<unknown, unknown, unknown>, 'principal' | 'requestId' | 'address'>

const actorOf = ({ kind, userId, isAdmin }: Principal, address: string): Actor => ({
  kind,
  id: userId,
  ...(isAdmin ? { role: 'admin' } : {}),
  address,
})

/**
 * What an event says of the request that led to it.
 *
 * @param commandId the same for a repeat of the request, so that both lead to the same events
 * @param traceparent of the span at work, if there is one
 */
export const causeOf = (
  { principal, requestId, address }: Asked,
  commandId: string,
  traceparent: string | undefined,
): Cause => ({
  commandId,
  correlationId: commandId,
  causationId: requestId,
  actor: actorOf(principal, address),
  requestId,
  ...(traceparent === undefined ? {} : { traceparent }),
})
