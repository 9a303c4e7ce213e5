import type { Kysely, Selectable } from 'kysely'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { type DatastoreReply, datastoreReply, datastoresReply } from './datastore-reply.ts'
import { regionOf } from './places.ts'
import { worded } from './words.ts'

type Datastore = Selectable<ReadSchema['datastores']>
type Job = Pick<
  Selectable<ReadSchema['jobs']>,
  'job_id' | 'datastore_id' | 'kind' | 'state' | 'progress_percent' | 'queued_at'
>

export type DatastoreQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
  /** The password of the datastore's administrator; undefined as long as there is none. */
  readonly openPassword: (
    datastore: Readonly<Pick<Datastore, 'datastore_id' | 'owner_id'>>,
  ) => Promise<string | undefined>
}

const PATH = '/api/deployment/v3/data-stores'
const tag = 'Datastores'

/** The datastores of the one who asks, in a list or one by one. */
export const datastores = (queries: DatastoreQueries): readonly Endpoint[] => [list(queries), get(queries)]

const list = ({ db, catalogue, personal }: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the datastores, newest first',
    tag,
    access: 'user',
    query: pageQuery(50),
    replies: { 200: { description: 'A part of the list, and how many there are in all.', schema: datastoresReply } },
    handle: async ({ query: { limit, offset }, principal }) => {
      const owned = db.selectFrom('datastores').where('owner_id', '=', principal.ownerId)
      const [{ total }, rows] = await Promise.all([
        owned.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
        owned.selectAll().orderBy('created_at', 'desc').orderBy('datastore_id').limit(limit).offset(offset).execute(),
      ])
      const jobs = await openJobs(db, rows)
      const items = (await worded(personal.open, rows)).map((row) => reply(catalogue, row, jobs, null))
      const page = { page: Math.floor(offset / limit) + 1, per_page: limit, total: Number(total) }
      return principal.ownerNamed
        ? { status: 200, body: { pagination: page, data_stores: items } }
        : { status: 200, body: { total: Number(total), datastores: items } }
    },
  })

const get = ({ db, catalogue, personal, openPassword }: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:uuid`,
    summary: 'Read a datastore',
    tag,
    access: 'user',
    params: datastoreParams,
    replies: { 200: { description: 'The datastore.', schema: datastoreReply } },
    handle: async ({ params: { uuid }, principal }) => {
      const row = await db
        .selectFrom('datastores')
        .selectAll()
        .where('datastore_id', '=', uuid)
        .where('owner_id', '=', principal.ownerId)
        .executeTakeFirst()
      const [opened] = await worded(personal.open, row === undefined ? [] : [row])
      if (row === undefined || opened === undefined) throw noDatastore(uuid)
      const [jobs, password] = await Promise.all([
        openJobs(db, [row]),
        row.deployed ? openPassword(row) : Promise.resolve(undefined),
      ])
      return { status: 200, body: reply(catalogue, opened, jobs, password ?? null) }
    },
  })

/** Those that have not ended, in the order they will run. */
const openJobs = async (db: Kysely<ReadSchema>, rows: readonly Datastore[]): Promise<readonly Job[]> =>
  rows.length === 0
    ? []
    : db
        .selectFrom('jobs')
        .select(['job_id', 'datastore_id', 'kind', 'state', 'progress_percent', 'queued_at'])
        .where('datastore_id', 'in', rows.map(({ datastore_id }) => datastore_id))
        .where('state', 'in', ['queued', 'running'])
        .orderBy('queued_position')
        .execute()

const reply = (
  catalogue: Catalogue,
  row: Datastore,
  jobs: readonly Job[],
  password: string | null,
): DatastoreReply => {
  const [job] = jobs.filter(({ datastore_id }) => datastore_id === row.datastore_id)
  const operable = row.status === 'STARTED'
  const text = statusText(row)
  const host = row.deployed ? row.primary_host : null
  return {
    uuid: row.datastore_id,
    cluster_name: row.name,
    cluster_status: row.status,
    cluster_status_text: text,
    cluster_type: row.type,
    cluster_type_name: typeName(catalogue, row),
    cluster_size: row.size,
    database_vendor: row.vendor,
    database_version: row.version,
    database_endpoint: host,
    cloud_provider: row.cloud,
    region: regionOf(catalogue, row.cloud, row.region),
    instance_size: row.instance_size,
    disk_size: row.volume_size_gib,
    disk_type: row.volume_type,
    iops: row.volume_iops,
    operable,
    not_operable_reason: operable ? '' : text,
    ssl_enabled: true,
    high_availability: row.high_availability,
    tags: [...row.tags],
    azs: [...row.zones],
    is_deploying: row.status === 'DEPLOYING',
    deploy_progress: deployProgress(row, job),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
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
    parameter_group_id: null,
    current_job: job === undefined ? null : currentJob(job),
    is_ca_available: row.deployed,
  }
}

const typeName = ({ vendors }: Catalogue, { vendor, type }: Datastore): string =>
  vendors.find(({ code }) => code === vendor)?.types.find(({ code }) => code === type)?.name ?? type

const statusText = ({ status, status_reason: reason }: Datastore): string => {
  switch (status) {
    case 'DEPLOYING':
      return 'The datastore is being deployed'
    case 'STARTED':
      return reason === null ? 'All nodes are running' : `All nodes are running; it could not be deleted: ${reason}`
    case 'DEPLOY_FAILED':
      return `The deployment failed${reason === null ? '' : `: ${reason}`}`
    case 'DELETING':
      return 'The datastore is being deleted'
  }
}

const deployProgress = ({ status, deployed }: Datastore, job: Job | undefined): number => {
  if (deployed) return 100
  return status === 'DEPLOYING' ? (job?.progress_percent ?? 0) : 0
}

const currentJob = (job: Job): DatastoreReply['current_job'] => ({
  uuid: job.job_id,
  cluster_uuid: job.datastore_id,
  command: job.kind.replaceAll('-', '_'),
  status: 'running',
  progress: job.progress_percent,
  created_at: job.queued_at.toISOString(),
})
