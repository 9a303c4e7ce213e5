import { Readable } from 'node:stream'
import type { Context } from 'koa'
import { type Endpoint, type Principal, Refused, type Reply } from '../../domain/kernel/endpoint.ts'
import { type Position, parsePosition, positionText } from '../../domain/kernel/event-store.ts'
import type { Log } from '../telemetry/logger.ts'
import { type Admission, admitted, type Header } from './admission.ts'
import { type Origins, refuseCrossSite } from './cross-site.ts'
import { placeOf } from './place.ts'
import { type EdgeRejection, refusal } from './problems.ts'
import type { RateLimiter, RateLimits } from './rate-limit.ts'
import { formOf, jsonOf, readText, refuseUnstorable, valuesOf } from './read-body.ts'

export type ServeOptions = Admission & Origins & {
  /** Absent: nothing is limited. */
  readonly limiter?: RateLimiter | undefined
  /** Resolves once the read models have the position, or when the time has run out; whether they have. */
  readonly waitFor: (position: Position, withinMs: number) => Promise<boolean>
  readonly readYourWritesMs: number
  readonly handleTimeoutMs: number
  /** Aborts when the server is to end: answers that go on end with it. */
  readonly closing: AbortSignal
  /** How often it is asked whether the one who gets an answer that goes on may still have it; default 15,000. */
  readonly stillHereEveryMs?: number | undefined
  readonly log: Log
}

/** What the layers around an endpoint want to know of a request. */
export type Known = { readonly requestId: string; readonly route: string; principal?: Principal }

const STILL_HERE_EVERY_MS = 15_000

const POSITION_MAX = 2n ** 63n - 1n

export const headerOf =
  (ctx: Context): Header =>
  (name) => {
    const value = ctx.get(name)
    return value === '' ? undefined : value
  }

const askedPosition = (header: Header): Position | undefined => {
  const text = header('CCX-Position')
  if (text === undefined) return undefined
  const position = parsePosition(text)
  if (position === undefined || position.commit > POSITION_MAX || position.prepare > POSITION_MAX) {
    throw refusal('malformed-header', 'CCX-Position must be a position as an earlier answer gave it')
  }
  return position
}

/** The answer does not depend on it: what has been done has been done. */
const settle = async (position: Position, { waitFor, readYourWritesMs, log }: ServeOptions): Promise<void> => {
  try {
    await waitFor(position, readYourWritesMs)
  } catch (err) {
    log.warn({ err, position: positionText(position) }, 'cannot wait for the read models')
  }
}

const paramsOf = (ctx: Context): Readonly<Record<string, string>> => {
  const params: Readonly<Record<string, string>> = ctx['params']
  refuseUnstorable(params, 'the path')
  return params
}

const queryOf = (ctx: Context): ReturnType<typeof valuesOf> => {
  const query = valuesOf(new URLSearchParams(ctx.querystring))
  refuseUnstorable(query, 'the query')
  return query
}

const bodyOf = async (ctx: Context, endpoint: Endpoint): Promise<unknown> => {
  const text = await readText(ctx.req)
  if (endpoint.body === undefined) return undefined
  return endpoint.bodyType === 'form' ? formOf(text) : jsonOf(text)
}

const within = async <T>(work: Promise<T>, limitMs: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(refusal('timed-out', `it took more than ${limitMs} ms; it may still happen`)),
      limitMs,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const send = (ctx: Context, { status, body, stream, headers = {}, position }: Reply, fail: (err: unknown) => void): void => {
  for (const [name, value] of Object.entries(headers)) ctx.set(name, typeof value === 'string' ? value : [...value])
  if (position !== undefined) ctx.set('CCX-Position', positionText(position))
  ctx.status = status
  if (status === 204) return
  if (stream !== undefined) {
    ctx.type = stream.type
    ctx.body = Readable.from(stream.chunks).on('error', fail)
    return
  }
  ctx.type = 'application/json'
  ctx.body = JSON.stringify(body ?? {})
}

/** Ends an answer that goes on once the one who gets it may have it no longer. What cannot be told now is asked again. */
const watch = (isStillHere: () => Promise<boolean>, everyMs: number, gone: AbortController): void => {
  if (gone.signal.aborted) return
  const look = async (): Promise<void> => {
    if (!(await isStillHere().catch((error: unknown) => !(error instanceof Refused)))) gone.abort()
  }
  const looking = setInterval(() => void look(), everyMs)
  gone.signal.addEventListener('abort', () => clearInterval(looking), { once: true })
}

const SIGN_IN = /^\/api\/(v2\/)?auth\//

/** @throws Refused when there were too many */
export const count = (limiter: RateLimiter | undefined, kind: keyof RateLimits, whose: string): void => {
  const retryAfterSeconds = limiter?.take(kind, whose)
  if (retryAfterSeconds === undefined) return
  const because = `too many requests; try again in ${retryAfterSeconds} s`
  throw new Refused({ rejected: 'too-many-requests' satisfies EdgeRejection, because, retryAfterSeconds })
}

/**
 * Admits somebody, and counts his request: for himself once it is known who he is, so that nobody else at his address is
 * held up by him; else for the address.
 */
const counted = async (
  { access, path }: Endpoint,
  options: ServeOptions,
  address: string,
  admit: (options: ServeOptions) => Promise<Principal>,
): Promise<Principal> => {
  const { limiter, authenticate } = options
  const place = placeOf(address)
  if (access === 'public') {
    count(limiter, SIGN_IN.test(path) ? 'signIn' : 'address', place)
    return admit(options)
  }
  let who: Principal | undefined
  const authenticating: ServeOptions['authenticate'] = async (header) => (who = await authenticate(header))
  try {
    const principal = await admit({ ...options, authenticate: authenticating })
    count(limiter, 'user', principal.clientId ?? principal.userId)
    return principal
  } catch (error) {
    // One that was counted as himself, and refused for it or for what he may not, is not counted again.
    if (who === undefined && error instanceof Refused) count(limiter, 'address', place)
    else if (who !== undefined && error instanceof Refused && error.code !== 'too-many-requests') {
      count(limiter, 'user', who.clientId ?? who.userId)
    }
    throw error
  }
}

/**
 * Carries a request to its endpoint and the reply back: who asks, in whose name, what he has seen already; and holds
 * the answer until the read models have what it tells of.
 */
export const serveEndpoint =
  (endpoint: Endpoint, options: ServeOptions) =>
  async (ctx: Context, known: Known): Promise<void> => {
    const header = headerOf(ctx)
    const params = paramsOf(ctx)
    refuseCrossSite(ctx.method, header, options)
    const principal = await counted(endpoint, options, ctx.ip, (counting) => admitted(endpoint, counting, header, params))
    known.principal = principal
    const seen = askedPosition(header)
    const body = await bodyOf(ctx, endpoint)
    const gone = new AbortController()
    ctx.res.once('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, options.closing])
    const isStillHere = async (): Promise<boolean> => {
      const { userId, ownerId, isAdmin } = await admitted(endpoint, options, header, params)
      return userId === principal.userId && ownerId === principal.ownerId && isAdmin === principal.isAdmin
    }
    const request = {
      params,
      query: queryOf(ctx),
      body,
      principal,
      requestId: known.requestId,
      idempotencyKey: header('Idempotency-Key'),
      address: ctx.ip,
      header,
      signal,
    }
    if (seen !== undefined) await settle(seen, options)
    const reply = await within(endpoint.handle(request), options.handleTimeoutMs)
    if (reply.position !== undefined) await settle(reply.position, options)
    if (reply.stream !== undefined && endpoint.access !== 'public') {
      watch(isStillHere, options.stillHereEveryMs ?? STILL_HERE_EVERY_MS, gone)
    }
    send(ctx, reply, (err) => {
      if (!signal.aborted) options.log.error({ err, requestId: known.requestId }, 'an answer broke off')
      ctx.res.destroy()
    })
  }
