import { z } from 'zod'
import { type Account, account, type AccountEvent } from '../domain/account/account.ts'
import type { Command, Event } from '../domain/kernel/decider.ts'
import { type Endpoint, endpoint, Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { EventStore, Position } from '../domain/kernel/event-store.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import { forbidden } from './auth/refusals.ts'
import { causeOf } from './cause.ts'
import { fold, handle, type Send } from './handle.ts'
import { freshId } from './ids.ts'

/** The users of the event store. */
export type StreamUsers = {
  /** Whether it tells users apart at all. */
  readonly distinguishes: boolean
  /** Whether streams are closed to those to whom they are not granted. */
  readonly reserve: () => Promise<boolean>
  readonly ensureUser: (user: {
    readonly login: string
    readonly password: string
    readonly groups: readonly string[]
  }) => Promise<void>
  readonly removeUser: (login: string) => Promise<void>
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

export type Integration = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly users: StreamUsers
  readonly personal: PersonalData
  /** The name of an organisation's stream, which is its user's login as well. */
  readonly streamOf: (organisationId: string) => string
  readonly place: EventStreamPlace
  readonly newPassword: () => string
  readonly now: () => Instant
  readonly traceparent: () => string | undefined
  /** Put around the sending of commands, to count and trace them. */
  readonly around?: <C extends Command, E extends Event, S, Code extends string>(
    send: Send<C, E, S, Code>,
  ) => Send<C, E, S, Code>
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

/** The credentials of an organisation for the stream of its public events in the event store. */
export const integrationEndpoints = (options: Integration): readonly Endpoint[] => {
  const { store, users, personal, streamOf, place, newPassword, now, traceparent, around = (send) => send } = options
  const sending = around(handle({ store }, account, ({ data }) => `account-${data.accountId}`))

  const send = async (
    request: Request<unknown, unknown, unknown>,
    type: 'OpenEventStream' | 'CloseEventStream',
  ): Promise<{ readonly at: Instant; readonly position: Position | undefined }> => {
    const data = { accountId: request.principal.ownerId, now: now() }
    const cause = await causeOf(request, freshId(), { seal: personal.seal, traceparent: traceparent() })
    const outcome = await sending({ type, data }, cause)
    if ('rejection' in outcome) throw new Refused(outcome.rejection)
    return { at: data.now, position: outcome.position }
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
    replies: { 201: { description: 'The credentials. They read this one stream and nothing else.', schema: credentials } },
    handle: async (request) => {
      refuseClients(request)
      await requireUsers()
      const stream = streamOf(request.principal.ownerId)
      // The event first: what can be used is always known of.
      const { at, position } = await send(request, 'OpenEventStream')
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
    handle: async ({ principal: { ownerId } }) => {
      const { state } = await fold<AccountEvent, Account>({ store }, account, `account-${ownerId}`)
      const since = state.status === 'absent' ? undefined : state.eventStreamSince
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
    replies: {
      200: { description: 'Nobody reads the stream any more; it goes on when it is opened again.', schema: z.object({}) },
    },
    handle: async (request) => {
      refuseClients(request)
      // The user first: what is said to have ended has ended.
      if (users.distinguishes) await users.removeUser(streamOf(request.principal.ownerId))
      const { position } = await send(request, 'CloseEventStream')
      return { status: 200, body: {}, position }
    },
  })
  return [open, look, close]
}
