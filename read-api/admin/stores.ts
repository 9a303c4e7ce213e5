import type { Kysely } from 'kysely'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { NodesRow, ReadSchema } from '../../projections/schema.ts'
import { jobReplyOf } from '../job-rows.ts'
import { loginsOf } from '../logins.ts'
import { type Datastore, datastoreReplyOf, isoOf, nodeReplyOf } from '../rows.ts'
import { worded } from '../words.ts'
import type { AdminDatastore, AdminNode } from './datastore-reply.ts'

export type StoreQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
}

/** A number for clients that want one: always the same for the same id, and rarely that of another. */
export const numberOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 8), 16) & 0x7fffffff

/** The job at work or the next one of each datastore, with the login of who asked for it. */
const currentJobs = async ({ db, personal }: StoreQueries, ids: readonly string[]) => {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('datastore_id', 'in', ids)
    .where('state', 'in', ['queued', 'running'])
    .orderBy('queued_position', 'desc')
    .execute()
  const logins = await loginsOf(db, personal, rows.map(({ queued_by: accountId }) => accountId))
  return new Map(rows.map((row) => [row.datastore_id, jobReplyOf({ ...row, login: logins.get(row.queued_by) ?? null })]))
}

/**
 * Datastores as operators read them.
 *
 * @param rows as the read model has them, their words still sealed
 */
export const adminDatastoresOf = async (
  queries: StoreQueries,
  rows: readonly Datastore[],
): Promise<readonly AdminDatastore[]> => {
  const { db, catalogue, personal } = queries
  const [named, owners, jobs] = await Promise.all([
    worded(personal.open, rows),
    loginsOf(db, personal, rows.map(({ owner_id: ownerId }) => ownerId)),
    currentJobs(queries, rows.map(({ datastore_id: datastoreId }) => datastoreId)),
  ])
  return named.map((row) => {
    const { cluster_status: status, cluster_status_text: text } = datastoreReplyOf(catalogue, row, [], null)
    return {
      id: row.datastore_id,
      status,
      status_text: text,
      cloud_provider: row.cloud,
      type: row.type,
      name: row.name,
      user_login: owners.get(row.owner_id) ?? row.owner_id,
      internal_id: numberOf(row.datastore_id),
      size: row.size,
      created_at: isoOf(row.created_at),
      current_job: jobs.get(row.datastore_id) ?? {},
    }
  })
}

/** The nodes of a datastore as operators read them. */
export const adminNodesOf = (
  catalogue: Catalogue,
  { vendor, version }: Pick<Datastore, 'vendor' | 'version'>,
  row: NodesRow,
): readonly AdminNode[] =>
  row.nodes.map((entry) => {
    const node = nodeReplyOf(catalogue, row, entry)
    return {
      unique_id: numberOf(entry.node_id),
      hostname: entry.hostname,
      host_status: node.host_status,
      role: entry.role ?? '',
      version,
      host: {
        id: entry.node_id,
        cluster_id: row.datastore_id,
        instance_id: entry.node_id,
        instance_type: node.instance_type,
        az: entry.zone,
        cloud_provider: node.cloud_provider,
      },
      node_type: vendor,
      ip: entry.private_ip ?? '',
      last_seen: null,
      service_started_at: null,
    }
  })
