import { createHmac, randomBytes } from 'node:crypto'
import { hashPassword, isPassword } from '../../../auth/password-hash.ts'
import type { Principal } from './principal.ts'
import type { Users } from './users.ts'

/** How many verified credentials are remembered. */
const REMEMBERED_MAX = 1_000

export type Credentials = { readonly login: string; readonly password: string }

/** Reads `Basic …` (RFC 7617); undefined for anything else. */
export const basicCredentials = (header: string): Credentials | undefined => {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header) ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { login: text.slice(0, colon), password: text.slice(colon + 1) }
}

type Checked = { readonly login: string; readonly principal: Promise<Principal | undefined>; stale: boolean }

export type Verifier = {
  /** Who these credentials are of; undefined when they are nobody's. */
  readonly verify: (credentials: Credentials) => Promise<Principal | undefined>
  /** Forgets what was verified of a login. */
  readonly forget: (login: string) => void
}

/**
 * Checks credentials against the users. Since that is slow by design, what was right is remembered: not the password,
 * but a keyed hash of the credentials, under a key that this process alone has.
 */
export const verifier = (users: Pick<Users, 'find'>): Verifier => {
  const key = randomBytes(32)
  const remembered = new Map<string, Checked>()

  const decoy = hashPassword(key.toString('hex'))

  const check = async ({ login, password }: Credentials): Promise<Principal | undefined> => {
    const user = await users.find(login)
    // As slow for a login that there is not, so that the time taken tells nobody which ones there are.
    const right = await isPassword(password, user?.hash ?? (await decoy))
    return user !== undefined && right && !user.disabled ? { login, groups: user.groups } : undefined
  }
  const checked = (mac: string, credentials: Credentials): Checked => {
    const fresh: Checked = { login: credentials.login, principal: check(credentials), stale: false }
    remembered.set(mac, fresh)
    const [oldest] = remembered.keys()
    if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest)
    const drop = (): void => {
      if (remembered.get(mac) === fresh) remembered.delete(mac)
    }
    fresh.principal.then((principal) => principal === undefined && drop(), drop)
    return fresh
  }
  return {
    verify: async (credentials) => {
      const mac = createHmac('sha256', key).update(JSON.stringify(credentials)).digest('base64')
      for (;;) {
        const found = remembered.get(mac) ?? checked(mac, credentials)
        const principal = await found.principal
        // What was to be forgotten while it was being checked is checked once more.
        if (!found.stale) return principal
      }
    },
    forget: (login) => {
      for (const [mac, found] of remembered) {
        if (found.login !== login) continue
        found.stale = true
        remembered.delete(mac)
      }
    },
  }
}
