import type { Metadata, ServerInterceptor } from '@grpc/grpc-js'
import { z } from 'zod'
import type { Log } from '../log.ts'
import { accessDenied } from '../refusal.ts'
import { aclIn, describedBy, isMetadataStream } from '../stream-metadata.ts'
import { authentication } from './authentication.ts'
import { verifier } from './credentials.ts'
import { isAdmin, isOneOf, type Principal, SYSTEM } from './principal.ts'
import { type Action, type DefaultAcls, rightFor, rolesFor } from './rights.ts'
import { loginOf, type Users } from './users.ts'

type Call = { readonly metadata: Metadata }

/** Who may do what. */
export type Access = {
  readonly interceptors: readonly ServerInterceptor[]
  readonly principalOf: (call: Call) => Principal
  /** @throws Refusal when the one who makes the call may not do this to the stream */
  readonly require: (call: Call, action: Action, stream: string) => Promise<void>
  /** The log as the one who makes the call may write it. */
  readonly logOf: (call: Call) => Log
}

/** Without users: everyone may do everything. For loopback alone. */
export const openAccess = (log: Log): Access => ({
  interceptors: [],
  principalOf: () => SYSTEM,
  require: async () => undefined,
  logOf: () => log,
})

const SETTINGS = '$settings'

const Settings = z
  .looseObject({ $userStreamAcl: z.unknown().optional(), $systemStreamAcl: z.unknown().optional() })
  .transform(({ $userStreamAcl, $systemStreamAcl }) => ({
    userStreams: aclIn($userStreamAcl),
    systemStreams: aclIn($systemStreamAcl),
  }))

/** The defaults that `$settings` holds, read when they are first needed and after every change. */
const settingsOf = ({ readStream }: Pick<Log, 'readStream'>) => {
  let known: Promise<Partial<DefaultAcls>> | undefined
  const read = async (): Promise<Partial<DefaultAcls>> => {
    const page = await readStream(SETTINGS, { from: Number.MAX_SAFE_INTEGER, max: 1, backward: true })
    const last = page.outcome === 'page' ? page.events[0] : undefined
    if (last === undefined) return {}
    try {
      return Settings.parse(JSON.parse(last.data.toString('utf8')))
    } catch {
      // Settings that say nothing leave what is built in.
      return {}
    }
  }
  return {
    defaults: (): Promise<Partial<DefaultAcls>> => {
      if (known !== undefined) return known
      const asked = read()
      known = asked
      asked.catch(() => {
        if (known === asked) known = undefined
      })
      return asked
    },
    forget: (): void => {
      known = undefined
    },
  }
}

/**
 * Access by users and access control lists, with EventStoreDB's rules: administrators may do everything; the others what
 * the stream's `$acl`, the defaults in `$settings`, or the built-in defaults let them.
 *
 * @returns also `written`, to be told of every stream of the system that was written
 */
export const userAccess = ({ log, users }: {
  readonly log: Log
  readonly users: Pick<Users, 'find'>
}): Access & { readonly written: (stream: string) => void } => {
  const credentials = verifier(users)
  const { interceptor, principalOf, endCallsOf } = authentication(credentials)
  const settings = settingsOf(log)

  const check = async (principal: Principal, action: Action, stream: string): Promise<void> => {
    const needed = rightFor(action, stream)
    if (needed === undefined) throw accessDenied()
    if (isAdmin(principal)) return
    if (principal.login === undefined) throw accessDenied()
    const [{ acl: own }, defaults] = await Promise.all([log.metadataOf(needed.stream), settings.defaults()])
    if (!isOneOf(principal, rolesFor(needed.right, needed.stream, { own, defaults }))) throw accessDenied()
  }
  return {
    interceptors: [interceptor],
    principalOf,
    require: (call, action, stream) => check(principalOf(call), action, stream),
    logOf: (call) => {
      const principal = principalOf(call)
      if (isAdmin(principal)) return log
      return {
        ...log,
        append: async (stream, ...rest) => {
          await check(principal, 'write', stream)
          return log.append(stream, ...rest)
        },
        remove: async (stream, ...rest) => {
          await check(principal, 'delete', stream)
          return log.remove(stream, ...rest)
        },
        tombstone: async (stream, ...rest) => {
          await check(principal, 'delete', stream)
          return log.tombstone(stream, ...rest)
        },
      }
    },
    written: (stream) => {
      const about = isMetadataStream(stream) ? describedBy(stream) : stream
      if (about === SETTINGS) settings.forget()
      const login = loginOf(about)
      if (login === undefined) return
      credentials.forget(login)
      endCallsOf(login)
    },
  }
}
