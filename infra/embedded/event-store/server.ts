import { isIPv4 } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { openAccess } from './access/index.ts'
import { secured, watched } from './access/secured.ts'
import type { NewUser } from './access/users.ts'
import { featuresService } from './features.ts'
import { flowing } from './flow.ts'
import { gossipService } from './gossip.ts'
import { type Log, openLog } from './log.ts'
import { openCalls } from './open-calls.ts'
import type { Service, Serving } from './grpc-service.ts'
import { persistentService } from './persistent/persistent-service.ts'
import { postgresStorage } from './storage.ts'
import { streamsService } from './streams-service.ts'

/** Clients accept and send messages of this size, in bytes, whatever an append may weigh. */
const MESSAGE_BYTES_MAX = 17 * 1_048_576

/** How long open calls may take to end when the server stops, in ms. */
const SHUTDOWN_MS = 2_000

/** How long a killed predecessor's session may take to end, in ms. */
const LOCK_WAIT_MS = 15_000

export type EventStoreServer = {
  /** host:port, for `esdb://<address>`. */
  readonly address: string
  /** Resolves when the server has stopped: with the reason if it had to, undefined if it was closed. */
  readonly stopped: Promise<Error | undefined>
  readonly close: () => Promise<void>
}

/** Who answers which call. */
const servicesOf = (serving: Serving): readonly Service[] => [
  streamsService(serving), persistentService(serving), gossipService(),
]

/** Certificate and users: what a server that others can reach must have. */
export type Security = {
  /** The server's certificate, and those between it and its authority. */
  readonly certificatePem: string
  readonly keyPem: string
  /** Made at start if they are not there yet. */
  readonly users: readonly NewUser[]
}

type Kept = { readonly log: Log; readonly onWritten: ReturnType<typeof watched>['onWritten'] }

const grpcServer = async ({ log, onWritten }: Kept, security: Security | undefined) => {
  const calls = openCalls()
  const { access, services: ofUsers } =
    security === undefined
      ? { access: openAccess(log), services: [] }
      : await secured({ log, onWritten, firstUsers: security.users })
  const server = new Server({
    interceptors: [...access.interceptors, flowing],
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  })
  const services = [...servicesOf({ log, calls, access }), ...ofUsers]
  for (const { definition, implementation } of [...services, featuresService(services)]) {
    server.addService(definition, implementation)
  }
  const shutdown = async (): Promise<void> => {
    calls.cancel()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, SHUTDOWN_MS)
    const closed = Promise.all(services.map(async (it) => it.close?.()))
    server.tryShutdown(() => void closed.finally(resolve))
    await promise
    clearTimeout(timer)
    server.forceShutdown()
  }
  return { server, shutdown }
}

const credentialsOf = (security: Security | undefined): ServerCredentials => {
  if (security === undefined) return ServerCredentials.createInsecure()
  const pair = { private_key: Buffer.from(security.keyPem), cert_chain: Buffer.from(security.certificatePem) }
  return ServerCredentials.createSsl(null, [pair], false)
}

type Place = { readonly host: string; readonly port: number; readonly security?: Security }

const bind = (server: Server, { host, port, security }: Place): Promise<number> =>
  new Promise((resolve, reject) => {
    const authority = host.includes(':') ? `[${host}]` : host
    server.bindAsync(`${authority}:${port}`, credentialsOf(security), (cause, bound) => {
      if (cause === null) resolve(bound)
      else reject(new Error(`the event store cannot listen on ${host}:${port}`, { cause }))
    })
  })

/** Without TLS and users, whoever reaches the port may do everything. */
const requireLoopback = (host: string): void => {
  if ((isIPv4(host) && host.startsWith('127.')) || host === '::1') return
  throw new Error(`without TLS and users the embedded event store listens on a loopback address only, not on ${host}`)
}

/**
 * Starts the embedded event store: EventStoreDB's gRPC protocol over a log in Postgres. One per database.
 *
 * @param options.host a loopback address (127.x.y.z or ::1); any address when there is `security`
 * @param options.port 0 for any that is free
 * @param options.databaseUrl postgres://… of a database of its own; the schema `event_store` is made in it
 * @param options.lockWaitMs how long to wait for another process to stop writing to the log (default 15 s)
 * @param options.appendBytesMax what one append may weigh: types, data and metadata of its events (default 1 MiB)
 * @param options.security a certificate and the first users; without it everyone may do everything, over loopback
 * @throws when the host is not loopback and there is no security, the port is taken, Postgres does not answer, or another
 *   process writes to the log. Once started, a lost database connection or a failed write stops it; see `stopped`.
 */
export const eventStoreServer = async (options: {
  readonly host: string
  readonly port: number
  readonly databaseUrl: string
  readonly lockWaitMs?: number
  readonly appendBytesMax?: number
  readonly security?: Security
}): Promise<EventStoreServer> => {
  const { databaseUrl, lockWaitMs = LOCK_WAIT_MS, appendBytesMax, security } = options
  if (security === undefined) requireLoopback(options.host)
  const stopped = Promise.withResolvers<Error | undefined>()
  let failure: Error | undefined
  let stop = async (): Promise<void> => undefined
  const fail = (message: string) => (cause: unknown): void => {
    failure ??= new Error(message, { cause })
    void stop()
  }

  const onLost = fail('the event store has lost its database')
  const { storage, onWritten } = watched(await postgresStorage({ databaseUrl, lockWaitMs, onLost }))
  try {
    const log = await openLog(storage, { appendBytesMax, onFailure: fail('the event store cannot write') })
    const { server, shutdown } = await grpcServer({ log, onWritten }, security)
    const port = await bind(server, options)
    let stopping: Promise<void> | undefined
    stop = () => {
      stopping ??= shutdown().then(log.idle).then(storage.close).then(() => stopped.resolve(failure))
      return stopping
    }
    if (failure !== undefined) {
      await stop()
      throw failure
    }
    return { address: `${options.host}:${port}`, stopped: stopped.promise, close: stop }
  } catch (error) {
    await storage.close()
    throw error
  }
}
