import type { ClusterRef, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { HostStatus } from './schema.ts'

/** How an order ended, as the journal has it. */
export type JournalEntry =
  | { readonly status: 'FINISHED'; readonly result: OrderResult }
  | { readonly status: 'FAILED'; readonly because: string; readonly final: boolean }

/** What a look at a host found. `lastSeenAt` and `positionBytes` are absent when nothing answered. */
export type HostSeen = {
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly status: HostStatus
  readonly lagBytes: number | null
  readonly lastSeenAt?: Instant
  /** How much log it had written or received. */
  readonly positionBytes?: number
}

export type HostRow = Omit<HostSeen, 'lastSeenAt'> & {
  readonly nodeId: string
  readonly datastoreId: string
  /** Null until it has answered for the first time. */
  readonly lastSeenAt: Instant | null
  /** Whether it is to be silent. */
  readonly shutDown: boolean
  /** The epoch that has fenced it: it is to take no writes until it has rejoined. Null: it is not fenced. */
  readonly fencedEpoch: number | null
  /** How long the server goes on taking writes, in milliseconds, when its lease is not renewed; null: it has none. */
  readonly leaseTtlMs: number | null
  /** The names of those without whom it does not go on when its lease is not renewed; absent: nobody has told. */
  readonly leaseReplicas?: readonly string[]
  /** Whether it has, or may have, taken part in the datastore: only then can an acknowledged write be on it. */
  readonly joined: boolean
  /** When it was last told to be lost; null: never, or it was told since that it does its part again. */
  readonly toldLostAt: Instant | null
  /** Since when it has been told again and again to do no part; null: it does, or has joined again since. */
  readonly lostSince: Instant | null
}

/** Who may take writes, as it was last decided. */
export type Standing = {
  /** The newest that fenced or promoted a node; 0: none has. */
  readonly epoch: number
  /** Null: nobody has told yet. */
  readonly primaryId: string | null
  /** The epoch that has fenced each node that is fenced. */
  readonly fenced: Readonly<Record<string, number>>
  /**
   * How much the primary had when it was promoted, in bytes of the log: all that was acknowledged before then is in it. Absent:
   * nobody knows.
   */
  readonly neededBytes?: number
}

/** A cluster as its watch needs it. */
export type WatchedCluster = {
  readonly cluster: ClusterRef
  readonly standing: Standing
  readonly hosts: readonly HostRow[]
}

/** What a controller may watch. */
export type Slots = {
  readonly owned: readonly number[]
  /** On the clock of `performance.now()` of this process: from then on another may own them. */
  readonly validUntilMs: number
}

/** What an alarm is about; one such alarm at most is open. */
export type AlarmKey = {
  readonly datastoreId: string
  /** Empty when it is about the datastore as a whole. */
  readonly nodeId: string
  readonly typeName: string
  /** Which one of several of a kind: a command's name, or empty. */
  readonly subject: string
}

export type Alarm = AlarmKey & {
  readonly component: 'Cluster' | 'Node' | 'ClusterRecovery'
  readonly severity: 'ALARM_WARNING' | 'ALARM_CRITICAL'
  readonly title: string
  readonly message: string
}

export type AlarmRow = Alarm & {
  readonly counter: number
  readonly raisedAt: Instant
  readonly clearedAt: Instant | null
}

/** The controller's memory. Every member may be repeated. */
export type ControllerStore = {
  /** Brings the schema up to date. Processes may race. */
  readonly migrate: () => Promise<void>
  /** Rows for the cluster and exactly these hosts; what is known of a host, and who may take writes, stays. */
  readonly registerCluster: (cluster: ClusterRef, at: Instant) => Promise<void>
  /** Removes the rows of cluster, hosts and alarms. The journal stays. */
  readonly forgetCluster: (datastoreId: string) => Promise<void>
  readonly clusters: () => Promise<readonly ClusterRef[]>
  readonly hosts: (datastoreId: string) => Promise<readonly HostRow[]>
  /** The clusters of these slots, each with what it stands at, as of one instant. */
  readonly watched: (slots: readonly number[]) => Promise<readonly WatchedCluster[]>
  /** Undefined: there is no such cluster. */
  readonly standing: (datastoreId: string) => Promise<Standing | undefined>
  /**
   * Makes a node the one that may take writes, in an epoch, before it does; the same may claim it again. Whoever is refused
   * must not promote: a newer epoch has decided, or this one for another node, or the node is fenced. Epoch 0 is of jobs
   * from before there were epochs: it yields to every other, and to itself only.
   *
   * @param heldBytes how much it had when it was elected; absent: whatever was needed of a primary before is still needed
   */
  readonly claimPromotion: (datastoreId: string, epoch: number, nodeId: string, heldBytes?: number) => Promise<boolean>
  /** A node that had claimed it was promoted, and had so much then. Nothing, once another one has claimed it. */
  readonly promoted: (datastoreId: string, epoch: number, nodeId: string, heldBytes: number) => Promise<void>
  /**
   * Writes down that a node is fenced, before it is. Refused when a newer epoch has decided, or this one has promoted already.
   * From then on its lease must not be renewed.
   */
  readonly fence: (datastoreId: string, nodeId: string, epoch: number) => Promise<boolean>
  /** Takes a fence back and makes the node the primary of this epoch; refused when another has been promoted, or fenced since. */
  readonly unfence: (datastoreId: string, nodeId: string, epoch: number) => Promise<boolean>
  /**
   * A node has become a replica, and has no lease any more. Refused when it is the primary by now, or was fenced again: whoever
   * says so late does not lift a newer fence.
   *
   * @param fencedEpoch the one that had fenced it when it began to rejoin; null: none had
   */
  readonly rejoined: (datastoreId: string, nodeId: string, fencedEpoch: number | null) => Promise<boolean>
  /** Who the primary is, where nobody has told yet; otherwise refused. */
  readonly adoptPrimary: (datastoreId: string, nodeId: string) => Promise<boolean>
  /** Every node that is fenced. To be asked after a node's clock was read and before its lease is renewed by that. */
  readonly fencedNodes: () => Promise<ReadonlySet<string>>
  /**
   * That a server takes writes no longer than its lease is renewed, or each of these replicas is heard: told once that is so.
   * Null: it may have none any more.
   */
  readonly leased: (nodeId: string, ttlMs: number | null, replicas?: readonly string[]) => Promise<void>
  /**
   * Renews what this controller owns of the slots, gives up what is more than its share, and takes what is free. Slots that
   * were given up, or whose owner died, are free some seconds later.
   *
   * @param process what tells others on its machine which process it is
   */
  readonly renewSlots: (controllerId: string, process?: string) => Promise<Slots>
  /** Those that count as alive, and which process each one is, where it has said so. */
  readonly controllers: () => Promise<readonly { readonly controllerId: string; readonly process: string | null }[]>
  /** Frees all slots of a controller at once. Only once it acts on none of them any more. */
  readonly giveUpSlots: (controllerId: string) => Promise<void>
  /**
   * Does the work while no other process, and nothing else in this one, does any under this node's name.
   *
   * @param work is given a signal that is aborted when that can no longer be vouched for
   * @param options.waitMs how long another's work is waited for
   * @throws Occupied when the other took longer
   */
  readonly exclusively: <T>(
    nodeId: string,
    work: (signal: AbortSignal) => Promise<T>,
    options: { readonly waitMs: number; readonly signal?: AbortSignal },
  ) => Promise<T>
  readonly seen: (nodeId: string, what: HostSeen) => Promise<void>
  /** Whether the host is to be silent: then its silence is no failure. */
  readonly intend: (nodeId: string, what: { readonly shutDown: boolean }) => Promise<void>
  /** Told before a node is made a member that may have an acknowledged write alone. */
  readonly joins: (nodeId: string) => Promise<void>
  /** Told before what a node has is thrown away. */
  readonly leaves: (nodeId: string) => Promise<void>
  /** Kept before a node is told to be lost, so that whoever finds it well can tell that as well. */
  readonly toldLost: (nodeId: string, at: Instant) => Promise<void>
  /** It was told to be well; nothing, where it was told to be lost since. */
  readonly toldWell: (nodeId: string, lostAt: Instant) => Promise<void>
  /** What the journal has of an order that ended, else undefined. */
  readonly ended: (orderId: string) => Promise<JournalEntry | undefined>
  readonly begin: (order: PlacedOrder, at: Instant) => Promise<void>
  /** The first ending counts. */
  readonly end: (orderId: string, entry: JournalEntry, at: Instant) => Promise<void>
  readonly logLine: (orderId: string, line: string, at: Instant) => Promise<void>
  readonly jobLog: (orderId: string) => Promise<readonly { readonly at: Instant; readonly line: string }[]>
  /** Does nothing when there is no such cluster. */
  readonly raise: (alarm: Alarm, at: Instant) => Promise<void>
  readonly clear: (key: AlarmKey, at: Instant) => Promise<void>
  /** Open alarms and cleared ones, the oldest first. */
  readonly alarms: (datastoreId: string) => Promise<readonly AlarmRow[]>
  /** Resolves when the server answers. For readiness. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Somebody else works on the node, and took longer than could be waited for. */
export class Occupied extends Error {
  override readonly name = 'Occupied'
}
