import { z } from 'zod'
import { account, type Account, type AccountEvent } from '../../domain/account/account.ts'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import { OrganisationErased } from '../../domain/kernel/sealed.ts'
import { later } from '../../domain/kernel/time.ts'
import { fold } from '../handle.ts'
import { derivedId, freshId } from '../ids.ts'
import { type Opening, openSession } from './opening.ts'
import type { Directory, JwtClaims, JwtIssuers, JwtLogins, Sessions } from './ports.ts'
import { presentedToken } from './presented.ts'
import { forbidden, invalidJwt, issuerUnreachable } from './refusals.ts'
import { causeBy, sendToAccount } from './register.ts'

export type JwtLogin = Opening & {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly directory: Pick<Directory, 'accountById'>
  readonly sessions: Pick<Sessions, 'open' | 'find'>
  readonly jwtIssuers: JwtIssuers
  readonly jwtLogins: JwtLogins
  /** Where a browser is sent that has signed in. */
  readonly loginRedirectUrl: string
  /** How long a session lasts that an issuer vouched for, in seconds. */
  readonly jwtSessionSeconds: number
}

const JWT_LENGTH_MAX = 8_192
/** Clocks may differ, and what is over must be remembered as long as a token may pass. */
const MARGIN_MS = 120_000
const tag = 'Sign-in by an issuer'

const Presented = z.object({ issuer: z.string().min(1).max(255), jwt: z.string().min(1).max(JWT_LENGTH_MAX) })
type Presented = z.infer<typeof Presented>
const name = z.string().trim().max(100).regex(/^\P{C}*$/u, 'no control characters').nullish().transform((text) => text ?? '')

const User = z.object({ id: z.uuid(), login: z.string(), first_name: z.string(), last_name: z.string() })

/** Whose account a token is for. What one issuer says of a name has nothing to do with another's, or with a login here. */
const accountIdOf = ({ issuer, subject }: JwtClaims): string => derivedId('external account', issuer, subject)

const verified = async (
  { jwtIssuers }: JwtLogin,
  presented: Presented,
  options: { readonly evenIfOver?: boolean } = {},
): Promise<JwtClaims> => {
  const claims = await jwtIssuers.verify(presented, options)
  if (claims === 'unreachable') throw issuerUnreachable()
  if (claims === undefined) throw invalidJwt()
  return claims
}

/** A token that was signed out, or whose session has ended, is over before its time. */
const standing = async (options: JwtLogin, claims: JwtClaims) => {
  const found = await options.jwtLogins.standing(claims)
  if (found === 'over') throw invalidJwt()
  return found
}

/**
 * The account as its stream tells it: it was made a moment ago, and the read models may not have it yet.
 *
 * @throws Refused for one that is closed, suspended or never was
 */
const existing = async (store: JwtLogin['store'], accountId: string): Promise<Position | undefined> => {
  const { state, position } = await fold<AccountEvent, Account>({ store }, account, `account-${accountId}`)
  if (state.status !== 'registered') throw invalidJwt()
  if (state.suspended) throw forbidden('this account is suspended')
  return position
}

/** The account of the one whom the token names, made if there is none. */
const ensureAccount = async (
  options: JwtLogin,
  claims: JwtClaims,
  names: { readonly firstName: string; readonly lastName: string },
): Promise<Position | undefined> => {
  const { personal, store, now } = options
  const accountId = accountIdOf(claims)
  const sealed = (text: string) => personal.seal(accountId, text)
  const subject = await sealed(claims.subject)
  const person = { login: subject, firstName: await sealed(names.firstName), lastName: await sealed(names.lastName) }
  const external = { issuer: claims.issuer, subject }
  const command = { type: 'RegisterAccount', data: { accountId, ...person, isAdmin: false, external, now: now() } } as const
  const cause = causeBy({ kind: 'user', id: accountId, role: 'owner' }, accountId)
  const outcome = await sendToAccount(options)(command, cause)
  return 'rejection' in outcome ? existing(store, accountId) : outcome.position
}

const login = (options: JwtLogin): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/jwt-login',
    summary: 'Make the account of the one whom an issuer’s token names, if there is none; opens no session',
    tag,
    access: 'public',
    body: Presented.extend({ first_name: name, last_name: name }),
    replies: { 200: { description: 'The account.', schema: z.object({ user: User }) } },
    handle: async ({ body: { first_name: firstName, last_name: lastName, ...presented } }) => {
      const claims = await verified(options, presented)
      await standing(options, claims)
      const position = await ensureAccount(options, claims, { firstName, lastName }).catch((error: unknown) => {
        if (error instanceof OrganisationErased) throw invalidJwt()
        throw error
      })
      const known = await options.directory.accountById(accountIdOf(claims))
      const names = known ?? { firstName, lastName }
      const user = { id: accountIdOf(claims), login: claims.subject, first_name: names.firstName, last_name: names.lastName }
      return { status: 200, body: { user }, position }
    },
  })

/** Links are written by hand: a plus sign in one, not encoded, is read as a space. */
const unspaced = (issuer: string): string => issuer.replaceAll(' ', '+')

const open = (options: JwtLogin): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/auth/jwt-login',
    summary: 'Sign a browser in by an issuer’s token, which opens one session and no other',
    tag,
    access: 'public',
    query: Presented,
    replies: { 303: { description: 'Signed in; on to the user interface.' } },
    handle: async (request) => {
      const { store, sessions, jwtLogins, now, loginRedirectUrl, jwtSessionSeconds } = options
      const { issuer, jwt } = request.query
      const claims = await verified(options, { issuer, jwt }).catch((error: unknown) => {
        if (!issuer.includes(' ')) throw error
        return verified(options, { issuer: unspaced(issuer), jwt })
      })
      const accountId = accountIdOf(claims)
      const position = await existing(store, accountId)
      const headers = { Location: loginRedirectUrl }
      const used = await standing(options, claims)
      if (used !== 'unused') {
        // The page was loaded again by the browser that it signed in. From anywhere else it is a replay.
        const own = await sessions.find(presentedToken(request.header) ?? '')
        if (own?.sessionId !== used.sessionId) throw invalidJwt()
        return { status: 303, headers, position }
      }
      const sessionId = freshId()
      const over = [later(now(), jwtSessionSeconds * 1000), later(claims.expiresAt, MARGIN_MS)]
      if (!(await jwtLogins.claim(claims, sessionId, over.toSorted().at(-1) ?? claims.expiresAt))) throw invalidJwt()
      const who = { accountId, isAdmin: false }
      const cookie = await openSession(options, who, request, { sessionId, seconds: jwtSessionSeconds })
      return { status: 303, headers: { ...headers, ...cookie }, position }
    },
  })

const logout = (options: JwtLogin): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/jwt-logout',
    summary: 'End the session of an issuer’s token; it never opens another, and may be over by itself',
    tag,
    access: 'public',
    body: Presented,
    replies: { 204: { description: 'It is over.' } },
    handle: async ({ body }) => {
      const claims = await verified(options, body, { evenIfOver: true })
      await options.jwtLogins.end(claims, later(claims.expiresAt, MARGIN_MS))
      return { status: 204 }
    },
  })

const Checked = z.object({
  claims: z.record(z.string(), z.json()),
  issued_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
})

const check = (options: JwtLogin): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/jwt-check',
    summary: 'Whether an issuer’s token holds, and what it says',
    tag,
    access: 'public',
    body: Presented,
    replies: { 200: { description: 'It holds.', schema: Checked } },
    handle: async ({ body }) => {
      const claims = await verified(options, body)
      await standing(options, claims)
      const { all, issuedAt, expiresAt } = claims
      return { status: 200, body: { claims: all, issued_at: issuedAt, expires_at: expiresAt } }
    },
  })

/** Signing in by a token of an issuer that the configuration names. */
export const jwtEndpoints = (options: JwtLogin): readonly Endpoint[] => [
  login(options),
  open(options),
  logout(options),
  check(options),
]
