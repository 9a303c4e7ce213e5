import type { JsonObject } from '../../domain/kernel/json.ts'
import type { Role } from '../../domain/kernel/roles.ts'
import type { Sealed } from '../../domain/kernel/sealed.ts'
import type { Instant } from '../../domain/kernel/time.ts'

export type AccountView = {
  readonly accountId: string
  readonly login: string
  readonly firstName: string
  readonly lastName: string
  readonly isAdmin: boolean
  readonly suspended: boolean
  /** He registered himself, and nobody knows yet whether the login is his. */
  readonly toConfirm: boolean
  /** What he accepted when he registered himself; null for one whom somebody else registered. */
  readonly terms: readonly string[] | null
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

/** An organisation that somebody is a member of, and what he is there. */
export type Membership = { readonly organisationId: string; readonly name: string; readonly role: Role }

/** Who there is, as the read models tell it. */
export type Directory = {
  /** Whatever the case of the login. */
  readonly accountByLogin: (login: string) => Promise<AccountView | undefined>
  readonly accountById: (accountId: string) => Promise<AccountView | undefined>
  readonly clientById: (clientId: string) => Promise<ClientView | undefined>
  /** Oldest first. */
  readonly clientsOf: (accountId: string) => Promise<readonly ClientView[]>
  /** Those that act in the name of an organisation, oldest first. */
  readonly clientsIn: (organisationId: string) => Promise<readonly ClientView[]>
  /** Oldest first. */
  readonly organisationsOf: (accountId: string) => Promise<readonly Membership[]>
}

/** Passwords and secrets, known by nothing but their hash. A subject is an account or a client. */
export type Credentials = {
  /** Keeps a password for a subject that has none; whether it had none. */
  readonly keep: (subject: string, password: string) => Promise<boolean>
  /** Makes a secret for a subject that has none, and tells it this once. */
  readonly issue: (subject: string) => Promise<string>
  /** Takes as long for an unknown subject as for a wrong password. */
  readonly verify: (subject: string | undefined, password: string) => Promise<boolean>
  /**
   * Sets an account's password, and ends what the old one had opened: its other sessions; or, where it is set by what was
   * mailed, all of its sessions and tokens.
   *
   * @param how.spending what was mailed, used up with it
   * @param how.keeping the id of the session that stays
   * @returns false when what was mailed is used up or over; nothing is done then
   */
  readonly set: (
    accountId: string,
    password: string,
    how: { readonly spending?: string | undefined; readonly keeping?: string | undefined },
  ) => Promise<boolean>
  /** Makes another secret for a subject that has one, which holds until then as well; undefined for one that has none. */
  readonly rotate: (subject: string, previousUntil: Instant) => Promise<string | undefined>
  /** Whoever had one has none any more, nor what was mailed to get one. */
  readonly forget: (subjects: readonly string[]) => Promise<void>
  /** When each of the subjects was last verified; those that never were are missing. */
  readonly lastUsed: (subjects: readonly string[]) => Promise<ReadonlyMap<string, Instant>>
}

export type Session = {
  readonly sessionId: string
  readonly accountId: string
  readonly kind: 'session' | 'token'
  /** The client a token was given to. */
  readonly clientId: string | null
  readonly expiresAt: Instant
}

export type NewSession = Omit<Session, 'sessionId'> & {
  /** If it was chosen. */
  readonly sessionId?: string
  /** The network address that asked for it, and with what program. */
  readonly from?: { readonly address: Sealed; readonly agent: Sealed | null }
}

/** A session as its owner sees it; what is personal is sealed. */
export type SessionView = {
  readonly sessionId: string
  readonly address: string | null
  readonly agent: string | null
  readonly createdAt: Instant
  /** To the minute. */
  readonly lastSeenAt: Instant
  readonly expiresAt: Instant
}

/** Who is signed in. The token is told once, and kept as a hash. */
export type Sessions = {
  readonly open: (session: NewSession) => Promise<string>
  /** Undefined for a token that is unknown, ended or over. */
  readonly find: (token: string) => Promise<Session | undefined>
  /** Without the tokens of clients; newest first. */
  readonly listOf: (accountId: string) => Promise<readonly SessionView[]>
  readonly end: (token: string) => Promise<void>
  /** Whether the account had such a session. */
  readonly endOne: (accountId: string, sessionId: string) => Promise<boolean>
  /** Ends the sessions of an account, without the tokens of its clients; how many. */
  readonly endOthers: (accountId: string, keepId: string | undefined) => Promise<number>
  /** Ends all tokens of a client, or all sessions and tokens of an account. */
  readonly endAllOf: (subject: string) => Promise<void>
}

/** What is sent by mail to show that whoever has it reads the mail; kept as a hash, and over after a while. */
export type MailTokens = {
  /** @param lifeMs in milliseconds */
  readonly issue: (accountId: string, purpose: 'confirm' | 'reset', lifeMs: number) => Promise<string>
  readonly accountOf: (token: string, purpose: 'confirm' | 'reset') => Promise<string | undefined>
  readonly spend: (token: string) => Promise<void>
}

/** What is asked for without a password, and only so often. */
export type ThrottledCall =
  | 'register-from-address'
  | 'reset-from-address'
  | 'reset-of-login'
  | 'confirm-of-account'
  | 'mail-token-from-address'

export type Throttle = {
  /** How many seconds to wait instead, if it was asked for too often. */
  readonly take: (call: ThrottledCall, whose: string) => Promise<number | undefined>
}

/** A token of an issuer, by the name that the issuer gave it. */
export type JwtName = { readonly issuer: string; readonly jti: string }

/** What a token says that was verified. */
export type JwtClaims = JwtName & {
  /** Whom it is for, by the issuer's name for him. */
  readonly subject: string
  readonly issuedAt: Instant
  readonly expiresAt: Instant
  readonly all: JsonObject
}

export type JwtIssuers = {
  /**
   * Undefined for a token that does not hold, or whose issuer is none of ours; `unreachable` while its issuer's keys cannot
   * be had.
   *
   * @param options.evenIfOver whether one passes whose time is over
   */
  readonly verify: (
    presented: { readonly issuer: string; readonly jwt: string },
    options?: { readonly evenIfOver?: boolean },
  ) => Promise<JwtClaims | 'unreachable' | undefined>
}

/** Which tokens of issuers have opened a session here. */
export type JwtLogins = {
  /** Claims a token for a session that is about to be opened; whether nobody had. */
  readonly claim: (name: JwtName, sessionId: string, keepUntil: Instant) => Promise<boolean>
  /** `over`: it was signed out, or the session that it opened has ended. */
  readonly standing: (name: JwtName) => Promise<'unused' | 'over' | { readonly sessionId: string }>
  /** Ends the session of a token, and sees to it that it never opens one. */
  readonly end: (name: JwtName, keepUntil: Instant) => Promise<void>
}

/** Holds guessing back. */
export type Attempts = {
  /** Counts an attempt before it is made; how many seconds to wait instead, if there were too many. */
  readonly begin: (who: string, address: string) => Promise<number | undefined>
  /** The attempt was right: those before it are forgotten. */
  readonly succeed: (who: string, address: string) => Promise<void>
}
