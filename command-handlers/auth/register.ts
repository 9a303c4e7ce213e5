import {
  account,
  type Account,
  type AccountCommand,
  type AccountEvent,
  type AccountRejection,
} from '../../domain/account/account.ts'
import { reject, type Rejection } from '../../domain/kernel/decider.ts'
import type { Actor, Cause, EventStore, Position } from '../../domain/kernel/event-store.ts'
import type { Role } from '../../domain/kernel/roles.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { fold, handle } from '../handle.ts'
import { accountIdOf, freshId } from '../ids.ts'
import type { Credentials } from './ports.ts'

export type Registry = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly credentials: Pick<Credentials, 'keep' | 'issue'>
  readonly personal: Pick<PersonalData, 'seal'>
  readonly now: () => Instant
}

type Refusal = { readonly rejection: Rejection<AccountRejection> }

/** Carries a command to an account's stream. */
export const sendToAccount = ({ store }: Pick<Registry, 'store'>) =>
  handle({ store }, account, ({ data }: AccountCommand) => `account-${data.accountId}`)

/** The cause of what is done without a request. */
export const causeBy = (actor: Actor, organisationId: string): Cause => {
  const commandId = freshId()
  return { commandId, correlationId: commandId, causationId: commandId, actor, organisationId }
}

export type NewAccount = {
  readonly login: string
  readonly password: string
  readonly firstName: string
  readonly lastName: string
  readonly isAdmin: boolean
  /** He registers himself, and nobody knows yet whether the login is his. */
  readonly toConfirm?: true
  /** What he accepted by it. */
  readonly terms?: readonly string[]
}

/** Where an account came to be that may have a password; undefined for one that may not. */
const openSince = async ({ store }: Pick<Registry, 'store'>, accountId: string): Promise<Position | undefined> => {
  const { state, position } = await fold<AccountEvent, Account>({ store }, account, `account-${accountId}`)
  return state.status === 'registered' && !state.isExternal ? position : undefined
}

/**
 * Registers an account: the event first, then the password. An account whose password was never kept, because something
 * ended this in between, gets it now.
 *
 * @param by who registers it
 * @returns the account's id, or `login-taken` when it exists and has a password
 */
export const registerAccount = async (
  { store, credentials, personal, now }: Registry,
  { login, password, firstName, lastName, ...rest }: NewAccount,
  by: Actor | 'himself',
): Promise<Refusal | { readonly accountId: string; readonly position: Position | undefined }> => {
  const accountId = accountIdOf(login)
  const sealed = (text: string) => personal.seal(accountId, text)
  const data = {
    accountId,
    login: await sealed(login.trim().normalize('NFC')),
    firstName: await sealed(firstName),
    lastName: await sealed(lastName),
    ...rest,
    now: now(),
  }
  const actor: Actor = by === 'himself' ? { kind: 'user', id: accountId, role: 'owner' } : by
  const outcome = await sendToAccount({ store })({ type: 'RegisterAccount', data }, causeBy(actor, accountId))
  // One that was closed has no password either, and gets none.
  const position = 'rejection' in outcome ? await openSince({ store }, accountId) : outcome.position
  if ('rejection' in outcome && position === undefined) return outcome
  // Of several at once, the account is the one's whose password is kept.
  if (!(await credentials.keep(accountId, password))) return { rejection: reject('login-taken', 'this login is taken') }
  return { accountId, position }
}

/**
 * Makes the first operator, unless he is there already; his password is then left as it is.
 *
 * @returns whether he was made
 */
export const ensureOperator = async (
  registry: Registry,
  { login, password }: { readonly login: string; readonly password: string },
): Promise<boolean> => {
  const operator = { login, password, firstName: 'Operator', lastName: '', isAdmin: true }
  const outcome = await registerAccount(registry, operator, { kind: 'system', id: 'start' })
  return !('rejection' in outcome)
}

/**
 * Makes OAuth2 client credentials for an account: the event first, then the secret.
 *
 * @param cause who asks, or why
 * @returns the client's id and its secret, which cannot be told again
 */
export const createClient = async (
  { store, credentials, personal, now }: Registry,
  {
    accountId,
    name,
    expiresAt,
    ...acts
  }: {
    readonly accountId: string
    readonly name: string
    readonly expiresAt: Instant | null
    /** In whose name it acts, if not in the account's own. */
    readonly organisationId?: string
    readonly role?: Role
  },
  cause: Cause,
): Promise<
  Refusal | { readonly clientId: string; readonly secret: string; readonly position: Position | undefined }
> => {
  const clientId = freshId()
  const sealed = await personal.seal(acts.organisationId ?? accountId, name)
  const data = { accountId, clientId, name: sealed, expiresAt, ...acts, now: now() }
  const outcome = await sendToAccount({ store })({ type: 'CreateClient', data }, cause)
  if ('rejection' in outcome) return outcome
  return { clientId, secret: await credentials.issue(clientId), position: outcome.position }
}

/** The same, for an operator at the command line. */
export const createClientFor = (
  registry: Registry,
  { login, name, expiresAt }: { readonly login: string; readonly name: string; readonly expiresAt: Instant | null },
  actor: Actor,
): ReturnType<typeof createClient> => {
  const accountId = accountIdOf(login)
  return createClient(registry, { accountId, name, expiresAt }, causeBy(actor, accountId))
}
