import type { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import type { DatastoreRow, JobRow, NodeEntry, NodesRow, Targeted } from '../projections/schema.ts'
import { conditionOf } from '../projections/health.ts'
import type { DatastoreReply } from './datastore-reply.ts'
import type { nodeReply } from './nodes-reply.ts'
import { regionOf } from './places.ts'

/** A row as the database has it, or as it is folded: the one has dates where the other has texts. */
export type Timed<R, Times extends keyof R> = Omit<R, Times> & {
  readonly [C in Times]: R[C] extends string ? Date | string : Date | string | null
}

export type Datastore = Timed<DatastoreRow, 'created_at' | 'updated_at'>
export type OpenJob = Timed<
  Pick<JobRow, 'job_id' | 'datastore_id' | 'kind' | 'state' | 'progress_percent' | 'queued_at'>,
  'queued_at'
>

/** Folded rows have their times as texts in this very form. */
export const isoOf = (time: Date | string): string => (typeof time === 'string' ? time : time.toISOString())

/**
 * A datastore as clients read it, whether its rows are of today or of long ago.
 *
 * @param jobs those that have not ended, in the order they will run; others' are passed over
 */
export const datastoreReplyOf = (
  catalogue: Catalogue,
  row: Datastore,
  jobs: readonly OpenJob[],
  password: string | null,
): DatastoreReply => {
  const [job] = jobs.filter(({ datastore_id }) => datastore_id === row.datastore_id)
  const status = clusterStatus(row)
  const operable = status === 'STARTED' || status === 'DEGRADED'
  const text = statusText(row)
  const host = row.deployed ? row.primary_host : null
  const target = targeted(row)
  return {
    uuid: row.datastore_id,
    cluster_name: row.name,
    cluster_status: status,
    cluster_status_text: text,
    cluster_type: row.type,
    cluster_type_name: typeName(catalogue, row),
    cluster_size: row.size,
    database_vendor: row.vendor,
    database_version: row.version,
    database_endpoint: host,
    cloud_provider: row.cloud,
    region: regionOf(catalogue, row.cloud, row.region),
    instance_size: target.instance_size,
    disk_size: target.volume_size_gib,
    disk_type: target.volume_type,
    iops: target.volume_iops,
    operable,
    not_operable_reason: operable && row.read_only_because === null ? '' : text,
    ssl_enabled: true,
    high_availability: row.high_availability,
    tags: [...row.tags],
    azs: row.places.map(({ zone }) => zone),
    is_deploying: row.status === 'DEPLOYING',
    deploy_progress: deployProgress(row, job),
    created_at: isoOf(row.created_at),
    updated_at: isoOf(row.updated_at),
    db_account: {
      database_username: row.db_username,
      database_password: password,
      database_host: host,
      database_database: row.db_database,
      database_privileges: null,
    },
    primary_url: host,
    replica_url: row.deployed && row.size > 1 ? row.replica_host : null,
    vpc: null,
    maintenance_settings: { ...row.maintenance },
    notifications: { enabled: row.notifications.enabled, emails: [...row.notifications.emails] },
    parameter_group_id: row.parameter_group_id,
    current_job: job === undefined ? null : currentJob(job),
    is_ca_available: row.deployed,
    high_availability_settings: { ...row.availability },
  }
}

/** As the jobs that wait or are at work will leave it: one client looks once and does not wait for them. */
const targeted = (row: Datastore): Targeted => Object.assign({}, row, ...row.targets)

const typeName = ({ vendors }: Catalogue, { vendor, type }: Datastore): string =>
  vendors.find(({ code }) => code === vendor)?.types.find(({ code }) => code === type)?.name ?? type

const CONDITIONS = { well: 'STARTED', degraded: 'DEGRADED', failing: 'FAILURE' } as const

const clusterStatus = ({ status, health }: Datastore): DatastoreReply['cluster_status'] =>
  status === 'STARTED' ? CONDITIONS[conditionOf(health)] : status

/** How many of its nodes serve, and what that means for writes. */
const nodesText = ({ health, size }: Datastore): string => {
  const { lost, failing, away } = health
  const [serve, condition] = [`${size - lost.length} of ${size} nodes are running`, conditionOf(health)]
  if (failing === null && away !== null) {
    const then = away.until === null ? 'another attempt follows by itself' : `none takes its place before ${away.until}`
    return `No writes are taken: the primary was lost at ${away.last_seen_at}, and ${then}: ${away.because}`
  }
  if (condition === 'failing') {
    return `No writes are taken: ${failing?.because ?? `${serve}, and what is lost is needed for them`}`
  }
  return condition === 'well' ? 'All nodes are running' : serve
}

const statusText = (row: Datastore): string => {
  const { status, status_reason: reason, read_only_because: because } = row
  switch (status) {
    case 'DEPLOYING':
      return 'The datastore is being deployed'
    case 'STARTED':
      if (because !== null) return `${nodesText(row)}; the datastore is read-only: ${because}`
      return reason === null ? nodesText(row) : `${nodesText(row)}; it could not be deleted: ${reason}`
    case 'STOPPED':
      return reason === null ? 'The datastore is stopped' : `The datastore is stopped; it could not be deleted: ${reason}`
    case 'DEPLOY_FAILED':
      return `The deployment failed${reason === null ? '' : `: ${reason}`}`
    case 'DELETING':
      return 'The datastore is being deleted'
  }
}

const deployProgress = ({ status, deployed }: Datastore, job: OpenJob | undefined): number => {
  if (deployed) return 100
  return status === 'DEPLOYING' ? (job?.progress_percent ?? 0) : 0
}

const currentJob = (job: OpenJob): DatastoreReply['current_job'] => ({
  uuid: job.job_id,
  cluster_uuid: job.datastore_id,
  command: job.kind.replaceAll('-', '_'),
  status: 'running',
  progress: job.progress_percent,
  created_at: isoOf(job.queued_at),
})

const HOST_STATUS = { well: 'CmonHostOnline', lost: 'CmonHostOffLine', recovering: 'CmonHostRecovery' } as const

/** A node as clients read it, whether its row is of today or of long ago. */
export const nodeReplyOf = (
  catalogue: Catalogue,
  row: NodesRow,
  node: NodeEntry,
): z.infer<typeof nodeReply> => ({
  host_uuid: node.node_id,
  cluster_uuid: row.datastore_id,
  created_at: node.created_at,
  cloud_provider: row.cloud,
  host_az: node.zone,
  instance_type: instanceType(catalogue, row.cloud, node.instance_size),
  disk_type: row.volume_type,
  disk_size: row.volume_size_gib,
  role: node.role,
  port: row.port,
  region: regionOf(catalogue, row.cloud, row.region),
  hostname: node.hostname,
  fqdn: node.hostname,
  host_status: row.running ? HOST_STATUS[node.condition] : 'CmonHostUnknown',
  private_ip: node.private_ip,
  public_ip: node.public_ip,
  readonly: row.read_only || node.role === 'replica',
})

/** The cloud's own name for a size. */
const instanceType = ({ clouds }: Catalogue, cloud: string, size: string): string =>
  clouds.find(({ code }) => code === cloud)?.instances.find(({ code }) => code === size)?.type ?? size
