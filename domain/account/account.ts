import { type Decider, type Event, reject } from '../kernel/decider.ts'
import type { Sealed } from '../kernel/sealed.ts'
import { type Instant, reached } from '../kernel/time.ts'

type About<Data extends object = object> = Data & { readonly accountId: string; readonly at: Instant }

export type AccountRegistered = Event<
  'AccountRegistered',
  About<{ readonly login: Sealed; readonly firstName: Sealed; readonly lastName: Sealed; readonly isAdmin: boolean }>
>
/** OAuth2 client credentials; the secret itself is kept, hashed, by the authentication service. */
export type ClientCreated = Event<
  'ClientCreated',
  About<{ readonly clientId: string; readonly name: Sealed; readonly expiresAt: Instant | null }>
>
export type ClientRevoked = Event<'ClientRevoked', About<{ readonly clientId: string }>>
/** Credentials for the stream of its public events were made; those before them hold no more. The password is nowhere here. */
export type EventStreamOpened = Event<'EventStreamOpened', About>
export type EventStreamClosed = Event<'EventStreamClosed', About>
/** The account is closed for ever, and its key is to be destroyed. The clients are those that were not revoked. */
export type OrganisationErased = Event<'OrganisationErased', About<{ readonly clientIds: readonly string[] }>>
export type AccountEvent =
  | AccountRegistered
  | ClientCreated
  | ClientRevoked
  | EventStreamOpened
  | EventStreamClosed
  | OrganisationErased

export type RegisterAccount = {
  readonly type: 'RegisterAccount'
  readonly data: {
    readonly accountId: string
    readonly login: Sealed
    readonly firstName: Sealed
    readonly lastName: Sealed
    readonly isAdmin: boolean
    readonly now: Instant
  }
}
export type CreateClient = {
  readonly type: 'CreateClient'
  readonly data: {
    readonly accountId: string
    readonly clientId: string
    readonly name: Sealed
    readonly expiresAt: Instant | null
    readonly now: Instant
  }
}
export type RevokeClient = {
  readonly type: 'RevokeClient'
  readonly data: { readonly accountId: string; readonly clientId: string; readonly now: Instant }
}
export type OpenEventStream = {
  readonly type: 'OpenEventStream'
  readonly data: { readonly accountId: string; readonly now: Instant }
}
export type CloseEventStream = {
  readonly type: 'CloseEventStream'
  readonly data: { readonly accountId: string; readonly now: Instant }
}
/** An operator's; whoever sends it has seen that nothing of the organisation is at work any more. */
export type EraseOrganisation = {
  readonly type: 'EraseOrganisation'
  readonly data: { readonly accountId: string; readonly now: Instant }
}
export type AccountCommand =
  | RegisterAccount
  | CreateClient
  | RevokeClient
  | OpenEventStream
  | CloseEventStream
  | EraseOrganisation
export type AccountRejection = 'login-taken' | 'account-not-found' | 'account-erased' | 'client-not-found' | 'expiry-in-the-past'

export type Account =
  | { readonly status: 'absent' }
  | {
      readonly status: 'registered' | 'erased'
      readonly clients: ReadonlyMap<string, 'live' | 'revoked'>
      /** When the credentials that hold for its event stream were made. */
      readonly eventStreamSince: Instant | undefined
    }

/**
 * Someone who may sign in: the owner of datastores, or an operator. The stream's id is derived from the login, so a login
 * is unique.
 */
export const account: Decider<AccountCommand, AccountEvent, Account, AccountRejection> = {
  initial: { status: 'absent' },

  decide({ type, data }, state) {
    const about = { accountId: data.accountId, at: data.now }
    if (type === 'RegisterAccount') {
      if (state.status !== 'absent') return reject('login-taken', 'this login is taken')
      const { login, firstName, lastName, isAdmin } = data
      return [{ type: 'AccountRegistered', data: { ...about, login, firstName, lastName, isAdmin } }]
    }
    if (state.status === 'absent') return reject('account-not-found', 'there is no such account')
    if (type === 'EraseOrganisation') {
      if (state.status === 'erased') return []
      const clientIds = [...state.clients].flatMap(([clientId, standing]) => (standing === 'live' ? [clientId] : []))
      return [{ type: 'OrganisationErased', data: { ...about, clientIds } }]
    }
    if (state.status === 'erased') return reject('account-erased', 'this account is erased')
    if (type === 'OpenEventStream') return [{ type: 'EventStreamOpened', data: about }]
    if (type === 'CloseEventStream') {
      return state.eventStreamSince === undefined ? [] : [{ type: 'EventStreamClosed', data: about }]
    }
    const { clientId } = data
    const known = state.clients.get(clientId)
    if (type === 'CreateClient') {
      if (known !== undefined) return []
      if (data.expiresAt !== null && reached(data.expiresAt, data.now)) {
        return reject('expiry-in-the-past', 'expires_at must lie in the future')
      }
      return [{ type: 'ClientCreated', data: { ...about, clientId, name: data.name, expiresAt: data.expiresAt } }]
    }
    if (known === undefined) return reject('client-not-found', 'there is no such client')
    return known === 'revoked' ? [] : [{ type: 'ClientRevoked', data: { ...about, clientId } }]
  },

  evolve(state, { type, data }) {
    if (type === 'AccountRegistered') return { status: 'registered', clients: new Map(), eventStreamSince: undefined }
    if (state.status === 'absent') throw new Error(`BUG: ${type} before AccountRegistered`)
    if (type === 'OrganisationErased') return { status: 'erased', clients: new Map(), eventStreamSince: undefined }
    if (type === 'EventStreamOpened') return { ...state, eventStreamSince: data.at }
    if (type === 'EventStreamClosed') return { ...state, eventStreamSince: undefined }
    const standing = type === 'ClientCreated' ? 'live' : 'revoked'
    return { ...state, clients: new Map([...state.clients, [data.clientId, standing]]) }
  },
}
