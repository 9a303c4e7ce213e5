import type { Principal, Request } from '../domain/kernel/endpoint.ts'
import type { Actor, Cause } from '../domain/kernel/event-store.ts'
import type { PersonalData, Sealed } from '../domain/kernel/sealed.ts'

type Asked = Pick<Request<unknown, unknown, unknown>, 'principal' | 'requestId' | 'address'>

const actorOf = ({ kind, userId, clientId, isAdmin, role }: Principal, address: Sealed): Actor => ({
  kind,
  id: userId,
  ...(clientId === undefined ? {} : { clientId }),
  role: isAdmin ? 'admin' : role,
  address,
})

/**
 * What an event says of the request that led to it. The address is sealed under the key of the one who acts.
 *
 * @param commandId the same for a repeat of the request, so that both lead to the same events
 * @param traceparent of the span at work, if there is one
 */
export const causeOf = async (
  { principal, requestId, address }: Asked,
  commandId: string,
  { seal, traceparent }: { readonly seal: PersonalData['seal']; readonly traceparent: string | undefined },
): Promise<Cause> => ({
  commandId,
  correlationId: commandId,
  causationId: requestId,
  actor: actorOf(principal, await seal(principal.userId, address)),
  organisationId: principal.ownerId,
  requestId,
  ...(traceparent === undefined ? {} : { traceparent }),
})
