import type { Role } from '../../domain/kernel/roles.ts'
import type { Instant } from '../../domain/kernel/time.ts'

export type AccountView = {
  readonly accountId: string
  readonly login: string
  readonly firstName: string
  readonly lastName: string
  readonly isAdmin: boolean
  readonly suspended: boolean
  readonly createdAt: Instant
}

/** A client that is not revoked. */
export type ClientView = {
  readonly clientId: string
  readonly accountId: string
  /** In whose name it acts; null: the account's own. */
  readonly organisationId: string | null
  /** What it may at most; null: all that the account may. */
  readonly role: Role | null
  readonly name: string
  readonly createdAt: Instant
  /** Null: never. */
  readonly expiresAt: Instant | null
}

/** Who there is, as the read models tell it. */
export type Directory = {
  /** Whatever the case of the login. */
  readonly accountByLogin: (login: string) => Promise<AccountView | undefined>
  readonly accountById: (accountId: string) => Promise<AccountView | undefined>
  readonly clientById: (clientId: string) => Promise<ClientView | undefined>
  /** Oldest first. */
  readonly clientsOf: (accountId: string) => Promise<readonly ClientView[]>
}

/** Passwords and secrets, known by nothing but their hash. A subject is an account or a client. */
export type Credentials = {
  /** Keeps a password for a subject that has none; whether it had none. */
  readonly keep: (subject: string, password: string) => Promise<boolean>
  /** Makes a secret for a subject that has none, and tells it this once. */
  readonly issue: (subject: string) => Promise<string>
  /** Takes as long for an unknown subject as for a wrong password. */
  readonly verify: (subject: string | undefined, password: string) => Promise<boolean>
  /** Whoever had one has none any more. */
  readonly forget: (subjects: readonly string[]) => Promise<void>
  /** When each of the subjects was last verified; those that never were are missing. */
  readonly lastUsed: (subjects: readonly string[]) => Promise<ReadonlyMap<string, Instant>>
}

export type Session = {
  readonly accountId: string
  readonly kind: 'session' | 'token'
  /** The client a token was given to. */
  readonly clientId: string | null
  readonly expiresAt: Instant
}

/** Who is signed in. The token is told once, and kept as a hash. */
export type Sessions = {
  readonly open: (session: Session) => Promise<string>
  /** Undefined for a token that is unknown, ended or over. */
  readonly find: (token: string) => Promise<Session | undefined>
  readonly end: (token: string) => Promise<void>
  /** Ends all tokens of a client, or all sessions and tokens of an account. */
  readonly endAllOf: (subject: string) => Promise<void>
}

/** Holds guessing back. */
export type Attempts = {
  /** Counts an attempt before it is made; how many seconds to wait instead, if there were too many. */
  readonly begin: (who: string, address: string) => Promise<number | undefined>
  /** The attempt was right: those before it are forgotten. */
  readonly succeed: (who: string, address: string) => Promise<void>
}
