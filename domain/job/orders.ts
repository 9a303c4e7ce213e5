import type { ParameterValues } from '../catalogue/parameters.ts'
import type { Sealed } from '../kernel/sealed.ts'
import { type Instant, later } from '../kernel/time.ts'

export type Instance = { readonly code: string; readonly cpu: number; readonly ramGb: number }

/** A node as the controller must know it to reach it and to set it up. */
export type NodeRef = {
  readonly nodeId: string
  readonly name: string
  readonly hostname: string
  readonly provider: string
  readonly address: string
  readonly port: number
  readonly instance: Instance
  /** Where its machine stands. Absent in orders of long ago, and where nobody asks for it. */
  readonly zone?: string
}

/** What a datastore gives up when it cannot have both: a transaction that may be lost, or the writes of a while. */
export type Prefer = 'consistency' | 'availability'

/** The datastore as the controller must know it. */
export type ClusterRef = {
  readonly datastoreId: string
  readonly ownerId: string
  readonly engine: string
  readonly version: string
  /** The size of the datastore: what all its members must have alike follows from it. Absent in orders of long ago. */
  readonly instance?: Instance
  /** How large each volume is, in GiB. Absent in orders of long ago. */
  readonly volumeGib?: number
  readonly nodes: readonly NodeRef[]
  /** Its tenants may read and not write. */
  readonly readOnly?: boolean
  /** What the tenant has chosen of the servers' parameters; absent: nothing. */
  readonly parameters?: ParameterValues
  /** Where clients may connect from, as the tenant wrote it; absent: from anywhere. */
  readonly trusted?: readonly Sealed[] | undefined
  /** Of the job that orders: the newest decision about the primary goes before older ones. Absent in orders of long ago: 0. */
  readonly epoch?: number
  /** A write is acknowledged once a replica has it as well. Absent: no. */
  readonly synchronous?: boolean
  /** After how long a silence a node is replaced, in seconds. Absent: 300. */
  readonly repairAfterSeconds?: number
}

export type DatabaseRef = {
  readonly name: Sealed
  /** The user it belongs to. */
  readonly owner: Sealed | { readonly administrator: string }
  readonly mark: string
}

export type UserRef = {
  readonly name: Sealed
  /** The other name that may hold for him. */
  readonly second: Sealed
  /** The administrator whose rights he has as well; null: he has only his own. */
  readonly as: string | null
  /** The datastore's administrator, whose future tables those may read who may read. */
  readonly administrator: string
  readonly grants: readonly { readonly database: Sealed; readonly privilege: 'read' | 'write' | 'ddl' | 'all' }[]
  readonly logins: readonly {
    readonly slot: 'first' | 'second'
    readonly vaultId: string
    readonly until: Instant | null
  }[]
  readonly mark: string
}

/** What a machine's packet filter lets in beside the other machines of its network. `trusted` absent: anybody. */
export type FirewallRules = { readonly ports: readonly number[]; readonly trusted?: readonly Sealed[] | undefined }

export type Names = { readonly name: string; readonly addresses: readonly string[]; readonly ttlSeconds: number }

/** What can be ordered of the deployer (`infra.`) and of the controller (`cmon.`), and what each order says. */
export type OrderBodies = {
  'infra.create-network': { provider: string; datastoreId: string; networkId: string; region: string }
  'infra.delete-network': { provider: string; datastoreId: string; networkId: string }
  'infra.create-machine': {
    provider: string
    datastoreId: string
    networkId: string
    nodeId: string
    name: string
    region: string
    zone: string
    instance: Instance
    /** Holds from the machine's first moment on. */
    firewall?: FirewallRules | undefined
  }
  'infra.delete-machine': { provider: string; datastoreId: string; nodeId: string }
  'infra.allocate-address': { provider: string; datastoreId: string; nodeId: string }
  'infra.release-address': { provider: string; datastoreId: string; nodeId: string }
  'infra.create-volume': { provider: string; datastoreId: string; nodeId: string; type: string; sizeGib: number; iops?: number }
  /** Sees that a volume is there and can be made to hold so much: what can be found out before anything is done. */
  'infra.check-volume': { provider: string; datastoreId: string; nodeId: string; sizeGib: number }
  /** While it is used, and never back. */
  'infra.grow-volume': { provider: string; datastoreId: string; nodeId: string; sizeGib: number }
  /** Of another kind, with what is in it. Without `iops` it is as fast as its kind is. */
  'infra.change-volume': { provider: string; datastoreId: string; nodeId: string; type: string; iops?: number }
  'infra.delete-volume': { provider: string; datastoreId: string; nodeId: string }
  'infra.set-firewall': { provider: string; datastoreId: string; nodeId: string; firewall: FirewallRules }
  'infra.boot-machine': { provider: string; datastoreId: string; nodeId: string }
  /** Gives a machine another size, which takes it down and brings it up again; its address and its volume stay. */
  'infra.resize-machine': { provider: string; datastoreId: string; nodeId: string; instance: Instance }
  /** Off, and off it stays until it is booted. */
  'infra.halt-machine': { provider: string; datastoreId: string; nodeId: string }
  /**
   * `epoch`: of the job that orders, where it is about names that several jobs lead somewhere: the newest one's word counts.
   * Absent: nobody else says anything of these names, or nobody will any more.
   */
  'infra.publish-names': { datastoreId: string; names: readonly Names[]; epoch?: number }
  'infra.withdraw-names': { datastoreId: string; names: readonly string[]; epoch?: number }
  /** Looks for anything still tagged with the datastore and removes it: the proof that nothing is left. */
  'infra.sweep': { provider: string; datastoreId: string; suffix: string }
  'cmon.register-cluster': { cluster: ClusterRef }
  'cmon.forget-cluster': { cluster: ClusterRef }
  'cmon.install-node': { cluster: ClusterRef; nodeId: string }
  'cmon.bootstrap-primary': { cluster: ClusterRef; nodeId: string }
  'cmon.join-replica': { cluster: ClusterRef; nodeId: string; primaryId: string }
  /** Tells a member that runs whom to let in, and whom to follow unless it is the primary itself. */
  'cmon.configure-node': {
    cluster: ClusterRef
    nodeId: string
    primaryId: string
    /** One that is silent keeps nobody from going on; it is rejoined when it is back. */
    ifItAnswers?: true
  }
  /** Tells a member whom to let in, ends the sessions of all others, and starts nothing. */
  'cmon.set-trusted': { cluster: ClusterRef; nodeId: string }
  /** Sees that a replica has received all that a primary, stopped cleanly, has written. */
  'cmon.catch-up': { cluster: ClusterRef; nodeId: string; formerId: string }
  /** `positionBytes`: what it had when it was elected, so that nobody with less takes its place in turn; absent: nobody knows. */
  'cmon.promote-replica': { cluster: ClusterRef; nodeId: string; positionBytes?: number }
  /** Makes a replica of a primary that was stopped cleanly, with the data it has. */
  'cmon.follow-primary': { cluster: ClusterRef; nodeId: string; primaryId: string }
  /** Stops and starts a node in place, and waits until it does its part again. */
  'cmon.restart-node': { cluster: ClusterRef; nodeId: string; primaryId: string }
  /** Starts a member that was stopped, set up anew for the machine it has, and waits until it does its part again. */
  'cmon.resume-node': { cluster: ClusterRef; nodeId: string; primaryId: string }
  /**
   * Has a member's server take over the cluster's parameters, and no others; `restart`: also those for which it must be
   * started anew, if there are any. Waits until it does its part again.
   */
  'cmon.apply-parameters': { cluster: ClusterRef; nodeId: string; primaryId: string; restart: boolean }
  /** Has a primary keep nothing for a node that is gone; that node itself is not asked for anything. */
  'cmon.forget-node': { cluster: ClusterRef; nodeId: string; primaryId: string }
  'cmon.create-account': { cluster: ClusterRef; nodeId: string; username: string; database: string; vaultId?: string }
  /** Gives the administrator the password that the vault has under `vaultId`; null: the one of the beginning. */
  'cmon.set-admin': { cluster: ClusterRef; nodeId: string; username: string; vaultId: string | null }
  /** Makes a database, unless it was made under this mark before. */
  'cmon.put-database': { cluster: ClusterRef; nodeId: string; database: DatabaseRef }
  /** Takes back what was made under this mark, and nothing that somebody else made. */
  'cmon.unmake-database': { cluster: ClusterRef; nodeId: string; database: DatabaseRef }
  /** Lets nobody in any more and sees those out who are. */
  'cmon.close-database': { cluster: ClusterRef; nodeId: string; name: Sealed }
  'cmon.open-database': { cluster: ClusterRef; nodeId: string; name: Sealed }
  'cmon.drop-database': { cluster: ClusterRef; nodeId: string; name: Sealed }
  /** Makes a user, or changes one that was made under this mark, into what is said here. */
  'cmon.put-user': { cluster: ClusterRef; nodeId: string; user: UserRef }
  'cmon.unmake-user': { cluster: ClusterRef; nodeId: string; user: UserRef }
  /** What he owns becomes `heir`'s. */
  'cmon.drop-user': { cluster: ClusterRef; nodeId: string; logins: readonly Sealed[]; heir: string }
  'cmon.check-cluster': { cluster: ClusterRef; primaryId: string }
  'cmon.stop-node': { cluster: ClusterRef; nodeId: string }
  'cmon.start-node': { cluster: ClusterRef; nodeId: string }
  'cmon.erase-node': { cluster: ClusterRef; nodeId: string }
  /** Starts a server that went down by itself. One that does not come up keeps nobody from going on. */
  'cmon.revive-node': { cluster: ClusterRef; nodeId: string }
  /** Ends what a tenant is still writing on a server that has become read-only. */
  'cmon.end-writers': { cluster: ClusterRef; nodeId: string }
  /** Sees to it that a lost primary takes no write any more, whether it can be reached or not. */
  'cmon.fence-node': { cluster: ClusterRef; nodeId: string; prefer: Prefer }
  /** Makes a fenced node the primary that it was, unless another has been promoted since. */
  'cmon.unfence-node': { cluster: ClusterRef; nodeId: string }
  /**
   * Finds the replica that is to be promoted in place of a primary that is fenced. All that are asked stop receiving from it.
   * `lastKnownBytes`: the last position that was seen of it; null: none was.
   */
  'cmon.elect-primary': {
    cluster: ClusterRef
    lostId: string
    synchronous: boolean
    prefer: Prefer
    lagMaxBytes: number
    lastKnownBytes: number | null
  }
  /** Makes a replica that streams of whatever a node's machine holds. */
  'cmon.rejoin-node': { cluster: ClusterRef; nodeId: string; primaryId: string }
}

/** What a fulfilled order tells. Whatever is not named here answers with nothing. */
export type OrderResult = {
  readonly privateAddress?: string
  readonly publicAddress?: string
  readonly machineId?: string
  readonly volumeId?: string
  readonly cidr?: string
  readonly roles?: Readonly<Record<string, 'primary' | 'replica'>>
  /** By what a lost primary is known to take no writes. `nothing`: it may still take some, and the tenant has chosen so. */
  readonly fencedBy?: FencedBy
  /** The node to be promoted, and the last position, in bytes, that each that was asked has received. */
  readonly elected?: string
  readonly positions?: Readonly<Record<string, number>>
}

export const FENCED_BY = ['server-stopped', 'powered-off', 'lease-ran-out', 'nothing'] as const
export type FencedBy = (typeof FENCED_BY)[number]

export type OrderSubject = keyof OrderBodies
export type Order = {
  readonly [S in OrderSubject]: { readonly subject: S; readonly body: Readonly<OrderBodies[S]> }
}[OrderSubject]

/** An order's place in its job. `back` is the unwinding. */
export type Course = 'forward' | 'back'
export type Place = { readonly step: string; readonly key: string; readonly attempt: number; readonly course: Course }

/** How an order's deadline moves while a figure that its worker measures grows. */
export type Extending = {
  /** So long, in milliseconds, after the figure was last seen to grow. */
  readonly byMs: number
  /** And never past this instant. */
  readonly until: Instant
}

/** An order under way: to a worker, over the broker. */
export type PlacedOrder = Place & {
  readonly orderId: string
  readonly jobId: string
  readonly datastoreId: string
  readonly order: Order
  /** A worker neither begins nor goes on with it past this instant, unless it may be moved and the work is seen to move. */
  readonly notAfter: Instant
  readonly extending?: Extending
}

/** What came of an order: back from a worker, over the broker. */
export type OrderOutcome = Place & { readonly orderId: string; readonly jobId: string; readonly at: Instant } & (
    /** `figure`: how much is done, measured at `at`, in whatever unit; it counts only if it is more than before. */
    | { readonly kind: 'noted'; readonly line: string; readonly figure?: number }
    | { readonly kind: 'succeeded'; readonly result: OrderResult }
    /** `final`: no repetition can help. `because` is in words a tenant understands. */
    | { readonly kind: 'failed'; readonly because: string; readonly final: boolean }
  )

/**
 * The deadline of an order whose figure was seen to grow: its worker and its job come to the same one.
 *
 * @param at when the figure was measured
 * @returns never an earlier one than there was
 */
export const extended = (notAfter: Instant, { byMs, until }: Extending, at: Instant): Instant => {
  const moved = later(at, byMs)
  const capped = moved < until ? moved : until
  return capped > notAfter ? capped : notAfter
}
