import type { ParameterValues } from '../catalogue/parameters.ts'
import type { Instance } from '../job/orders.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'
import type { DatabasePlan, UserPlan } from './access.ts'

/** A node as it was planned; it keeps its id and name for life. */
export type NodePlan = {
  readonly nodeId: string
  /** `db-xxxxx`, the first label of its host name. */
  readonly name: string
  readonly zone: string
  readonly instance: Instance
}

/** What the tenant asked for in his own words. */
export type Wording<Text extends string> = {
  readonly name: Text
  readonly tags: readonly Text[]
  readonly notifications: { readonly enabled: boolean; readonly emails: readonly Text[] }
}

/** How the volumes grow by themselves. */
export type Autoscale = {
  readonly enabled: boolean
  /** How full the fullest volume may be before they grow. */
  readonly thresholdPercent: number
  /** By how much they grow at a time. */
  readonly stepPercent: number
  /** How large each may become. */
  readonly maxGib: number
}

/** What is done when a node is lost. */
export type HighAvailability = {
  /** A transaction is acknowledged only once a replica has it as well. */
  readonly synchronous: boolean
  /** What is given up when both cannot be had: writes for a while, or the last of what was written. */
  readonly prefer: 'consistency' | 'availability'
  /** A node that is silent for longer is replaced. */
  readonly repairAfterSeconds: number
  /** How far behind the primary a replica may be that takes its place. */
  readonly lagMaxBytes: number
  /** So many failovers within an hour go without a wait; absent in choices of before there was such a thing. */
  readonly failoversPerHourMax?: number
}

/** What the tenant asked for, with every default resolved: from here on no catalogue is consulted. His own words are sealed. */
export type DatastoreSpec = Wording<Sealed> & {
  readonly ownerId: string
  readonly vendor: string
  readonly engine: string
  readonly version: string
  readonly type: string
  readonly cloud: string
  readonly provider: string
  readonly region: string
  readonly instance: Instance
  readonly volume: { readonly type: string; readonly sizeGib: number; readonly iops: number | null }
  readonly network: { readonly networkId: string; readonly type: 'public' | 'private'; readonly haEnabled: boolean }
  readonly port: number
  readonly domain: string
  readonly ttlSeconds: number
  /** The tenant's first database and its administrator. */
  readonly account: {
    readonly username: string
    readonly database: string
    /** Names the administrator's password in the vault, once it has been changed. */
    readonly vaultId?: string
  }
  /** Those beside the first one that the tenant has made. */
  readonly databases?: readonly DatabasePlan[]
  /** Those beside the administrator that the tenant has made. */
  readonly users?: readonly UserPlan[]
  /** `dayOfWeek` 1 is Monday; hours in UTC. */
  readonly maintenance: { readonly dayOfWeek: number; readonly startHour: number; readonly endHour: number }
  /** What is chosen of the servers' parameters, and the group it comes from; absent: nothing ever was. */
  readonly parameters?: { readonly groupId: string | null; readonly values: ParameterValues }
  /** Nodes built before this are replaced when the maintenance window opens; absent, or null: none is to be. */
  readonly upgradeInWindow?: Instant | null
  readonly nodes: readonly NodePlan[]
  /** Absent: the volumes grow only when they are told to. */
  readonly autoscale?: Autoscale
  /** Whether the guard of the volumes holds writes back; absent: never yet. */
  readonly readOnly?: boolean
  /** Where clients may connect from. Absent: from anywhere, as before there was such a thing. */
  readonly trusted?: readonly TrustedSource[]
  /** Where the engine's exporter listens, for trusted sources as well. */
  readonly exporterPort?: number
  readonly stopped?: boolean
  /** Absent: never chosen, as in datastores of before there was such a thing (`highAvailabilityOf`). */
  readonly highAvailability?: HighAvailability
}

/** An address or a range of them, as the tenant wrote it; `ruleId` is the same for all ways to write the same one. */
export type TrustedSource = { readonly ruleId: string; readonly source: Sealed; readonly description: Sealed }

export type NodeRole = 'primary' | 'replica'

/** What is known of a node once it exists. */
export type NodeState = {
  readonly nodeId: string
  readonly role: NodeRole
  readonly privateAddress: string
  readonly publicAddress: string
}

/** The one name that follows the primary. */
export const primaryName = (datastoreId: string, domain: string): string => `${datastoreId}.${domain}`

/** The name that answers with all replicas. */
export const replicaName = (datastoreId: string, domain: string): string => `replica.${datastoreId}.${domain}`

export const nodeHostname = (node: NodePlan, datastoreId: string, domain: string): string =>
  `${node.name}.${datastoreId}.${domain}`
