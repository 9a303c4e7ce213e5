import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import Koa, { type Context, type Next } from 'koa'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import { withCarrier } from '../telemetry/tracing.ts'
import type { MetricsHandler } from '../telemetry/metrics.ts'
import type { Readiness } from '../telemetry/health.ts'
import { apiDocs } from './api-docs.ts'
import { type ApiInfo, openApi } from './openapi.ts'
import { problemNamed, problemOf, refusal } from './problems.ts'
import { placeOf } from './place.ts'
import { count, type Known, type ServeOptions, serveEndpoint } from './serve-endpoint.ts'

export type AppOptions = ServeOptions & {
  readonly endpoints: readonly Endpoint[]
  /** What another service behind the same address serves: described here, not served. */
  readonly elsewhere?: readonly Endpoint[]
  readonly ready: () => Promise<Readiness>
  readonly metricsHandler: MetricsHandler
  /** Told of every answer; `route` is the pattern, not the path. */
  readonly observe: (method: string, route: string, status: number, seconds: number) => void
  /** What clients call us. */
  readonly publicUrl: string
  readonly info: ApiInfo
  /** Whether X-Forwarded-For comes from a proxy of ours and may be believed. Default false. */
  readonly behindProxy?: boolean
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/
const NO_ROUTE = '(none)'
const PATH_LENGTH_MAX = 300
const PAGES = /^\/(api\/docs|problems)(\/|$)/

const securityHeaders = (publicUrl: string): Readonly<Record<string, string>> => ({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  ...(publicUrl.startsWith('https:') ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
})

/** Literal paths go before patterns that would swallow them, in whatever order they were given. */
const byPath = ({ path: a }: { readonly path: string }, { path: b }: { readonly path: string }): number => {
  const mark = (path: string) =>
    path
      .split('/')
      .map((part) => (part.startsWith(':') ? '\uffff' : part))
      .join('/')
  return mark(a) < mark(b) ? -1 : 1
}

/** A route of the table below. */
type Route = {
  readonly method: string
  readonly path: string
  readonly serve: (ctx: Context, known: Known) => Promise<void>
}

const routesOf = (options: AppOptions): readonly Route[] => {
  const { endpoints, elsewhere = [], ready, metricsHandler, info, publicUrl } = options
  const json = (ctx: Context, status: number, body: object): void => {
    ctx.status = status
    ctx.type = 'application/json'
    ctx.body = JSON.stringify(body)
  }
  return [
    ...endpoints.map((endpoint) => ({ ...endpoint, serve: serveEndpoint(endpoint, options) })),
    ...apiDocs(openApi([...elsewhere, ...endpoints], { info, publicUrl })).map(({ path, serve }) => ({
      method: 'GET',
      path,
      serve: async (ctx: Context) => serve(ctx),
    })),
    {
      method: 'GET',
      path: '/problems/:code',
      serve: async (ctx) => {
        const problem = problemNamed(String(ctx['params']['code']))
        if (problem === undefined) throw refusal('not-found', 'there is no such problem')
        json(ctx, 200, problem)
      },
    },
    { method: 'GET', path: '/healthz', serve: async (ctx) => json(ctx, 200, { status: 'ok' }) },
    {
      method: 'GET',
      path: '/readyz',
      serve: async (ctx) => {
        const found = await ready()
        json(ctx, found.ready ? 200 : 503, found)
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      serve: async (ctx) => {
        ctx.respond = false
        ctx.res.statusCode = 200
        metricsHandler(ctx.req, ctx.res)
      },
    },
  ]
}

/**
 * The Koa application: every endpoint mounted, every answer in one form.
 *
 * @returns an application that nobody listens to yet
 */
export const httpApp = (options: AppOptions): Koa => {
  const app = new Koa({ proxy: options.behindProxy === true })
  // It would print of every stream whose reader has gone; what breaks off otherwise is logged where it is sent.
  app.silent = true
  const headers = securityHeaders(options.publicUrl)
  const router = new Router({ strict: true, sensitive: true })
  const knownOf = new WeakMap<Context, Known>()

  const routes = routesOf(options).toSorted(byPath)
  const names = routes.map(({ method, path }) => `${method} ${path}`)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw new Error(`BUG: two endpoints are ${twice}`)

  for (const { method, path, serve } of routes) {
    router.register(path, [method], async (ctx: Context) => {
      const known = { ...(knownOf.get(ctx) ?? { requestId: '' }), route: path }
      knownOf.set(ctx, known)
      await serve(ctx, known)
    })
  }

  const refuseUnmatched = async (ctx: Context, next: Next): Promise<void> => {
    const { path, route } = router.match(ctx.path, ctx.method)
    // Endpoints count for themselves; health is asked for by who has to.
    if (!route || PAGES.test(ctx.path)) count(options.limiter, 'address', placeOf(ctx.ip))
    if (route) return next()
    if (path.length === 0) throw refusal('not-found', `there is nothing at ${ctx.path.slice(0, PATH_LENGTH_MAX)}`)
    const allowed = [...new Set(path.flatMap(({ methods }) => methods)), 'OPTIONS'].toSorted().join(', ')
    ctx.set('Allow', allowed)
    if (ctx.method !== 'OPTIONS')
      throw refusal('method-not-allowed', `${ctx.method} is not offered here, but ${allowed}`)
    ctx.status = 200
    ctx.type = 'application/json'
    ctx.body = '{}'
  }

  const answer = async (ctx: Context, next: Next): Promise<void> => {
    const began = performance.now()
    const asked = ctx.get('X-Request-Id')
    const requestId = REQUEST_ID.test(asked) ? asked : randomUUID()
    knownOf.set(ctx, { requestId, route: NO_ROUTE })
    ctx.set(headers)
    ctx.set('X-Request-Id', requestId)
    const carrier: Record<string, string> = {}
    const traceparent = ctx.get('traceparent')
    if (traceparent !== '') carrier['traceparent'] = traceparent
    await withCarrier(carrier, `HTTP ${ctx.method}`, { requestId }, async () => {
      try {
        await next()
      } catch (error) {
        tell(ctx, error, requestId, options)
      }
      note(ctx, knownOf.get(ctx) ?? { requestId, route: NO_ROUTE }, (performance.now() - began) / 1000, options)
    })
  }

  app.use(answer)
  app.use(refuseUnmatched)
  app.use(router.routes())
  return app
}

/** What may be a token: 32 bytes in base64url. */
const TOKEN = /(?<=\/)[A-Za-z0-9_-]{43}(?=\/|$)/g

/** The path of a request, without the tokens in it. */
const shownPath = ({ path }: Context): string => path.slice(0, PATH_LENGTH_MAX).replaceAll(TOKEN, '…')

/** One line for each answer, without the query: it may hold what is nobody's business. */
const note = (
  ctx: Context,
  { requestId, route, principal }: Known,
  seconds: number,
  { log, observe }: AppOptions,
): void => {
  const { method, status } = ctx
  observe(method, route, status, seconds)
  const fields = {
    requestId,
    method,
    route,
    path: shownPath(ctx),
    status,
    tookMs: Math.round(seconds * 1000),
    userId: principal?.userId,
    ownerId: principal?.ownerId,
  }
  log.info(fields, 'answered')
}

const tell = (ctx: Context, error: unknown, requestId: string, { log }: AppOptions): void => {
  const { status, body, headers } = problemOf(error)
  if (status >= 500 && !(error instanceof Refused)) {
    log.error(
      { err: error, requestId, method: ctx.method, path: shownPath(ctx) },
      'a request failed',
    )
  }
  ctx.set(headers)
  // What is left of a body that was refused is not read, so nothing can follow it on this connection.
  if (status === 413) ctx.set('Connection', 'close')
  ctx.status = status
  ctx.type = 'application/json'
  ctx.body = JSON.stringify(body)
}
