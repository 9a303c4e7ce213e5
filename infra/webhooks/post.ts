import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Address, Target } from './targets.ts'

const TAKEN_BYTES_MAX = 4_096

export type Post = {
  readonly target: Target
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** For all of it: name, connection, answer. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** What came of a request. */
export type Posted =
  | { readonly status: number; readonly retryAfter: string | undefined; readonly taken: string }
  /** Why there is no answer, in words for the owner of the endpoint. */
  | { readonly fault: string }

/** Answers with what was checked, whatever the name has come to mean since. */
const pinned =
  (addresses: readonly Address[]): LookupFunction =>
  (_host, { all }, done) => {
    const [first] = addresses
    if (all === true) done(null, addresses.map((one) => ({ ...one })))
    else done(null, first?.address ?? '', first?.family ?? 0)
  }

const open = ({ target: { url, addresses }, headers, body, signal }: Post): ClientRequest =>
  (url.protocol === 'https:' ? overHttps : overHttp)(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    lookup: pinned(addresses),
    // A connection of its own each time: one that is kept would outlive the check of its address.
    agent: false,
    signal,
  })

/** The beginning of a body. What is longer is cut off there, and the connection with it. */
const beginning = async (response: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    if (!Buffer.isBuffer(part)) continue
    parts.push(part)
    bytes += part.length
    if (bytes >= TAKEN_BYTES_MAX) break
  }
  return Buffer.concat(parts).subarray(0, TAKEN_BYTES_MAX).toString()
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was broken off',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EPIPE: 'the connection was broken off',
  ETIMEDOUT: 'the connection was not made in time',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is from nobody we know',
}

/** The code alone: a foreign message may hold addresses. */
const faultOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return (code === undefined ? undefined : WORDS[code]) ?? `the request failed${code === undefined ? '' : ` (${code})`}`
}

/**
 * Sends a body once, to an address that was checked. A redirect is an answer like any other and is not followed.
 *
 * @returns the answer with its first bytes, or why there is none; it throws nothing
 */
export const post = async (what: Post): Promise<Posted> => {
  const late = AbortSignal.timeout(what.timeoutMs)
  const signal = AbortSignal.any([what.signal, late])
  try {
    const sent = open({ ...what, signal })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve)
      // On an answer in full, what becomes of the connection is nobody's matter.
      sent.on('error', reject)
    })
    sent.end(what.body)
    const response = await answered
    const taken = await beginning(response)
    sent.destroy()
    return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], taken }
  } catch (error) {
    if (late.aborted) return { fault: `there was no answer within ${what.timeoutMs} ms` }
    return { fault: what.signal.aborted ? 'the sender was stopped' : faultOf(error) }
  }
}
