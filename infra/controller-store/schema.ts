import type { Generated } from 'kysely'

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
    registered_at: Date
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
    /** 1: silent on purpose. */
    shut_down: number
  }
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
