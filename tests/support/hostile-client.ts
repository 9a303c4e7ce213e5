import { randomUUID } from 'node:crypto'
import type { Payload } from './hostile.ts'

export type Sent = {
  readonly method: string
  readonly path: string
  readonly payload?: Payload | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export type Got = { readonly status: number; readonly type: string; readonly text: string; readonly requestId: string }

const ANSWER_WITHIN_MS = 30_000
const STREAMS = /^(text\/event-stream|text\/csv|application\/x-ndjson)/

/**
 * Sends a request as it is, without a thought of what it does.
 *
 * @throws when there is no answer within 30 s
 */
export const sent = async (baseUrl: string, { method, path, payload, headers = {} }: Sent): Promise<Got> => {
  const requestId = randomUUID()
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      'X-Request-Id': requestId,
      ...(payload?.type === undefined ? {} : { 'Content-Type': payload.type }),
      ...headers,
    },
    ...(payload === undefined || method === 'GET' ? {} : { body: new TextEncoder().encode(payload.text) }),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  }).catch((cause: unknown) => {
    const what = `${method} ${path.slice(0, 200)} ${JSON.stringify(headers).slice(0, 200)} ${payload?.text.slice(0, 100)}`
    throw new Error(`no answer to ${what}: ${String(cause instanceof Error ? cause.cause : cause)}`, { cause })
  })
  const type = response.headers.get('content-type') ?? ''
  if (STREAMS.test(type)) {
    await response.body?.cancel()
    return { status: response.status, type, text: '', requestId }
  }
  return { status: response.status, type, text: await response.text(), requestId }
}

/** Does all of it, so much at a time. */
export const together = async <T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> => {
  const iterator = items[Symbol.iterator]()
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: width }, lane))
}
