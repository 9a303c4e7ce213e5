import { z } from 'zod'
import { type Endpoint, endpoint, type Reply, type Request } from '../../domain/kernel/endpoint.ts'
import { type Instant, later, reached } from '../../domain/kernel/time.ts'
import type { ClientView, Credentials, Directory, Sessions } from './ports.ts'
import { basicCredentials } from './presented.ts'

export type Tokens = {
  readonly directory: Directory
  readonly credentials: Credentials
  readonly sessions: Sessions
  readonly now: () => Instant
}

const TOKEN_SECONDS = 3600

const TokenBody = z.object({
  grant_type: z.string().max(100).optional(),
  client_id: z.string().max(254).optional(),
  client_secret: z.string().max(1024).optional(),
})

const Token = z.object({
  access_token: z.string().min(1),
  token_type: z.literal('Bearer'),
  expires_in: z.int().min(1),
})

/** A refusal in OAuth2's own form (RFC 6749, section 5.2), with what our other refusals hold beside it. */
const refused = (status: 400 | 401, error: string, description: string): Reply => ({
  status,
  body: { error, error_description: description, code: status, err: error },
  ...(status === 401 ? { headers: { 'WWW-Authenticate': 'Basic realm="ccx"' } } : {}),
})

type Asking = Request<unknown, unknown, z.infer<typeof TokenBody>>

/**
 * Attempts are not counted: a secret is 32 random bytes, which nobody guesses, and a tool may ask for many tokens at
 * once.
 */
const clientOf = async (
  { directory, credentials, now }: Tokens,
  { body, header }: Asking,
): Promise<ClientView | undefined> => {
  const basic = basicCredentials(header)
  const id = basic?.id ?? body.client_id ?? ''
  const secret = basic?.secret ?? body.client_secret ?? ''
  const known = z.uuid().safeParse(id).success ? await directory.clientById(id.toLowerCase()) : undefined
  const isRight = await credentials.verify(known?.clientId, secret)
  if (known === undefined || !isRight) return undefined
  if (known.expiresAt !== null && reached(known.expiresAt, now())) return undefined
  const account = await directory.accountById(known.accountId)
  if (account === undefined || account.suspended) return undefined
  return known
}

/** No token outlives its client. */
const lifeSeconds = ({ expiresAt }: ClientView, now: Instant): number =>
  expiresAt === null
    ? TOKEN_SECONDS
    : Math.max(1, Math.min(TOKEN_SECONDS, Math.floor((Date.parse(expiresAt) - Date.parse(now)) / 1000)))

/** `POST token`: client credentials, in the Basic scheme or in the body. A client may hold several tokens at once. */
export const tokenEndpoint = (options: Tokens): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/oauth2/token',
    summary: 'Get a token for client credentials',
    tag: 'Authentication',
    access: 'public',
    bodyType: 'form',
    body: TokenBody,
    replies: { 200: { description: 'A bearer token.', schema: Token } },
    handle: async (request) => {
      const { grant_type: grantType } = request.body
      if (grantType === undefined) return refused(400, 'invalid_request', 'grant_type is missing')
      if (grantType !== 'client_credentials') {
        return refused(400, 'unsupported_grant_type', 'grant_type must be client_credentials')
      }
      const client = await clientOf(options, request)
      if (client === undefined)
        return refused(401, 'invalid_client', 'the client or its secret is wrong, expired or revoked')
      const { accountId, clientId } = client
      const seconds = lifeSeconds(client, options.now())
      const expiresAt = later(options.now(), seconds * 1000)
      const token = await options.sessions.open({ accountId, kind: 'token', clientId, expiresAt })
      return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: seconds } }
    },
  })
