import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { Socket } from 'node:net'
import { type AppOptions, httpApp } from './app.ts'
import { problemOf, refusal } from './problems.ts'

/** One public client gives up after 30 s, so no answer may take that long. */
const HANDLE_TIMEOUT_MS = 25_000
const REQUEST_TIMEOUT_MS = 20_000
const HEADERS_TIMEOUT_MS = 10_000
/** Longer than the minute for which load balancers keep a connection, so that it is they who close it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const CLOSE_WITHIN_MS = 10_000

export type HttpServerOptions = Omit<AppOptions, 'handleTimeoutMs' | 'info' | 'readYourWritesMs' | 'closing'> & {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  readonly info?: AppOptions['info']
  /** How long an answer waits for the read models; default 5,000. */
  readonly readYourWritesMs?: number
  /** How long an endpoint may take; default 25,000. */
  readonly handleTimeoutMs?: number
}

export type HttpServer = {
  readonly port: number
  readonly url: string
  /** Takes no more requests and waits for those that run; after `withinMs` (default 10,000) they are cut off. */
  readonly close: (withinMs?: number) => Promise<void>
}

const INFO = {
  title: 'CCX control plane',
  version: '1',
  description: 'Databases as a service: datastores, their nodes and their jobs.',
}

/** What Node's parser refuses never becomes a request, yet is answered in the form of all others. */
const answerUnparsed = (_error: Error, socket: Socket): void => {
  if (!socket.writable) return
  const { status, body } = problemOf(refusal('malformed-request', 'this is not an HTTP request'))
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n` +
      `Connection: close\r\n\r\n${text}`,
  )
}

const closer =
  (server: Server) =>
  async (withinMs: number): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    const cutOff = setTimeout(() => server.closeAllConnections(), withinMs)
    await closed
    clearTimeout(cutOff)
  }

/**
 * Serves the REST API.
 *
 * @param options.endpoints the whole contract, in any order
 * @param options.authenticate who asks, from the request's headers; undefined: nobody
 * @param options.waitFor for read-your-writes
 * @param options.ready for `/readyz`; while the server closes it answers 503 whatever this says
 * @returns the port it listens on, and how to end it
 * @throws when the port is taken, or two endpoints share method and path
 */
export const httpServer = async (options: HttpServerOptions): Promise<HttpServer> => {
  const { host, port, info = INFO, readYourWritesMs = 5_000, handleTimeoutMs = HANDLE_TIMEOUT_MS } = options
  let closing: Promise<void> | undefined
  const ending = new AbortController()
  const ready = async () => {
    const found = await options.ready()
    return closing === undefined ? found : { ready: false, checks: { ...found.checks, http: 'closing' } }
  }
  const app = httpApp({ ...options, info, readYourWritesMs, handleTimeoutMs, ready, closing: ending.signal })
  const handle = app.callback()
  const server = createServer((request, response) => {
    // A connection that is kept would hold the server open.
    response.once('close', () => {
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections())
    })
    void handle(request, response)
  })
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS
  server.on('clientError', answerUnparsed)
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  const close = closer(server)
  return {
    port: address.port,
    url: `http://${host}:${address.port}`,
    close: (withinMs = CLOSE_WITHIN_MS) => {
      closing ??= close(withinMs)
      ending.abort()
      return closing
    },
  }
}
