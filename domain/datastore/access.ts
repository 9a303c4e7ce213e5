import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'

/** A database that a tenant has made beside his first one. */
export type DatabasePlan = {
  /** Follows from the name: two of one name are one. */
  readonly databaseId: string
  readonly name: Sealed
  /** The user it belongs to; null: the datastore's administrator. */
  readonly owner: { readonly userId: string; readonly name: Sealed } | null
  /** Tells what was made here from what somebody made under the same name by himself. */
  readonly mark: string
}

/** Each holds all that those before it hold. */
export const PRIVILEGES = ['read', 'write', 'ddl', 'all'] as const
export type Privilege = (typeof PRIVILEGES)[number]

/** The id of the database that every datastore begins with. */
export const FIRST_DATABASE = 'first'

export type Grant = { readonly databaseId: string; readonly database: Sealed; readonly privilege: Privilege }

/** A name and a password that hold for a user. Of the two names that he has, at most both hold at a time. */
export type Login = {
  readonly slot: 'first' | 'second'
  /** Names what is kept in the vault. */
  readonly vaultId: string
  /** When it ceases to hold; null: not foreseen. */
  readonly until: Instant | null
}

/** A database user as the tenant wants him. */
export type UserPlan = {
  readonly userId: string
  readonly name: Sealed
  /** Under which he logs in every other time his login is renewed, so that the old and the new one hold side by side. */
  readonly second: { readonly userId: string; readonly name: Sealed }
  /** May make users and databases, and do whatever the datastore's administrator may. */
  readonly admin: boolean
  readonly grants: readonly Grant[]
  /** The last one is what he is told. */
  readonly logins: readonly Login[]
  readonly mark: string
}

/** The login that a user is told. */
export const currentLogin = ({ logins }: Pick<UserPlan, 'logins'>): Login => {
  const login = logins.at(-1)
  if (login === undefined) throw new Error('BUG: a user has a login')
  return login
}

/** The name that a login goes by. */
export const loginName = ({ name, second }: Pick<UserPlan, 'name' | 'second'>, { slot }: Pick<Login, 'slot'>): Sealed =>
  slot === 'first' ? name : second.name
