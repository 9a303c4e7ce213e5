import type { Generated, GeneratedAlways } from 'kysely'

export type HostStatus =
  | 'CmonHostUnknown'
  | 'CmonHostOnline'
  | 'CmonHostOffLine'
  | 'CmonHostFailed'
  | 'CmonHostRecovery'
  | 'CmonHostShutDown'

export type JobStatus = 'RUNNING' | 'FINISHED' | 'FAILED'

/** CMON DB. Times are UTC with milliseconds. No column holds a secret. */
export type ControllerDb = {
  clusters: {
    datastore_id: string
    owner_id: string
    engine: string
    version: string
    /** JSON of what the tenant has chosen of the servers' parameters; null: nothing. */
    parameters: string | null
    /** Null: the cluster does not say. */
    synchronous: number | null
    repair_after_seconds: number | null
    registered_at: Date
    /** Computed from the id. */
    slot: GeneratedAlways<number>
    /** The newest that fenced or promoted a node. */
    epoch: number
    /** The one in which `primary_id` was promoted; 0: before there were epochs. */
    promoted_epoch: number
    primary_id: string | null
    /** What that node had when it was promoted; null: nobody knows. */
    needed_bytes: number | null
  }
  hosts: {
    node_id: string
    datastore_id: string
    name: string
    hostname: string
    provider: string
    address: string
    port: number
    instance: string
    role: string
    status: string
    lag_bytes: number | null
    last_seen: Date | null
    /** Of the log, when it was seen last; null: nobody has told. */
    position_bytes: number | null
    /** 1: silent on purpose. */
    shut_down: number
    fenced_epoch: number | null
    lease_ttl_ms: number | null
    /** Names, as JSON. */
    lease_replicas: string | null
    /** 1: it has, or may have, what no other host has. */
    joined: number
    told_lost_at: Date | null
    /** Since when it is told again and again to do no part; null: it does. */
    lost_since: Date | null
  }
  /** Who watches which part of the fleet, and until when if he is not heard of. */
  controller_slots: { slot: number; controller_id: string | null; until: Date | null }
  /** `process`: which one it is on its machine; null: it has not said. */
  controllers: { controller_id: string; process: string | null; until: Date }
  /** The journal: one row per order. */
  jobs: {
    order_id: string
    job_id: string
    datastore_id: string
    command: string
    status: string
    result: string | null
    because: string | null
    final: number | null
    started_at: Date
    ended_at: Date | null
  }
  job_log: { line_id: Generated<number>; order_id: string; at: Date; line: string }
  alarms: {
    alarm_id: Generated<number>
    datastore_id: string
    node_id: string
    type_name: string
    subject: string
    component: string
    severity: string
    title: string
    message: string
    counter: number
    raised_at: Date
    cleared_at: Date | null
  }
}
