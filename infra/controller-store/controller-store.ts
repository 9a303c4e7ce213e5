import type { ClusterRef, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { HostStatus } from './schema.ts'

/** How an order ended, as the journal has it. */
export type JournalEntry =
  | { readonly status: 'FINISHED'; readonly result: OrderResult }
  | { readonly status: 'FAILED'; readonly because: string; readonly final: boolean }

/** What a look at a host found. `lastSeenAt` is absent when nothing answered. */
export type HostSeen = {
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly status: HostStatus
  readonly lagBytes: number | null
  readonly lastSeenAt?: Instant
}

export type HostRow = Omit<HostSeen, 'lastSeenAt'> & {
  readonly nodeId: string
  readonly datastoreId: string
  /** Null until it has answered for the first time. */
  readonly lastSeenAt: Instant | null
  /** Whether it is to be silent. */
  readonly shutDown: boolean
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
  /** Rows for the cluster and exactly these hosts; what is known of a host stays. */
  readonly registerCluster: (cluster: ClusterRef, at: Instant) => Promise<void>
  /** Removes the rows of cluster, hosts and alarms. The journal stays. */
  readonly forgetCluster: (datastoreId: string) => Promise<void>
  readonly clusters: () => Promise<readonly ClusterRef[]>
  readonly hosts: (datastoreId: string) => Promise<readonly HostRow[]>
  readonly seen: (nodeId: string, what: HostSeen) => Promise<void>
  /** Whether the host is to be silent: then its silence is no failure. */
  readonly intend: (nodeId: string, what: { readonly shutDown: boolean }) => Promise<void>
  /** What the journal has of an order that ended, else undefined. */
  readonly ended: (orderId: string) => Promise<JournalEntry | undefined>
  readonly begin: (order: PlacedOrder, at: Instant) => Promise<void>
  /** The first ending counts. */
  readonly end: (orderId: string, entry: JournalEntry, at: Instant) => Promise<void>
  readonly logLine: (orderId: string, line: string, at: Instant) => Promise<void>
  readonly jobLog: (orderId: string) => Promise<readonly { readonly at: Instant; readonly line: string }[]>
  readonly raise: (alarm: Alarm, at: Instant) => Promise<void>
  readonly clear: (key: AlarmKey, at: Instant) => Promise<void>
  /** Open alarms and cleared ones, the oldest first. */
  readonly alarms: (datastoreId: string) => Promise<readonly AlarmRow[]>
  /** Resolves when the server answers. For readiness. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
