import * as assert from 'uvu/assert'
import { z } from 'zod'
import type { Endpoint, Principal } from '../../domain/kernel/endpoint.ts'
import { type HttpServerOptions, httpServer } from '../../infra/http/server.ts'
import { keptLog } from './log.ts'

/** Principals by the bearer token that the tests' authentication knows them by. */
export const principals = {
  alice: principal('user', '0a000000-0000-4000-8000-000000000001', 'alice@example.com'),
  bob: principal('user', '0b000000-0000-4000-8000-000000000002', 'bob@example.com'),
  olga: principal('operator', '0c000000-0000-4000-8000-000000000003', 'olga@example.com'),
} as const

function principal(kind: Principal['kind'], userId: string, login: string): Principal {
  return { kind, userId, login, isAdmin: kind === 'operator', ownerId: userId, role: 'owner', ownerNamed: false }
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  readonly text: string
}

export type Ask = {
  readonly as?: string
  readonly body?: unknown
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
}

export type Rest = {
  readonly url: string
  readonly ask: (method: string, path: string, options?: Ask) => Promise<Answer>
  readonly close: () => Promise<void>
}

const Problem = z.object({ code: z.int(), err: z.string().min(1), error: z.string().min(1) })

const isOf = (endpoint: Endpoint, method: string, path: string): boolean =>
  endpoint.method === method &&
  new RegExp(`^${endpoint.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(path.split('?')[0] ?? '')

/** What holds for every answer of the API, whatever was asked. */
const checkAnswer = (
  endpoints: readonly Endpoint[],
  method: string,
  path: string,
  { status, headers, body, text }: Answer,
): void => {
  const what = `${method} ${path.slice(0, 100)} answered ${status}: ${text.slice(0, 300)}`
  assert.ok(status < 500, what)
  assert.ok(status < 300 || status >= 400 || path.startsWith('/api/auth/jwt-login?'), `no redirect: ${what}`)
  assert.ok(headers.get('x-request-id'), what)
  assert.is(headers.get('x-content-type-options'), 'nosniff')
  if (status === 204) return assert.is(headers.get('content-type'), null)
  if (path.startsWith('/api/docs') || method === 'HEAD' || path === '/metrics') return
  const endpoint = endpoints.find((one) => isOf(one, method, path))
  const types = status >= 400 ? undefined : endpoint?.replies[status]?.types
  const type = headers.get('content-type') ?? ''
  if (types !== undefined) return assert.ok(types.some((one) => type.startsWith(one)), what)
  assert.match(type, /^application\/json/, what)
  if (status >= 400) {
    assert.is(Problem.parse(body).code, status, what)
    return
  }
  if (endpoint === undefined) return
  const reply = endpoint.replies[status]
  assert.ok(reply, `${status} is not among the documented replies: ${what}`)
  reply?.schema?.parse(body)
}

/**
 * The real HTTP server over endpoints under test, on a free port. Everything that is answered is checked for what holds
 * for all answers, the documented replies among it.
 */
export const startRest = async (
  endpoints: readonly Endpoint[],
  options: Partial<HttpServerOptions> = {},
): Promise<Rest> => {
  const known: Readonly<Record<string, Principal>> = principals
  const server = await httpServer({
    endpoints,
    authenticate: async (header) => known[header('authorization')?.replace(/^Bearer /, '') ?? ''],
    waitFor: async () => true,
    ready: async () => ({ ready: true, checks: {} }),
    metricsHandler: (_, response) => void response.end('# nothing\n'),
    observe: () => undefined,
    log: keptLog().log,
    host: '127.0.0.1',
    port: 0,
    publicUrl: 'http://127.0.0.1',
    ...options,
  })
  const ask: Rest['ask'] = async (method, path, { as, body, raw, headers = {} } = {}) => {
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const response = await fetch(`${server.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(as === undefined ? {} : { authorization: `Bearer ${as}` }), ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    })
    const text = await response.text()
    const isJson = (response.headers.get('content-type') ?? '').includes('application/json') && text !== ''
    const answer = {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : undefined,
      text,
    }
    checkAnswer(endpoints, method, path, answer)
    return answer
  }
  return { url: server.url, ask, close: () => server.close(2_000) }
}
