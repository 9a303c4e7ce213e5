import { setTimeout as pause } from 'node:timers/promises'
import { connect, headers, type ConnectionOptions, type MsgHdrs, type NatsConnection, NatsError } from 'nats'
import type { Carrier } from './messaging.ts'

const RECONNECT_WAIT_MS = 250
const REQUEST_TIMEOUT_MS = 2_000
const PING_INTERVAL_MS = 10_000
const RETRY_PAUSE_MAX_MS = 500

/** W3C trace context and baggage: all of a message's headers that are not the broker's or ours. */
const CARRIED = ['traceparent', 'tracestate', 'baggage']

/** The connection, and the patience that every request over it needs. */
export type Link = {
  readonly connection: NatsConnection
  readonly ackWaitMs: number
  /**
   * Repeats `attempt` until the server answers it or the patience is over.
   * @throws with the last failure as the cause, saying `what` did not happen
   */
  readonly insist: <T>(what: string, attempt: (timeoutMs: number) => Promise<T>) => Promise<T>
  /** Calls back whenever the connection was lost or is back. The result ends it. */
  readonly onChange: (listener: (online: boolean) => void) => () => void
  readonly online: () => boolean
  readonly closed: AbortSignal
  readonly close: () => Promise<void>
}

/**
 * Reads a broker address: `nats://user:password@host:port`, `nats://token@host:port`, `tls://…`, several separated by
 * commas. The client takes addresses without credentials, so those are taken out of the first that has some.
 */
export const connectionOptionsOf = (url: string): ConnectionOptions => {
  const urls = url.split(',').map((part) => new URL(part.includes('://') ? part.trim() : `nats://${part.trim()}`))
  const named = urls.find(({ username }) => username !== '')
  const user = decodeURIComponent(named?.username ?? '')
  const pass = decodeURIComponent(named?.password ?? '')
  return {
    servers: urls.map(({ hostname, port }) => `${hostname}:${port === '' ? 4222 : port}`),
    ...(urls.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
    ...(user === '' ? {} : pass === '' ? { token: user } : { user, pass }),
  }
}

/** Message headers: the id by which the server drops repeats, the trace, and whatever else is given. */
export const headersOf = (carrier: Carrier, more: Readonly<Record<string, string>>): MsgHdrs => {
  const written = headers()
  for (const name of CARRIED) {
    const value = carrier[name]
    if (value !== undefined) written.set(name, value)
  }
  for (const [name, value] of Object.entries(more)) written.set(name, value)
  return written
}

export const carrierIn = (read: MsgHdrs | undefined): Carrier =>
  Object.fromEntries(CARRIED.flatMap((name) => (read?.has(name) ? [[name, read.get(name)]] : [])))

// A wrong password does not become right by waiting; everything else about a server that starts does.
const hopeless = (error: unknown): boolean => error instanceof NatsError && error.isAuthError()

const insisting = (patienceMs: number, closed: AbortSignal): Link['insist'] => async (what, attempt) => {
  const deadline = performance.now() + patienceMs
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, RETRY_PAUSE_MAX_MS)) {
    const leftMs = Math.max(50, deadline - performance.now())
    try {
      return await attempt(Math.min(leftMs, REQUEST_TIMEOUT_MS))
    } catch (cause) {
      if (closed.aborted) throw new Error(`${what}: the connection to the broker is closed`, { cause })
      if (hopeless(cause)) throw new Error(`${what}: the broker does not let us in`, { cause })
      if (performance.now() + pauseMs >= deadline) {
        throw new Error(`${what}: no success within ${patienceMs} ms`, { cause })
      }
    }
    await pause(pauseMs)
  }
}

/**
 * Connects, waiting up to `patienceMs` for a server that is not there yet, and stays connected for ever after.
 *
 * @param options.patienceMs how long anything may take while there is no server
 * @throws when there is no server in time, or it refuses the credentials
 */
export const link = async ({ url, name, ackWaitMs, patienceMs }: {
  readonly url: string
  readonly name: string
  readonly ackWaitMs: number
  readonly patienceMs: number
}): Promise<Link> => {
  const closing = new AbortController()
  const insist = insisting(patienceMs, closing.signal)
  const options: ConnectionOptions = {
    ...connectionOptionsOf(url),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    // A server that restarts with its users not yet loaded refuses twice; giving up then would be for good.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
  }
  const connection = await insist('connecting', (timeout) => connect({ ...options, timeout }))
  let online = true
  const listeners = new Set<(online: boolean) => void>()
  const follow = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type !== 'disconnect' && type !== 'reconnect') continue
      online = type === 'reconnect'
      for (const listener of listeners) listener(online)
    }
  }
  void follow()
  // Never by itself while we reconnect for ever; if it does, readers must end instead of waiting for nothing.
  void connection.closed().then(() => closing.abort())
  return {
    connection,
    ackWaitMs,
    insist,
    closed: closing.signal,
    online: () => online,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: async () => {
      if (closing.signal.aborted) return
      closing.abort()
      // What was written last (an acknowledgement, a nak) must leave; a server that is gone must not hold us up.
      const gone = new AbortController()
      await Promise.race([
        connection.flush().catch(() => undefined),
        pause(online ? REQUEST_TIMEOUT_MS : 0, undefined, { signal: gone.signal }).catch(() => undefined),
      ])
      gone.abort()
      await connection.close()
    },
  }
}
