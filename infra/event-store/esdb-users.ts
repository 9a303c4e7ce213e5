import { isDeepStrictEqual } from 'node:util'
import {
  type AppendExpectedRevision, type EventStoreDBClient, jsonEvent, type JSONType, NO_STREAM,
} from '@eventstore/db-client'
import { UsersClient } from '@eventstore/db-client/generated/users_grpc_pb.js'
import users from '@eventstore/db-client/generated/users_pb.js'
import { Metadata, type ServiceError } from '@grpc/grpc-js'
import { z } from 'zod'
import type { StreamUsers } from '../../command-handlers/integration.ts'
import { esdbClient } from './esdb-client.ts'

/** Who may do what in the store, and how long streams are kept: what no event of ours decides. */
export type EventStoreUsers = StreamUsers & {
  /** Limits how much of a stream is kept. */
  readonly retain: (
    stream: string,
    limits: { readonly maxCount?: number; readonly maxAgeSeconds?: number },
  ) => Promise<void>
  readonly close: () => Promise<void>
}

const ADMINS = '$admins'
const EVERYONE = '$all'
const SETTINGS = '$settings'
const ATTEMPTS_MAX = 5

const Content = z.record(z.string(), z.json())
type Content = Readonly<z.infer<typeof Content>>
type Last = { readonly revision: bigint; readonly content: Content }

const Roles = z.union([z.string().transform((role) => [role]), z.array(z.string())])
const UserStreamAcl = z.looseObject({
  $userStreamAcl: z.looseObject({ $r: Roles, $w: Roles, $d: Roles, $mr: Roles, $mw: Roles }),
})

const typeOf = (error: unknown): unknown => (error instanceof Error && 'type' in error ? error.type : undefined)

/** What the store calls an error, by its trailer. */
const exceptionOf = (error: unknown): unknown =>
  error instanceof Error && 'metadata' in error && error.metadata instanceof Metadata
    ? error.metadata.get('exception')[0]
    : undefined

const everything = (roles: readonly string[]): Content => ({
  $r: [...roles], $w: [...roles], $d: [...roles], $mr: [...roles], $mw: [...roles],
})

/** The calls of user management, for which the client has no methods. */
const userCalls = (client: EventStoreDBClient) => {
  type Done = (error: ServiceError | null) => void
  const call = (
    make: (calls: UsersClient, args: ReturnType<EventStoreDBClient['callArguments']>, done: Done) => unknown,
  ): Promise<void> =>
    client['execute'](UsersClient, 'users', (calls) =>
      new Promise<void>((resolve, reject) => {
        make(calls, client['callArguments']({}), (error) => (error === null ? resolve() : reject(error)))
      }),
    )
  return {
    create: (login: string, password: string, groups: readonly string[]) => {
      const options = new users.CreateReq.Options().setLoginName(login).setPassword(password).setGroupsList([...groups])
      const request = new users.CreateReq().setOptions(options.setFullName(login))
      return call((calls, args, done) => calls.create(request, ...args, done))
    },
    update: (login: string, password: string, groups: readonly string[]) => {
      const options = new users.UpdateReq.Options().setLoginName(login).setPassword(password).setGroupsList([...groups])
      const request = new users.UpdateReq().setOptions(options.setFullName(login))
      return call((calls, args, done) => calls.update(request, ...args, done))
    },
    resetPassword: (login: string, password: string) => {
      const options = new users.ResetPasswordReq.Options().setLoginName(login).setNewPassword(password)
      const request = new users.ResetPasswordReq().setOptions(options)
      return call((calls, args, done) => calls.resetPassword(request, ...args, done))
    },
    enable: (login: string) => {
      const request = new users.EnableReq().setOptions(new users.EnableReq.Options().setLoginName(login))
      return call((calls, args, done) => calls.enable(request, ...args, done))
    },
    remove: (login: string) => {
      const request = new users.DeleteReq().setOptions(new users.DeleteReq.Options().setLoginName(login))
      return call((calls, args, done) => calls.delete(request, ...args, done))
    },
  }
}

const credentialsOf = (connectionString: string) => {
  const { username, password } = new URL(connectionString)
  return username === ''
    ? undefined
    : { username: decodeURIComponent(username), password: decodeURIComponent(password) }
}

/** The last event of a stream that holds settings, and how it is replaced by another. */
const lastEvents = (client: EventStoreDBClient, credentials: ReturnType<typeof credentialsOf>) => {
  const read = async (stream: string): Promise<Last | undefined> => {
    const reading = client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1 })
    try {
      for await (const { event } of reading) {
        if (event !== undefined) return { revision: event.revision, content: Content.catch({}).parse(event.data) }
      }
      return undefined
    } catch (error) {
      if (typeOf(error) === 'stream-not-found') return undefined
      throw error
    } finally {
      await reading.cancel()
    }
  }
  return {
    read,
    /** Appends what `change` makes of the last event, unless that is the same; again when someone else was first. */
    change: async (stream: string, type: string, change: (content: Content) => Content): Promise<void> => {
      for (let attempt = 1; ; attempt++) {
        const last = await read(stream)
        const data: JSONType = change(last?.content ?? {})
        if (isDeepStrictEqual(data, last?.content)) return
        // With credentials of its own an append is a call of its own, which has a time limit.
        const expectedRevision: AppendExpectedRevision = last?.revision ?? NO_STREAM
        const options = { expectedRevision, ...(credentials === undefined ? {} : { credentials }) }
        try {
          await client.appendToStream(stream, jsonEvent({ type, data }), options)
          return
        } catch (error) {
          if (typeOf(error) !== 'wrong-expected-version' || attempt === ATTEMPTS_MAX) throw error
        }
      }
    },
  }
}

/** What is foreign stops here. */
const named = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    throw new Error(`the event store could not ${what}`, { cause })
  }
}

/**
 * Users and rights of an EventStoreDB, or of the embedded one.
 *
 * @param options.connectionString `esdb://…` of an administrator
 * @throws from every call, when the store does not answer or the user is no administrator
 */
export const eventStoreUsers = ({ connectionString }: { readonly connectionString: string }): EventStoreUsers => {
  const client = esdbClient(connectionString)
  const credentials = credentialsOf(connectionString)
  const { create, update, resetPassword, enable, remove } = userCalls(client)
  const { read, change } = lastEvents(client, credentials)
  const own = credentials === undefined ? [ADMINS] : [ADMINS, credentials.username]
  const describe = (stream: string, part: (content: Content) => Content): Promise<void> =>
    change(`$$${stream}`, '$metadata', (content) => ({ ...content, ...part(content) }))

  const ensureUser: EventStoreUsers['ensureUser'] = async ({ login, password, groups }) => {
    try {
      await create(login, password, groups)
    } catch (error) {
      if (exceptionOf(error) !== 'user-conflict') throw error
      await update(login, password, groups)
      await resetPassword(login, password)
      await enable(login)
    }
  }
  const reserve = async (): Promise<boolean> => {
    if ((await read(SETTINGS)) === undefined) {
      const settings = { $userStreamAcl: everything(own), $systemStreamAcl: everything([ADMINS]) }
      await change(SETTINGS, 'update-default-acl', (content) => ({ ...settings, ...content }))
    }
    const { success, data } = UserStreamAcl.safeParse((await read(SETTINGS))?.content)
    return success && !Object.values(data.$userStreamAcl).some((roles) => Array.isArray(roles) && roles.includes(EVERYONE))
  }
  return {
    distinguishes: credentials !== undefined && !/[?&]tls=false\b/i.test(connectionString),
    ensureUser: (user) => named('make a user', () => ensureUser(user)),
    removeUser: (login) =>
      named('remove a user', () =>
        remove(login).catch((error: unknown) => {
          if (exceptionOf(error) !== 'user-not-found') throw error
        }),
      ),
    grantRead: (stream, logins) =>
      named('say who reads a stream', () =>
        describe(stream, () => ({ $acl: { ...everything([ADMINS]), $r: [ADMINS, ...logins] } })),
      ),
    retain: (stream, { maxCount, maxAgeSeconds }) =>
      named('limit a stream', () =>
        describe(stream, () => ({
          ...(maxCount === undefined ? {} : { $maxCount: maxCount }),
          ...(maxAgeSeconds === undefined ? {} : { $maxAge: maxAgeSeconds }),
        })),
      ),
    reserve: () => named('keep its streams to ourselves', reserve),
    close: async () => {
      await client.dispose()
      const channel = await client['getChannel']()
      channel.close()
    },
  }
}
