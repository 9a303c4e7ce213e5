type Header = (name: string) => string | undefined

export const COOKIE = 'ccx-session'

/** What a request presents to say who asks: the bearer token, else the session cookie. */
export const presentedToken = (header: Header): string | undefined => {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(header('authorization') ?? '') ?? []
  if (bearer !== undefined) return bearer
  const cookies = (header('cookie') ?? '').split(';').map((pair) => pair.trim())
  const own = cookies.find((pair) => pair.startsWith(`${COOKIE}=`))
  return own === undefined ? undefined : own.slice(COOKIE.length + 1)
}

/**
 * The session cookie.
 *
 * @param secure whether clients come by https; a browser drops a Secure cookie that comes by http
 * @param maxAgeSeconds 0 removes it
 */
export const sessionCookie = (
  value: string,
  { secure, maxAgeSeconds }: { readonly secure: boolean; readonly maxAgeSeconds: number },
): string =>
  // Bodies are read as JSON whatever their type, so a page of another site could post one: Lax keeps the cookie from
  // it.
  [
    `${COOKIE}=${value}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    `Max-Age=${maxAgeSeconds}`,
    ...(secure ? ['Secure'] : []),
  ].join('; ')

const formDecoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/**
 * A client's id and secret from the Basic scheme, each form-encoded before they were joined (RFC 6749, section 2.3.1).
 *
 * @returns undefined when the header is absent or says something else
 */
export const basicCredentials = (header: Header): { readonly id: string; readonly secret: string } | undefined => {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header('authorization') ?? '') ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  const id = formDecoded(text.slice(0, colon))
  const secret = formDecoded(text.slice(colon + 1))
  return id === undefined || secret === undefined ? undefined : { id, secret }
}
