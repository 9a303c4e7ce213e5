import type { Host } from '../host.ts'
import type { FirstLease, Lease, Session } from './session.ts'

export { leaseUntil } from '../../domain/failover/lease.ts'
export type { Lease, Look, Session } from './session.ts'

export type Role = 'primary' | 'replica'

/** What an engine's probe saw. `down`: no server answers; the machine may be well. */
export type Health = {
  readonly role: Role | 'down'
  readonly readOnly: boolean
  /** How far a replica is behind what it has been sent, in bytes; null on a primary or when unknown. */
  readonly lagBytes: number | null
  /** Replicas that stream from this node, by name. */
  readonly streaming: readonly string[]
  /** Settings of the server that are not what they were made, by name; absent: none. */
  readonly drifted?: readonly string[]
  /** How much log it has written, or a replica received, in bytes from the beginning of time; below 2^53. */
  readonly positionBytes?: number | null
  /** Counted up with every promotion. */
  readonly timeline?: number | null
  /** How old what a replica has replayed last is, in seconds; null on a primary or when unknown. */
  readonly lagSeconds?: number | null
}

/** A member of a datastore as the engine sees it. */
export type Member = {
  readonly nodeId: string
  /** `db-xxxxx`, unique in the datastore; used as the replication slot's and application's name. */
  readonly name: string
  /** The name in the certificate. */
  readonly hostname: string
  readonly address: string
  readonly port: number
}

export type Certificate = { readonly certificatePem: string; readonly keyPem: string; readonly authorityPem: string }

export type NodeContext = {
  readonly host: Host
  readonly member: Member
  /** All members, this one included; from it the engine knows whom to let in. */
  readonly members: readonly Member[]
  readonly version: string
  readonly instance: { readonly cpu: number; readonly ramGb: number }
  /** The size of the datastore: what all members must have alike follows from it, whatever the size of each. */
  readonly common: { readonly cpu: number; readonly ramGb: number; readonly volumeGib?: number }
  /** Whether tenants may only read. */
  readonly readOnly?: boolean
  /**
   * What a primary among replicas is given as it begins to be one, by who sees to it that it is renewed from then on; absent: it
   * needs none, or is given one by somebody else.
   */
  readonly lease?: FirstLease
  /**
   * A replica that follows, and is not yet known to whoever elects: what is acknowledged must not count on it. Absent: it may
   * confirm what the primary waits for.
   */
  readonly unconfirming?: true
  /** Whether nothing is acknowledged before one of the other members has it on its disk, too. */
  readonly synchronous?: boolean
  /** What the tenant has chosen of the server's parameters. What the engine sets itself goes before it. */
  readonly parameters: Readonly<Record<string, string>>
  readonly certificate: Certificate
  readonly secrets: EngineSecrets
  /** The only ranges of addresses that clients may come from (`10.0.0.0/24`); undefined: from anywhere. */
  readonly trusted: readonly string[] | undefined
  /** Ends the verb early: its deadline has passed. */
  readonly signal: AbortSignal
  /** A line for the job's log. */
  readonly note: (line: string) => void
  /** How much is done, measured, and a line that says it; told often, for work whose length depends on the data. */
  readonly progress: (figure: number, line: string) => void
}

/** A node to look at or to give a signal to: nothing sealed is opened for that. */
export type ReachedNode = Omit<NodeContext, 'certificate' | 'secrets' | 'trusted'>

/** Passwords of the engine's own accounts, opened for the time of one verb. Never logged, never in argv. */
export type EngineSecrets = {
  readonly superuserPassword: string
  readonly replicationPassword: string
}

export type Account = { readonly username: string; readonly password: string; readonly database: string }

/** A database beside the first one. `mark` tells what was made here from what somebody made by himself. */
export type MadeDatabase = { readonly name: string; readonly owner: string; readonly mark: string }

/** A user as he is to be, with his passwords opened for the time of one verb. */
export type MadeUser = {
  readonly name: string
  /** The other name that may hold for him: whoever comes under it is he. */
  readonly second: string
  /** An administrator whose rights he has as well, and makes users and databases; null: he has only his own. */
  readonly as: string | null
  readonly administrator: string
  /** Each privilege holds what those before it hold: read, write, ddl, all. Also of tables to come. */
  readonly grants: readonly { readonly database: string; readonly privilege: 'read' | 'write' | 'ddl' | 'all' }[]
  /** What holds for him; a name that is not here lets nobody in. `until`: an instant, or null. */
  readonly logins: readonly { readonly slot: 'first' | 'second'; readonly password: string; readonly until: string | null }[]
  readonly mark: string
}

/** What a server says of its databases and users. Our own are left out. */
export type Inhabitants = {
  readonly databases: readonly {
    readonly name: string
    readonly owner: string
    readonly sizeBytes: number
    /** Null where they could not be counted. */
    readonly tables: number | null
  }[]
  readonly users: readonly {
    readonly name: string
    /** For people: what he may do everywhere, then for each database what he may do there. */
    readonly grants: string
    readonly authPlugin: string
  }[]
}

/** Where and as whom somebody connects; names and passwords may hold anything. */
export type ConnectionTarget = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Undefined where it is not to be shown: it is then left out, or read from the environment. */
  readonly password: string | undefined
}

/** How one client, driver or language is told to connect. */
export type ConnectionString = { readonly name: string; readonly language: string; readonly text: string }

/** Where a replica stands that receives nothing more. */
export type Standing = { readonly positionBytes: number; readonly timeline: number }

/**
 * What makes a machine a database. Every verb looks first, acts, waits until the effect is observable,
 * and may be called again.
 */
export type Engine = {
  readonly name: string
  /** Where tenants connect. */
  readonly port: number
  readonly versions: readonly string[]
  readonly capabilities: ReadonlySet<'streaming-replication' | 'synchronous-replication' | 'point-in-time-recovery'>
  /** Puts the software and the certificates in place (what cloud-init does on a VM). */
  readonly install: (node: NodeContext) => Promise<void>
  /** The first member of a datastore, running and taking writes. */
  readonly bootstrap: (node: NodeContext) => Promise<void>
  /** A replica of `primary`, running and streaming. Its leftovers from an interrupted attempt are cleared first. */
  readonly join: (node: NodeContext, primary: Member) => Promise<void>
  /**
   * Brings a member that runs up to date: lets in the members there are and nobody else, follows `primary` unless it is
   * that itself, and takes writes from tenants or does not. No connection is cut.
   */
  readonly configure: (node: NodeContext, primary: Member) => Promise<void>
  /** Ends the sessions that are writing on a primary which has become read-only. */
  readonly endWriters: (node: ReachedNode) => Promise<void>
  /**
   * Has a member take over the tenant's parameters as they are in `node`, and no others. Nothing is started anew that need not
   * be, and nothing is touched when the server refuses them beforehand.
   *
   * @param options.restart whether the server may be started anew for those that take it; else they wait for the next start
   * @throws CannotServe when the server refuses them, or does not start with them
   */
  readonly applyParameters: (
    node: NodeContext,
    primary: Member,
    options: { readonly restart: boolean },
  ) => Promise<void>
  /**
   * Lets clients in from the trusted sources alone, and ends the sessions of all others; members are not concerned. A
   * server that does not run is not started.
   */
  readonly setTrusted: (node: ReachedNode & Pick<NodeContext, 'trusted'>) => Promise<void>
  /** The tenant's first database and its administrator, on the primary. */
  readonly createAccount: (node: ReachedNode, account: Account) => Promise<void>
  /** Gives a user who is there another password. */
  readonly setPassword: (node: ReachedNode, account: Pick<Account, 'username' | 'password'>) => Promise<void>
  /** @throws CannotServe when somebody else made one of this name, or there is no such owner */
  readonly putDatabase: (node: ReachedNode, database: MadeDatabase) => Promise<void>
  /** Removes what was made under this mark, and nothing else. */
  readonly unmakeDatabase: (node: ReachedNode, database: MadeDatabase) => Promise<void>
  /** Lets nobody in any more, and ends the sessions that do not end by themselves. */
  readonly closeDatabase: (node: ReachedNode, name: string) => Promise<void>
  readonly openDatabase: (node: ReachedNode, name: string) => Promise<void>
  readonly dropDatabase: (node: ReachedNode, name: string) => Promise<void>
  /** @throws CannotServe when somebody else made one of this name, or a database that is granted is not there */
  readonly putUser: (node: ReachedNode, user: MadeUser) => Promise<void>
  readonly unmakeUser: (node: ReachedNode, user: Omit<MadeUser, 'logins'>) => Promise<void>
  /** Ends the sessions of these names and removes them; what they own becomes the heir's. */
  readonly dropUser: (node: ReachedNode, leaving: { readonly logins: readonly string[]; readonly heir: string }) => Promise<void>
  /** For clients of every kind, always over TLS with the server's name checked against the authority in `ca.pem`. */
  readonly connections: (target: ConnectionTarget) => readonly ConnectionString[]
  readonly inhabitants: (node: ReachedNode) => Promise<Inhabitants>
  readonly probe: (node: ReachedNode) => Promise<Health>
  /**
   * Waits until a replica has received all that `former` has written, a primary that was stopped cleanly.
   *
   * @throws CannotServe when it never will, or `former` was not stopped cleanly
   */
  readonly catchUp: (node: ReachedNode, former: ReachedNode) => Promise<void>
  /**
   * Makes a replica the primary and waits until it takes writes.
   *
   * @returns how much log it had when it became one, last, in bytes; null: it has always been one
   */
  readonly promote: (node: ReachedNode) => Promise<{ readonly heldBytes: number | null }>
  /**
   * Makes a replica of `primary` of a member that was the primary and was stopped cleanly, with the data it has; waits
   * until it streams.
   */
  readonly follow: (node: NodeContext, primary: Member) => Promise<void>
  /**
   * Ends the server's processes at once, frozen ones too, and leaves a mark, first and for good: whoever starts it, it takes no
   * writes until it has been rejoined or unfenced. Quick: nothing is asked of the server.
   */
  readonly fence: (node: ReachedNode) => Promise<void>
  /** Takes the mark away, and starts the server as what it was. */
  readonly unfence: (node: ReachedNode) => Promise<void>
  /**
   * Has a replica stop receiving from anybody, so that its position is final and nobody gets replies from it, until it is
   * configured again.
   */
  readonly standing: (node: ReachedNode) => Promise<Standing>
  /**
   * Asked on a replica's machine: whether the primary answers it, within about a second, and how much the replica has received.
   *
   * @throws when the replica does not answer itself
   */
  readonly hears: (node: ReachedNode, primary: Member) => Promise<{ readonly answers: boolean; readonly receivedBytes: number }>
  /**
   * Makes a replica of `primary` of whatever the machine holds, running and streaming: nothing, a replica, a former primary that
   * was fenced or ended anyhow. What it has that the primary has not is gone. A fence is lifted.
   *
   * @param known resolves once everybody who elects knows of the replica; until then it follows, but confirms nothing
   * @returns what became of its data: kept, taken back to where they parted, or copied from the primary
   */
  readonly rejoin: (
    node: NodeContext,
    primary: ReachedNode,
    known?: () => Promise<void>,
  ) => Promise<'as-it-was' | 'rewound' | 'copied'>
  /**
   * Opens a way of looking at the node often. It is made good by itself when it breaks, and must be closed; it goes on for as
   * long as the node's signal.
   */
  readonly session: (node: ReachedNode) => Session
  /**
   * Has the machine end its server by itself, once it is a primary whose lease is not renewed in time. Gives no time itself but
   * to a primary that runs and never had a lease. Null: it needs no lease any more.
   */
  readonly keepLease: (node: ReachedNode, lease: Lease | null) => Promise<void>
  /** Ends the server cleanly; it stays down after a boot. */
  readonly stop: (node: ReachedNode) => Promise<void>
  readonly start: (node: ReachedNode) => Promise<void>
  /** Forgets a member on the primary (its replication slot), so that nothing is kept for it. */
  readonly forget: (node: ReachedNode, member: Member) => Promise<void>
  /** Ends the server at once and removes its data. */
  readonly erase: (host: Host) => Promise<void>
}

/**
 * A request the engine can never fulfil, however often it is repeated (a version that the machine has not, a reserved
 * name). The message is in words a tenant understands. Everything else is worth a retry.
 */
export class CannotServe extends Error {
  override readonly name = 'CannotServe'
}
