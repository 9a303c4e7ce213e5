import {
  type Metadata, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder, ResponderBuilder,
} from '@grpc/grpc-js'
import { accessDenied, notAuthenticated, type Refusal, refusalOf } from '../refusal.ts'
import { isUserCall, mayCall } from './calls.ts'
import { basicCredentials, type Verifier } from './credentials.ts'
import { NOBODY, type Principal } from './principal.ts'

type Call = Parameters<ServerInterceptor>[1]

export type Authentication = {
  /** In front of every call: finds out who makes it, and refuses it if that one may not make it at all. */
  readonly interceptor: ServerInterceptor
  /** @param call a call that has come through the interceptor */
  readonly principalOf: (call: { readonly metadata: Metadata }) => Principal
  /** Ends the calls that a user has open. */
  readonly endCallsOf: (login: string) => void
}

const refuse = (call: Call, { code, details, metadata }: Refusal): void => call.sendStatus({ code, details, metadata })

/** The calls under way, by whose they are. */
const callsByLogin = () => {
  const open = new Map<string, Set<Call>>()
  return {
    add: (login: string, call: Call): void => {
      const calls = open.get(login) ?? new Set()
      open.set(login, calls.add(call))
    },
    remove: (login: string, call: Call): void => {
      const calls = open.get(login)
      calls?.delete(call)
      if (calls?.size === 0) open.delete(login)
    },
    take: (login: string): readonly Call[] => {
      const calls = [...(open.get(login) ?? [])]
      open.delete(login)
      return calls
    },
  }
}

/** @param verify whose credentials they are, if anyone's */
export const authentication = ({ verify }: Pick<Verifier, 'verify'>): Authentication => {
  const principals = new WeakMap<Metadata, Principal>()
  const open = callsByLogin()

  const identify = async (metadata: Metadata): Promise<Principal> => {
    const [header] = metadata.get('authorization')
    if (header === undefined) return NOBODY
    const credentials = basicCredentials(String(header))
    const principal = credentials === undefined ? undefined : await verify(credentials)
    if (principal === undefined) throw notAuthenticated()
    return principal
  }

  const interceptor: ServerInterceptor = ({ path }, call) => {
    let login: string | undefined
    let over = false
    const end = (): void => {
      over = true
      if (login !== undefined) open.remove(login, call)
    }
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        identify(metadata)
          .then((principal) => {
            if (over) return
            if (!mayCall(principal, path)) throw accessDenied()
            principals.set(metadata, principal)
            login = principal.login
            // A call that changes the user itself is to have its answer.
            if (login !== undefined && !isUserCall(path)) open.add(login, call)
            next(metadata)
          })
          .catch((error: unknown) => refuse(call, refusalOf(error)))
      })
      .withOnCancel(end)
      .build()
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((status, next) => {
        end()
        next(status)
      })
      .build()
    return new ServerInterceptingCall(call, responder)
  }

  return {
    interceptor,
    principalOf: ({ metadata }) => principals.get(metadata) ?? NOBODY,
    endCallsOf: (login) => {
      for (const call of open.take(login)) refuse(call, notAuthenticated())
    },
  }
}
