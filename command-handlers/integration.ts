import { z } from 'zod'
import { type Account, account, type AccountEvent } from '../domain/account/account.ts'
import { type Endpoint, endpoint, Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { Position } from '../domain/kernel/event-store.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { OrganisationEvent } from '../domain/organisation/messages.ts'
import { type Organisation, organisation } from '../domain/organisation/organisation.ts'
import { forbidden } from './auth/refusals.ts'
import { fold, handle } from './handle.ts'
import { freshId } from './ids.ts'
import { streamOf as organisationStream } from './organisations/membership.ts'
import { asking, type Sending } from './sending.ts'

/** The users of the event store. */
export type StreamUsers = {
  /** Whether the store tells users apart on this connection: without TLS and credentials it does not. */
  readonly distinguishes: boolean
  /**
   * Keeps streams that say nothing themselves to administrators and the user of this connection, unless the store's
   * settings say something else already.
   *
   * @returns whether such streams are closed to everybody else
   */
  readonly reserve: () => Promise<boolean>
  /** Makes the user, or gives the one there is this password and these groups, and lets him in again. */
  readonly ensureUser: (user: {
    readonly login: string
    readonly password: string
    readonly groups: readonly string[]
  }) => Promise<void>
  /** Removes the user, if there. */
  readonly removeUser: (login: string) => Promise<void>
  /** Lets these logins and groups, beside administrators, read a stream, and nobody else do anything with it. */
  readonly grantRead: (stream: string, logins: readonly string[]) => Promise<void>
}

/** Where an integrator reaches the event store. */
export type EventStreamPlace = {
  /** `esdb:` or `esdb+discover:` */
  readonly scheme: string
  /** With its port. */
  readonly host: string
  /** Null when its certificate is one that everybody knows. */
  readonly authorityPem: string | null
}

export type Integration = Sending & {
  readonly users: StreamUsers
  /** The name of an organisation's stream, which is its user's login as well. */
  readonly streamOf: (organisationId: string) => string
  readonly place: EventStreamPlace
  readonly newPassword: () => string
}

export type IntegrationRejection = 'event-stream-not-open' | 'event-stream-unavailable'

const PATH = '/api/v1/event-stream/credentials'
/** Under this name the connection string looks for the authority's certificate. */
const CA_FILE = 'event-store-ca.pem'
const tag = 'Events'

const opened = z.object({ login: z.string(), stream: z.string(), created_at: z.iso.datetime() })
const credentials = opened.extend({
  password: z.string().describe('Told this once.'),
  connection_string: z.string().describe(`For an EventStoreDB client. It looks for \`${CA_FILE}\` where there is a \`ca\`.`),
  ca: z.string().nullable().describe("The certificate of the authority that signed the event store's, in PEM."),
})

/** A token that leaked must not be able to make credentials that outlive it. */
const refuseClients = ({ principal }: Request<unknown, unknown, unknown>): void => {
  if (principal.kind === 'client') throw forbidden('credentials for the event stream are made by users, not by clients')
}

const unavailable = (because: string): Refused =>
  new Refused({ rejected: 'event-stream-unavailable' satisfies IntegrationRejection, because })

type Store = Integration['store']

const accountSince = async (store: Store, accountId: string): Promise<Instant | undefined> => {
  const { state } = await fold<AccountEvent, Account>({ store }, account, `account-${accountId}`)
  return state.status === 'absent' ? undefined : state.eventStreamSince
}

const organisationSince = async (store: Store, organisationId: string): Promise<Instant | undefined> => {
  const stream = organisationStream(organisationId)
  const { state } = await fold<OrganisationEvent, Organisation>({ store }, organisation, stream)
  return state.status === 'live' ? state.eventStreamSince : undefined
}

/** The credentials of an organisation for the stream of its public events in the event store. */
export const integrationEndpoints = (options: Integration): readonly Endpoint[] => {
  const { store, users, streamOf, place, newPassword, now, around = (send) => send } = options
  const { cause } = asking(options)
  const toAccount = around(handle({ store }, account, ({ data }) => `account-${data.accountId}`))
  const toOrganisation = around(handle({ store }, organisation, ({ data }) => organisationStream(data.organisationId)))

  const send = async (
    request: Request<unknown, unknown, unknown>,
    does: 'Open' | 'Close',
  ): Promise<{ readonly at: Instant; readonly position: Position | undefined }> => {
    const { principal: { ownerId, userId } } = request
    const [at, because] = [now(), await cause(request, freshId())]
    const outcome =
      ownerId === userId
        ? await toAccount({ type: `${does}EventStream`, data: { accountId: ownerId, now: at } }, because)
        : await toOrganisation({ type: `${does}OrganisationStream`, data: { organisationId: ownerId, now: at } }, because)
    if ('rejection' in outcome) throw new Refused(outcome.rejection)
    return { at, position: outcome.position }
  }
  const connectionString = (login: string, password: string): string => {
    const authority = place.authorityPem === null ? '' : `&tlsCaFile=${CA_FILE}`
    return `${place.scheme}//${login}:${encodeURIComponent(password)}@${place.host}?tls=true${authority}`
  }
  const requireUsers = async (): Promise<void> => {
    if (!users.distinguishes) throw unavailable('the event store of this installation has no users')
    if (!(await users.reserve())) throw unavailable('the event store of this installation lets every user read everything')
  }

  const open = endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Make credentials for the stream of your events; those before them hold no more',
    tag,
    access: 'user',
    needs: 'administer',
    replies: { 201: { description: 'The credentials. They read this one stream and nothing else.', schema: credentials } },
    handle: async (request) => {
      refuseClients(request)
      await requireUsers()
      const stream = streamOf(request.principal.ownerId)
      // The event first: what can be used is always known of.
      const { at, position } = await send(request, 'Open')
      const password = newPassword()
      await users.grantRead(stream, [stream])
      await users.ensureUser({ login: stream, password, groups: [] })
      const body = {
        login: stream,
        stream,
        created_at: at,
        password,
        connection_string: connectionString(stream, password),
        ca: place.authorityPem,
      }
      return { status: 201, body, position }
    },
  })

  const look = endpoint({
    method: 'GET',
    path: PATH,
    summary: 'See whether there are credentials for the stream of your events',
    tag,
    access: 'user',
    replies: { 200: { description: 'There are.', schema: opened } },
    handle: async ({ principal: { ownerId, userId } }) => {
      const since = ownerId === userId ? await accountSince(store, ownerId) : await organisationSince(store, ownerId)
      if (since === undefined) {
        const rejected = 'event-stream-not-open' satisfies IntegrationRejection
        throw new Refused({ rejected, because: 'there are no credentials for the stream of events' })
      }
      const stream = streamOf(ownerId)
      return { status: 200, body: { login: stream, stream, created_at: since } }
    },
  })

  const close = endpoint({
    method: 'DELETE',
    path: PATH,
    summary: 'Take the credentials for the stream of your events back',
    tag,
    access: 'user',
    needs: 'administer',
    replies: {
      200: { description: 'Nobody reads the stream any more; it goes on when it is opened again.', schema: z.object({}) },
    },
    handle: async (request) => {
      refuseClients(request)
      // The user first: what is said to have ended has ended.
      if (users.distinguishes) await users.removeUser(streamOf(request.principal.ownerId))
      const { position } = await send(request, 'Close')
      return { status: 200, body: {}, position }
    },
  })
  return [open, look, close]
}
