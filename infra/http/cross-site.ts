import { refusal } from './problems.ts'

type Header = (name: string) => string | undefined

export type Origins = {
  /** What clients call us. */
  readonly publicUrl?: string | undefined
  /** Other origins whose pages may act for their users: a user interface elsewhere. */
  readonly allowedOrigins?: readonly string[] | undefined
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

const isOwn = (origin: string, { publicUrl }: Origins, host: string | undefined): boolean => {
  if (!URL.canParse(origin)) return false
  const from = new URL(origin)
  return from.host === host || (publicUrl !== undefined && from.origin === new URL(publicUrl).origin)
}

/**
 * Keeps pages of other sites from acting with the cookies of whoever looks at them (OWASP, Cross-Site Request Forgery
 * Prevention): a browser says where a request comes from, and no page can make it say otherwise. What does not come from a
 * browser says nothing of the kind, and has no cookies that it was not given; nor has a request that brings its own
 * Authorization.
 *
 * @throws Refused for a request that would change something and comes from a page of another site
 */
export const refuseCrossSite = (method: string, header: Header, origins: Origins): void => {
  if (READING.has(method) || header('authorization') !== undefined) return
  const origin = header('origin')
  if (origin !== undefined && origins.allowedOrigins?.includes(origin) === true) return
  const site = header('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  if (site === undefined && (origin === undefined || isOwn(origin, origins, header('host')))) return
  throw refusal('cross-site', 'a page of another site may not do this')
}
