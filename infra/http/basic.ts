import { createHash, timingSafeEqual } from 'node:crypto'

type Header = (name: string) => string | undefined

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Whether a request's Authorization header is that of the machine account, in the Basic scheme (RFC 7617).
 *
 * @param account undefined: there is none, and nobody is it
 */
export const basicGuard =
  (account: { readonly username: string; readonly password: string } | undefined) =>
  (header: Header): boolean => {
    const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header('authorization') ?? '') ?? []
    if (account === undefined || encoded === undefined) return false
    // Digests are of one length, so the comparison tells nothing of the lengths either.
    const given = digest(Buffer.from(encoded, 'base64').toString('utf8'))
    return timingSafeEqual(given, digest(`${account.username}:${account.password}`))
  }
