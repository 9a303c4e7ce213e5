import { type Decider, type Event, reject } from '../kernel/decider.ts'
import type { Role } from '../kernel/roles.ts'
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
  About<{
    readonly clientId: string
    readonly name: Sealed
    readonly expiresAt: Instant | null
    /** In whose name it acts, if not in the account's own. */
    readonly organisationId?: string
    /** What it may at most; absent: all that the account may. */
    readonly role?: Role
  }>
>
/** It has another secret. The one before it holds until then as well. */
export type ClientRotated = Event<'ClientRotated', About<{ readonly clientId: string; readonly previousUntil: Instant }>>
export type ClientRevoked = Event<'ClientRevoked', About<{ readonly clientId: string }>>
/** It cannot be signed in to, nor used, until it is let in again; what it has goes on. The reason is an operator's words. */
export type AccountSuspended = Event<'AccountSuspended', About<{ readonly reason: Sealed }>>
export type AccountUnsuspended = Event<'AccountUnsuspended', About>
/** It is closed for ever; what is personal in it can be read until it is erased. The clients are those that were not revoked. */
export type AccountDeleted = Event<'AccountDeleted', About<{ readonly clientIds: readonly string[] }>>
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
  | AccountSuspended
  | AccountUnsuspended
  | AccountDeleted

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
    readonly organisationId?: string
    readonly role?: Role
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
export type SuspendAccount = {
  readonly type: 'SuspendAccount'
  readonly data: { readonly accountId: string; readonly reason: Sealed; readonly now: Instant }
}
export type UnsuspendAccount = {
  readonly type: 'UnsuspendAccount'
  readonly data: { readonly accountId: string; readonly now: Instant }
}
/** An operator's; whoever sends it has seen that the account has nothing any more. */
export type DeleteAccount = {
  readonly type: 'DeleteAccount'
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
  | SuspendAccount
  | UnsuspendAccount
  | DeleteAccount
export type AccountRejection =
  | 'account-erased'
  | 'account-not-found'
  | 'account-not-suspended'
  | 'client-not-found'
  | 'expiry-in-the-past'
  | 'login-taken'
  | 'no-password'

export type Account =
  | { readonly status: 'absent' }
  | {
      readonly status: 'registered' | 'deleted' | 'erased'
      readonly suspended: boolean
      readonly clients: ReadonlyMap<string, 'live' | 'revoked'>
      /** When the credentials that hold for its event stream were made. */
      readonly eventStreamSince: Instant | undefined
      readonly toConfirm: boolean
      /** Someone else vouches for him, so he has no password. */
      readonly isExternal: boolean
    }

const blank = { suspended: false, clients: new Map<string, 'live' | 'revoked'>(), eventStreamSince: undefined }

const liveClients = ({ clients }: Exclude<Account, { readonly status: 'absent' }>): readonly string[] =>
  [...clients].flatMap(([clientId, standing]) => (standing === 'live' ? [clientId] : []))

const notSuspended = () => reject('account-not-suspended', 'user not suspended')

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
      return [{ type: 'OrganisationErased', data: { ...about, clientIds: liveClients(state) } }]
    }
    if (state.status === 'erased') return reject('account-erased', 'this account is erased')
    if (type === 'DeleteAccount') {
      return state.status === 'deleted' ? [] : [{ type: 'AccountDeleted', data: { ...about, clientIds: liveClients(state) } }]
    }
    if (state.status === 'deleted') return reject('account-not-found', 'there is no such account any more')
    if (type === 'SuspendAccount') {
      return state.suspended ? [] : [{ type: 'AccountSuspended', data: { ...about, reason: data.reason } }]
    }
    if (type === 'UnsuspendAccount') {
      return state.suspended ? [{ type: 'AccountUnsuspended', data: about }] : notSuspended()
    }
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
      const { name, expiresAt, organisationId, role } = data
      const acts = { ...(organisationId === undefined ? {} : { organisationId }), ...(role === undefined ? {} : { role }) }
      return [{ type: 'ClientCreated', data: { ...about, clientId, name, expiresAt, ...acts } }]
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
      return { status: 'registered', ...blank, toConfirm, isExternal: external !== undefined }
    }
    if (state.status === 'absent') throw new Error(`BUG: ${type} before AccountRegistered`)
    if (type === 'OrganisationErased') return { ...state, status: 'erased', ...blank }
    if (type === 'AccountDeleted') return { ...state, status: 'deleted', ...blank }
    if (type === 'AccountSuspended') return { ...state, suspended: true }
    if (type === 'AccountUnsuspended') return { ...state, suspended: false }
    if (type === 'LoginConfirmed') return { ...state, toConfirm: false }
    if (type === 'PasswordChanged' || type === 'ClientRotated') return state
    if (type === 'EventStreamOpened') return { ...state, eventStreamSince: data.at }
    if (type === 'EventStreamClosed') return { ...state, eventStreamSince: undefined }
    const standing = type === 'ClientCreated' ? 'live' : 'revoked'
    return { ...state, clients: new Map([...state.clients, [data.clientId, standing]]) }
  },
}
