import type { ColumnType } from 'kysely'
import type { Shape } from '../domain/datastore/changes/index.ts'
import type { JobKind } from '../domain/datastore/messages.ts'
import type { NodeRole } from '../domain/datastore/spec.ts'
import type { Course } from '../domain/job/orders.ts'
import type { JsonObject } from '../domain/kernel/json.ts'
import type { Role } from '../domain/kernel/roles.ts'
import type { Sealed } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { Segment } from '../domain/usage/meter.ts'
import type { AccessRow } from './access-row.ts'
import type { Health } from './health.ts'
import type { OrganisationRow } from './organisation-row.ts'
import type { OutagesRow } from './outage-row.ts'
import type { ParameterGroupRow, ParametersRow } from './parameter-rows.ts'
import type { WebhookRow } from './webhook-row.ts'

/** What a job leads to that clients read before it is done. */
export type Targeted = Pick<DatastoreRow, 'instance_size' | 'volume_type' | 'volume_size_gib' | 'volume_iops'>

export type DatastoreRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly name: string
  readonly status: 'DEPLOYING' | 'STARTED' | 'STOPPED' | 'DEPLOY_FAILED' | 'DELETING'
  /** Why it is so, where something went wrong. */
  readonly status_reason: string | null
  /** Whether it was, where the status tells of something else. */
  readonly stopped: boolean
  /** Whether it has ever come up, so that there is something to connect to. */
  readonly deployed: boolean
  readonly vendor: string
  readonly version: string
  readonly type: string
  readonly cloud: string
  readonly region: string
  readonly instance_size: string
  readonly volume_type: string
  readonly volume_size_gib: number
  readonly volume_iops: number | null
  readonly network_type: string
  readonly high_availability: boolean
  readonly size: number
  readonly port: number
  /** Bare host names: the one that follows the primary, and the one that answers with every replica. */
  readonly primary_host: string
  readonly replica_host: string
  readonly db_username: string
  readonly db_database: string
  readonly parameter_group_id: string | null
  readonly tags: readonly string[]
  /** Its nodes and their zones, without nodes that are still to come. */
  readonly places: readonly { readonly node_id: string; readonly zone: string }[]
  readonly notifications: { readonly enabled: boolean; readonly emails: readonly string[] }
  readonly maintenance: { readonly day_of_week: number; readonly start_hour: number; readonly end_hour: number }
  /** What jobs that wait or are at work will make of it: clients read that at once. Oldest first. */
  readonly targets: readonly ({ readonly job_id: string } & Partial<Targeted>)[]
  /** Why writes are held back; null while they are taken. */
  readonly read_only_because: string | null
  /** How its volumes grow by themselves; null where it was never set. */
  /** Nodes built before this are replaced when the maintenance window opens. */
  readonly upgrade_in_window: Instant | null
  readonly autoscale: {
    readonly enabled: boolean
    readonly threshold_percent: number
    readonly step_percent: number
    readonly max_gib: number
  } | null
  /** What is done when a node is lost. */
  readonly availability: {
    readonly synchronous: boolean
    readonly prefer: 'consistency' | 'availability'
    readonly repair_after_seconds: number
    readonly lag_max_bytes: number
    readonly max_failovers_per_hour: number
  }
  readonly health: Health
  /** Where clients may connect from, sealed. */
  readonly trusted: readonly { readonly rule_id: string; readonly source: Sealed; readonly description: Sealed }[]
  readonly created_at: Instant
  readonly updated_at: Instant
}

export type NodeEntry = {
  readonly node_id: string
  readonly hostname: string
  readonly zone: string
  readonly instance_size: string
  readonly role: NodeRole | null
  readonly condition: 'well' | 'lost' | 'recovering'
  readonly private_ip: string | null
  readonly public_ip: string | null
  /** When its making was begun. */
  readonly created_at: Instant
}

/** The nodes of one datastore, those in the making with them. */
export type NodesRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly cloud: string
  readonly region: string
  readonly volume_type: string
  readonly volume_size_gib: number
  readonly port: number
  readonly running: boolean
  /** Whether the guard of the volumes holds writes back. */
  readonly read_only: boolean
  readonly nodes: readonly NodeEntry[]
}

export type JobStep = {
  readonly name: string
  readonly title: string
  readonly state: 'pending' | 'running' | 'done' | 'failed' | 'skipped' | 'undoing' | 'undone'
  readonly attempts: number
  /** Of its orders in the present direction, by key. */
  readonly orders: Readonly<Record<string, 'ordered' | 'waiting' | 'done' | 'failed'>>
}

export type JobRow = {
  readonly job_id: string
  readonly datastore_id: string
  readonly owner_id: string
  readonly kind: JobKind
  readonly state: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled' | 'dropped'
  readonly title: string | null
  readonly progress_percent: number
  /** Why it unwinds, or came to nothing, in words for the tenant. */
  readonly reason: string | null
  readonly needs_attention: boolean
  readonly steps: readonly JobStep[]
  /** The id of the account that asked for it, or `system`. */
  readonly queued_by: string
  /** Where in the log it was queued, as text that sorts (`sortablePosition`). */
  readonly queued_position: string
  readonly queued_at: Instant
  readonly started_at: Instant | null
  readonly ended_at: Instant | null
}

/** One line of a job's log, for the tenant to read. Whose it is, its job tells. */
export type JobLogRow = {
  readonly job_id: string
  readonly datastore_id: string
  readonly severity: 'info' | 'warning' | 'error'
  /** The step's name; null for what concerns the whole job. */
  readonly step: string | null
  /** The node, where the step is carried out node by node. */
  readonly node_id: string | null
  readonly course: Course
  readonly attempt: number | null
  readonly line: string
  /** That of the event it tells of (`sortablePosition`). */
  readonly position: string
  readonly at: Instant
}

export type AccountRow = {
  readonly account_id: string
  readonly login: string
  readonly first_name: string
  readonly last_name: string
  readonly is_admin: boolean
  /** He registered himself, and nobody knows yet whether the login is his. */
  readonly to_confirm: boolean
  /** Who vouches for one that has no password here, and whom he names: what bills call the customer. */
  readonly issuer: string | null
  readonly customer_reference: string | null
  /** What he accepted when he registered himself; null for one whom somebody else registered. */
  readonly terms: readonly string[] | null
  readonly suspended: boolean
  /** An operator's words. */
  readonly suspended_because: Sealed | null
  /** Closed for ever, and kept to be counted; one that is erased has no row. */
  readonly deleted: boolean
  readonly created_at: Instant
}

/** OAuth2 clients that are not revoked. */
export type OauthClientRow = {
  readonly client_id: string
  /** The account it acts for. */
  readonly owner_id: string
  /** In whose name, if not in the account's own. */
  readonly organisation_id: string | null
  /** What it may at most; null: all that the account may. */
  readonly role: Role | null
  readonly name: string
  readonly created_at: Instant
  readonly expires_at: Instant | null
}

/** Whether an organisation's public events are to be had as a stream of the event store. */
export type EventStreamRow = {
  readonly organisation_id: string
  /** Whether there are credentials for it; what was written stays when they are taken back. */
  readonly open: boolean
  readonly changed_at: Instant
}

/** An event as integrators get it (`public-events/`). */
export type FeedRow = {
  /** Where it stands in the feed, as text that sorts (`feedPosition`). */
  readonly position: string
  readonly organisation_id: string
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly datastore_id: string | null
  readonly at: Instant
  readonly data: JsonObject
}

/** What a datastore used in its life, deleted ones included. */
export type UsageRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly vendor: string
  readonly type: string
  /** As it is now, or was when it was deleted. */
  readonly shape: Shape
  readonly segments: readonly Segment[]
  readonly created_at: Instant
  /** When its deletion was asked for. */
  readonly deleted_at: Instant | null
}

/** How far a projection has come. */
export type CheckpointRow = {
  readonly projection: string
  readonly version: number
  readonly position_commit: string
  readonly position_prepare: string
  readonly updated_at: Instant
}

/** The driver reads a timestamptz as a Date. */
type Stored<R, Times extends keyof R> = {
  [C in keyof R]: C extends Times ? ColumnType<Date | Exclude<R[C], string>, R[C], R[C]> : R[C]
}

/** The read models as the database has them, for Kysely. They live in the Postgres schema `read`. */
export type ReadSchema = {
  datastores: Stored<DatastoreRow, 'created_at' | 'updated_at'>
  nodes: NodesRow
  outages: OutagesRow
  database_access: Stored<AccessRow, 'ends_at'>
  jobs: Stored<JobRow, 'queued_at' | 'started_at' | 'ended_at'>
  job_log: Stored<JobLogRow, 'at'>
  accounts: Stored<AccountRow, 'created_at'>
  organisations: Stored<OrganisationRow, 'created_at' | 'updated_at'>
  oauth_clients: Stored<OauthClientRow, 'created_at' | 'expires_at'>
  feed: Stored<FeedRow, 'at'>
  event_streams: Stored<EventStreamRow, 'changed_at'>
  webhooks: Stored<WebhookRow, 'paused_at' | 'previous_secret_until' | 'created_at' | 'updated_at'>
  usage: Stored<UsageRow, 'created_at' | 'deleted_at'>
  parameter_groups: Stored<ParameterGroupRow, 'created_at' | 'updated_at'>
  parameters: Stored<ParametersRow, 'updated_at'>
  checkpoints: Stored<CheckpointRow, 'updated_at'>
}

export const READ_SCHEMA = 'read'
