import { type Decider, type Event, reject } from '../kernel/decider.ts'
import type { Sealed } from '../kernel/sealed.ts'
import { type Instant, reached } from '../kernel/time.ts'

type About<Data extends object = object> = Data & { readonly accountId: string; readonly at: Instant }

/** Who vouches for someone that has no password here: an issuer of tokens, and whom he names. */
export type External = { readonly issuer: string; readonly subject: Sealed }

/** Who registers, and on what terms. */
export type Person = {
  readonly login: Sealed
  readonly firstName: Sealed
  readonly lastName: Sealed
  readonly isAdmin: boolean
  /** He registered himself, and nobody knows yet whether the login is his. */
  readonly toConfirm?: true
  readonly external?: External
  /** The terms that he accepted, by name. */
  readonly terms?: readonly string[]
}

export type AccountRegistered = Event<'AccountRegistered', About<Person>>
/** The login was shown to be its owner's. */
export type LoginConfirmed = Event<'LoginConfirmed', About>
/** By one who knew the password before it, or by one who reads the mail of the login. */
export type PasswordChanged = Event<'PasswordChanged', About<{ readonly by: 'password' | 'mail' }>>
/** OAuth2 client credentials; the secret itself is kept, hashed, by the authentication service. */
export type ClientCreated = Event<
  'ClientCreated',
  About<{ readonly clientId: string; readonly name: Sealed; readonly expiresAt: Instant | null }>
>
/** It has another secret. The one before it holds until then as well. */
export type ClientRotated = Event<'ClientRotated', About<{ readonly clientId: string; readonly previousUntil: Instant }>>
export type ClientRevoked = Event<'ClientRevoked', About<{ readonly clientId: string }>>
/** Credentials for the stream of its public events were made; those before them hold no more. The password is nowhere here. */
export type EventStreamOpened = Event<'EventStreamOpened', About>
export type EventStreamClosed = Event<'EventStreamClosed', About>
/** The account is closed for ever, and its key is to be destroyed. The clients are those that were not revoked. */
export type OrganisationErased = Event<'OrganisationErased', About<{ readonly clientIds: readonly string[] }>>
export type AccountEvent =
  | AccountRegistered
  | LoginConfirmed
  | PasswordChanged
  | ClientCreated
  | ClientRotated
  | ClientRevoked
  | EventStreamOpened
  | EventStreamClosed
  | OrganisationErased

export type RegisterAccount = {
  readonly type: 'RegisterAccount'
  readonly data: Person & { readonly accountId: string; readonly now: Instant }
}
export type ConfirmLogin = {
  readonly type: 'ConfirmLogin'
  readonly data: { readonly accountId: string; readonly now: Instant }
}
/** Whoever sends it has seen the old password, or what was mailed. */
export type ChangePassword = {
  readonly type: 'ChangePassword'
  readonly data: { readonly accountId: string; readonly by: 'password' | 'mail'; readonly now: Instant }
}
export type RotateClient = {
  readonly type: 'RotateClient'
  readonly data: {
    readonly accountId: string
    readonly clientId: string
    readonly previousUntil: Instant
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
  | ConfirmLogin
  | ChangePassword
  | CreateClient
  | RotateClient
  | RevokeClient
  | OpenEventStream
  | CloseEventStream
  | EraseOrganisation
export type AccountRejection =
  | 'login-taken'
  | 'account-not-found'
  | 'account-erased'
  | 'client-not-found'
  | 'expiry-in-the-past'
  | 'no-password'

export type Account =
  | { readonly status: 'absent' }
  | {
      readonly status: 'registered' | 'erased'
      readonly clients: ReadonlyMap<string, 'live' | 'revoked'>
      /** When the credentials that hold for its event stream were made. */
      readonly eventStreamSince: Instant | undefined
      readonly toConfirm: boolean
      /** Someone else vouches for him, so he has no password. */
      readonly isExternal: boolean
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
      const { now, ...person } = data
      return [{ type: 'AccountRegistered', data: { ...person, at: now } }]
    }
    if (state.status === 'absent') return reject('account-not-found', 'there is no such account')
    if (type === 'EraseOrganisation') {
      if (state.status === 'erased') return []
      const clientIds = [...state.clients].flatMap(([clientId, standing]) => (standing === 'live' ? [clientId] : []))
      return [{ type: 'OrganisationErased', data: { ...about, clientIds } }]
    }
    if (state.status === 'erased') return reject('account-erased', 'this account is erased')
    if (type === 'ConfirmLogin') return state.toConfirm ? [{ type: 'LoginConfirmed', data: about }] : []
    if (type === 'ChangePassword') {
      if (state.isExternal) return reject('no-password', 'this account has no password: it signs in elsewhere')
      const changed = { type: 'PasswordChanged', data: { ...about, by: data.by } } as const
      // Whoever reads the mail of the login is its owner.
      return state.toConfirm && data.by === 'mail' ? [{ type: 'LoginConfirmed', data: about }, changed] : [changed]
    }
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
    if (type === 'RotateClient') {
      if (known !== 'live') return reject('client-not-found', 'there is no such client')
      return [{ type: 'ClientRotated', data: { ...about, clientId, previousUntil: data.previousUntil } }]
    }
    if (known === undefined) return reject('client-not-found', 'there is no such client')
    return known === 'revoked' ? [] : [{ type: 'ClientRevoked', data: { ...about, clientId } }]
  },

  evolve(state, { type, data }) {
    if (type === 'AccountRegistered') {
      const { toConfirm = false, external } = data
      const isExternal = external !== undefined
      return { status: 'registered', clients: new Map(), eventStreamSince: undefined, toConfirm, isExternal }
    }
    if (state.status === 'absent') throw new Error(`BUG: ${type} before AccountRegistered`)
    if (type === 'OrganisationErased') return { ...state, status: 'erased', clients: new Map(), eventStreamSince: undefined }
    if (type === 'LoginConfirmed') return { ...state, toConfirm: false }
    if (type === 'PasswordChanged' || type === 'ClientRotated') return state
    if (type === 'EventStreamOpened') return { ...state, eventStreamSince: data.at }
    if (type === 'EventStreamClosed') return { ...state, eventStreamSince: undefined }
    const standing = type === 'ClientCreated' ? 'live' : 'revoked'
    return { ...state, clients: new Map([...state.clients, [data.clientId, standing]]) }
  },
}
