import { z } from 'zod'
import { type Endpoint, endpoint, type Request } from '../../domain/kernel/endpoint.ts'
import type { JsonValue } from '../../domain/kernel/json.ts'
import { type Opening, openSession } from './opening.ts'
import type { AccountView, Attempts, Credentials, Directory, Sessions } from './ports.ts'
import { presentedToken, sessionCookie } from './presented.ts'
import { forbidden, invalidCredentials, tooManyAttempts } from './refusals.ts'
import { Flat, FlatCheck, flatOf, Nested, nestedOf, scopesOf, scopesOfClient } from './shapes.ts'

export type SignIn = Opening & {
  readonly directory: Directory
  readonly credentials: Pick<Credentials, 'verify'>
  readonly sessions: Sessions
  readonly attempts: Attempts
}

const tag = 'Authentication'

const LoginBody = z.object({ login: z.string().min(1).max(254), password: z.string().min(1).max(1024) })
type LoginBody = z.infer<typeof LoginBody>

/**
 * Whose login and password these are; refuses in the same words and the same time whether it is one or the other that
 * is wrong.
 */
const accountOf = async (
  { directory, credentials, attempts }: SignIn,
  { body: { login, password }, address }: Pick<Request<unknown, unknown, LoginBody>, 'body' | 'address'>,
  isWanted: (account: AccountView) => boolean = () => true,
  because?: string,
): Promise<AccountView> => {
  const waitSeconds = await attempts.begin(login, address)
  if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
  const account = await directory.accountByLogin(login)
  const isRight = await credentials.verify(account?.accountId, password)
  // One that is not wanted is refused as a wrong one is, and counted so.
  if (account === undefined || !isRight || !isWanted(account)) throw invalidCredentials(because)
  await attempts.succeed(login, address)
  if (account.suspended) throw forbidden('this account is suspended')
  return account
}

const login = (
  options: SignIn,
  {
    path,
    summary,
    schema,
    tell,
  }: {
    readonly path: string
    readonly summary: string
    readonly schema: z.ZodType
    readonly tell: (account: AccountView, scopes: ReturnType<typeof scopesOf>) => JsonValue
  },
): Endpoint =>
  endpoint({
    method: 'POST',
    path,
    summary,
    tag,
    access: 'public',
    body: LoginBody,
    replies: { 200: { description: 'Signed in; the cookie `ccx-session` is set.', schema } },
    handle: async (request) => {
      const account = await accountOf(options, request)
      const scopes = scopesOf(account, await options.directory.organisationsOf(account.accountId))
      return { status: 200, body: tell(account, scopes), headers: await openSession(options, account, request) }
    },
  })

const AdminLogin = z.object({ id: z.uuid(), login: z.string() })

const adminLogin = (options: SignIn): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/admin-login',
    summary: 'Sign in as an operator',
    tag,
    access: 'public',
    body: LoginBody,
    replies: { 200: { description: 'Signed in; the cookie `ccx-session` is set.', schema: AdminLogin } },
    handle: async (request) => {
      const account = await accountOf(options, request, (found) => found.isAdmin, 'login failed')
      const body = { id: account.accountId, login: account.login }
      return { status: 200, body, headers: await openSession(options, account, request) }
    },
  })

const check = (
  { directory }: SignIn,
  {
    path,
    schema,
    tell,
  }: {
    readonly path: string
    readonly schema: z.ZodType
    readonly tell: (account: AccountView, scopes: ReturnType<typeof scopesOf>) => JsonValue
  },
): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    summary: 'Who is signed in',
    tag,
    access: 'user',
    needs: 'self',
    replies: { 200: { description: 'The one who asks, and his scopes.', schema } },
    handle: async ({ principal }) => {
      const [found, organisations] = await Promise.all([
        directory.accountById(principal.userId),
        directory.organisationsOf(principal.userId),
      ])
      if (found === undefined) throw new Error('BUG: one who is signed in has an account')
      // A client of an operator is no operator.
      const account = { ...found, isAdmin: principal.isAdmin }
      const isClient = principal.kind === 'client'
      const scopes = isClient ? scopesOfClient(account, organisations, principal) : scopesOf(account, organisations)
      return { status: 200, body: tell(account, scopes) }
    },
  })

const logout = ({ sessions, secure }: SignIn): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/logout',
    summary: 'Sign out',
    tag,
    access: 'user',
    needs: 'self',
    replies: { 204: { description: 'The session or token that was presented is over.' } },
    handle: async ({ header }) => {
      const token = presentedToken(header)
      if (token !== undefined) await sessions.end(token)
      return { status: 204, headers: { 'Set-Cookie': sessionCookie('', { secure, maxAgeSeconds: 0 }) } }
    },
  })

/** Signing in with login and password, and what follows from it. */
export const signInEndpoints = (options: SignIn): readonly Endpoint[] => [
  login(options, { path: '/api/v2/auth/login', summary: 'Sign in', schema: Nested, tell: nestedOf }),
  login(options, { path: '/api/auth/login', summary: 'Sign in (older form)', schema: Flat, tell: flatOf }),
  adminLogin(options),
  check(options, { path: '/api/v2/auth/check', schema: Nested, tell: nestedOf }),
  check(options, {
    path: '/api/auth/check',
    schema: FlatCheck,
    tell: (account, scopes) => ({ ...flatOf(account), isAdmin: account.isAdmin, scopes }),
  }),
  logout(options),
]
