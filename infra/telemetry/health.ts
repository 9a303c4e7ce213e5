import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { scrubbed } from './redact.ts'
import type { MetricsHandler } from './metrics.ts'

const CHECK_TIMEOUT_MS = 2_000

/** By name: resolves when what it looks at is well, rejects otherwise. */
export type Checks = Readonly<Record<string, () => Promise<unknown>>>

export type Readiness = { readonly ready: boolean; readonly checks: Readonly<Record<string, string>> }

const look = async (check: () => Promise<unknown>, timeoutMs: number): Promise<string> => {
  const done = new AbortController()
  const late = pause(timeoutMs, `no answer within ${timeoutMs} ms`, { signal: done.signal })
  try {
    return await Promise.race([check().then(() => 'ok'), late])
  } catch (error) {
    return error instanceof Error ? scrubbed(error.message) : 'failed'
  } finally {
    done.abort()
    late.catch(() => undefined)
  }
}

/**
 * Runs all checks side by side.
 *
 * @param timeoutMs how long one may take; default 2,000
 * @returns each check's name with `ok` or what is wrong
 */
export const readiness = async (checks: Checks, timeoutMs = CHECK_TIMEOUT_MS): Promise<Readiness> => {
  const looked = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await look(check, timeoutMs)] as const),
  )
  return { ready: looked.every(([, found]) => found === 'ok'), checks: Object.fromEntries(looked) }
}

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}

/**
 * The small server beside a worker: `/healthz` (the process turns), `/readyz` (503 naming the check that fails),
 * `/metrics`.
 *
 * @param options.port 0 for any free one
 * @returns the port it listens on, and how to end it
 * @throws when the port is taken
 */
export const serveHealth = async ({ host = '127.0.0.1', port, checks, metricsHandler, checkTimeoutMs }: {
  readonly host?: string
  readonly port: number
  readonly checks: Checks
  readonly metricsHandler: MetricsHandler
  readonly checkTimeoutMs?: number
}): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, { status: 'GET only' })
    if (path === '/healthz') return answer(response, 200, { status: 'ok' })
    if (path === '/metrics') return metricsHandler(request, response)
    if (path !== '/readyz') return answer(response, 404, { status: 'not found' })
    void readiness(checks, checkTimeoutMs).then((found) => answer(response, found.ready ? 200 : 503, found))
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  return {
    port: address.port,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
