import { z } from 'zod'
import { type Endpoint, endpoint, type Principal, Refused } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { isAtLeast, ROLES, type Role } from '../../domain/kernel/roles.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import type { OrganisationRejection } from '../../domain/organisation/messages.ts'
import { causeOf } from '../cause.ts'
import { freshId } from '../ids.ts'
import type { ClientView, Credentials, Directory, Sessions } from './ports.ts'
import { forbidden } from './refusals.ts'
import { createClient, sendToAccount } from './register.ts'

export type Clients = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly directory: Pick<Directory, 'clientById' | 'clientsIn' | 'clientsOf'>
  readonly credentials: Credentials
  readonly sessions: Pick<Sessions, 'endAllOf'>
  readonly personal: PersonalData
  readonly now: () => Instant
  readonly traceparent: () => string | undefined
}

const PATH = '/api/v2/auth/oauth2/clients'
const tag = 'Authentication'

const instant = z.iso.datetime({ offset: true })

const Client = z.object({
  client_id: z.uuid(),
  name: z.string(),
  role: z.enum(ROLES).nullable().meta({ description: 'What it may at most; null: all that its maker may.' }),
  made_by: z.uuid(),
  created_at: instant,
  expires_at: instant.nullable(),
  last_used_at: instant.nullable(),
})
const NewClient = z.object({
  client_id: z.uuid(),
  client_secret: z.string(),
  name: z.string(),
  role: z.enum(ROLES).nullable(),
  expires_at: instant.nullable(),
})

const Rotated = z.object({ client_id: z.uuid(), client_secret: z.string(), previous_until: instant })

/** A token that leaked must not be able to make more of its kind. */
const refuseClients = ({ kind }: Principal): void => {
  if (kind === 'client') throw forbidden('clients are managed by the one they act for, not by clients')
}

/**
 * In whose name a new client acts, and as what.
 *
 * @throws Refused `role-too-high` for a role that is more than its maker has
 */
const actsOf = (
  { userId, ownerId, role: own }: Principal,
  role: Role | undefined,
): { readonly organisationId?: string; readonly role?: Role } => {
  if (role !== undefined && !isAtLeast(own, role)) {
    const because = `whoever is ${own} cannot make a client that is ${role}`
    throw new Refused({ rejected: 'role-too-high' satisfies OrganisationRejection, because })
  }
  if (ownerId !== userId) return { organisationId: ownerId, role: role ?? own }
  return role === undefined ? {} : { role }
}

/**
 * Whose a client is. One that is revoked is not read any more, and may be the asker's own.
 *
 * @throws Refused `client-not-found` for one that acts in another scope
 */
const makerOf = async ({ directory }: Clients, { userId, ownerId }: Principal, clientId: string): Promise<string> => {
  const client = await directory.clientById(clientId)
  if (client === undefined && ownerId === userId) return userId
  if (client === undefined || (client.organisationId ?? client.accountId) !== ownerId) throw noClient()
  return client.accountId
}

const noClient = (): Refused => new Refused({ rejected: 'client-not-found', because: 'there is no such client' })

const list = ({ directory, credentials }: Clients): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List OAuth2 clients',
    tag,
    access: 'user',
    needs: 'administer',
    replies: {
      200: { description: 'Those that act in the scope of the one who asks.', schema: z.object({ clients: z.array(Client) }) },
    },
    handle: async ({ principal }) => {
      const { userId, ownerId } = principal
      const clients =
        ownerId === userId
          ? (await directory.clientsOf(userId)).filter(({ organisationId }) => organisationId === null)
          : await directory.clientsIn(ownerId)
      const used = await credentials.lastUsed(clients.map(({ clientId }) => clientId))
      const row = ({ clientId, accountId, role, name, createdAt, expiresAt }: ClientView): z.infer<typeof Client> => ({
        client_id: clientId,
        name,
        role,
        made_by: accountId,
        created_at: createdAt,
        expires_at: expiresAt,
        last_used_at: used.get(clientId) ?? null,
      })
      return { status: 200, body: { clients: clients.map(row) } }
    },
  })

/** Takes no idempotency key: a recorded reply would hold the secret. */
const create = (options: Clients): Endpoint =>
  endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Make an OAuth2 client; its secret is told this once',
    tag,
    access: 'user',
    needs: 'administer',
    body: z.object({
      name: z.string().trim().min(1).max(100),
      role: z.enum(ROLES).nullish(),
      expires_at: instant.nullish().transform((at) => (at ? new Date(at).toISOString() : null)),
    }),
    replies: { 201: { description: 'The client.', schema: NewClient } },
    handle: async (request) => {
      refuseClients(request.principal)
      const { name, role, expires_at: expiresAt } = request.body
      const acts = actsOf(request.principal, role ?? undefined)
      const cause = await causeOf(request, freshId(), { seal: options.personal.seal, traceparent: options.traceparent() })
      const made = await createClient(options, { accountId: request.principal.userId, name, expiresAt, ...acts }, cause)
      if ('rejection' in made) throw new Refused(made.rejection)
      const { clientId, secret, position } = made
      return {
        status: 201,
        body: { client_id: clientId, client_secret: secret, name, role: acts.role ?? null, expires_at: expiresAt },
        position,
      }
    },
  })

/** How long the secret before goes on to hold: time to bring the new one to where it is used. */
const GRACE_SECONDS = 24 * 60 * 60
const GRACE_SECONDS_MAX = 30 * GRACE_SECONDS

/** Takes no idempotency key: a recorded reply would hold the secret. */
const rotate = (options: Clients): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:client_id/rotate`,
    summary: 'Give an OAuth2 client another secret, told this once; the one before holds for a while',
    tag,
    access: 'user',
    needs: 'administer',
    params: z.object({ client_id: z.uuid().toLowerCase() }),
    body: z.object({ grace_seconds: z.int().min(0).max(GRACE_SECONDS_MAX).default(GRACE_SECONDS) }).optional(),
    replies: { 200: { description: 'The new secret.', schema: Rotated } },
    handle: async (request) => {
      refuseClients(request.principal)
      const { client_id: clientId } = request.params
      const accountId = await makerOf(options, request.principal, clientId)
      // Whoever has the secret acts as its maker, so nobody else is told it.
      if (accountId !== request.principal.userId) throw forbidden('a client gets another secret from the one who made it')
      const now = options.now()
      const previousUntil = later(now, (request.body?.grace_seconds ?? GRACE_SECONDS) * 1000)
      const data = { accountId, clientId, previousUntil, now }
      const cause = await causeOf(request, freshId(), { seal: options.personal.seal, traceparent: options.traceparent() })
      const outcome = await sendToAccount(options)({ type: 'RotateClient', data }, cause)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      const secret = await options.credentials.rotate(clientId, previousUntil)
      if (secret === undefined) throw noClient()
      const body = { client_id: clientId, client_secret: secret, previous_until: previousUntil }
      return { status: 200, body, position: outcome.position }
    },
  })

const revoke = (options: Clients): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:client_id`,
    summary: 'Revoke an OAuth2 client and its tokens',
    tag,
    access: 'user',
    needs: 'administer',
    params: z.object({ client_id: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'It is revoked.', schema: z.object({}) } },
    handle: async (request) => {
      refuseClients(request.principal)
      const { client_id: clientId } = request.params
      const accountId = await makerOf(options, request.principal, clientId)
      const data = { accountId, clientId, now: options.now() }
      const cause = await causeOf(request, freshId(), { seal: options.personal.seal, traceparent: options.traceparent() })
      const outcome = await sendToAccount(options)({ type: 'RevokeClient', data }, cause)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      await options.sessions.endAllOf(clientId)
      return { status: 200, body: {}, position: outcome.position }
    },
  })

/** The OAuth2 clients of the one who is signed in. */
export const clientEndpoints = (options: Clients): readonly Endpoint[] => [
  list(options),
  create(options),
  rotate(options),
  revoke(options),
]
