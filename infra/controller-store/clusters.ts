import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { ControllerStore, HostRow } from './controller-store.ts'
import type { Asking } from './mysql.ts'
import type { ControllerDb } from './schema.ts'

const Instance = z.object({ code: z.string(), cpu: z.number(), ramGb: z.number() })
const Parameters = z.record(z.string(), z.string())
const Role = z.enum(['primary', 'replica', 'unknown'])
const Status = z.enum([
  'CmonHostUnknown', 'CmonHostOnline', 'CmonHostOffLine', 'CmonHostFailed', 'CmonHostRecovery', 'CmonHostShutDown',
])

type Tables = Pick<ControllerStore, 'registerCluster' | 'forgetCluster' | 'clusters' | 'hosts' | 'seen' | 'intend'>

/** The part of the store that knows clusters and hosts. */
export const clusterTables = (asking: Asking): Tables => ({
  registerCluster: (cluster, at) =>
    asking('register a cluster', (db) => db.transaction().execute((transaction) => register(transaction, cluster, at))),

  forgetCluster: (datastoreId) =>
    asking('forget a cluster', (db) =>
      db.transaction().execute(async (transaction) => {
        for (const table of ['alarms', 'hosts', 'clusters'] as const) {
          await transaction.deleteFrom(table).where('datastore_id', '=', datastoreId).execute()
        }
      }),
    ),

  clusters: () =>
    asking('list the clusters', async (db) => {
      const clusters = await db.selectFrom('clusters').selectAll().orderBy('registered_at').execute()
      const hosts = await db.selectFrom('hosts').selectAll().orderBy('name').execute()
      const nodesOf = Map.groupBy(hosts, (host) => host.datastore_id)
      return clusters.map((row): ClusterRef => ({
        datastoreId: row.datastore_id,
        ownerId: row.owner_id,
        engine: row.engine,
        version: row.version,
        nodes: (nodesOf.get(row.datastore_id) ?? []).map(nodeFrom),
        ...(row.parameters === null ? {} : { parameters: Parameters.parse(JSON.parse(row.parameters)) }),
      }))
    }),

  hosts: (datastoreId) =>
    asking('list the hosts of a cluster', async (db) => {
      const known = db.selectFrom('hosts').selectAll().where('datastore_id', '=', datastoreId)
      const rows = await known.orderBy('name').execute()
      return rows.map((row): HostRow => ({
        nodeId: row.node_id,
        datastoreId: row.datastore_id,
        role: Role.parse(row.role),
        status: Status.parse(row.status),
        lagBytes: row.lag_bytes,
        lastSeenAt: row.last_seen?.toISOString() ?? null,
        shutDown: row.shut_down === 1,
      }))
    }),

  seen: (nodeId, { role, status, lagBytes, lastSeenAt }) =>
    asking('keep what was seen of a host', async (db) => {
      const at = lastSeenAt === undefined ? {} : { last_seen: new Date(lastSeenAt) }
      const columns = { role, status, lag_bytes: lagBytes, ...at }
      await db.updateTable('hosts').set(columns).where('node_id', '=', nodeId).execute()
    }),

  intend: (nodeId, { shutDown }) =>
    asking('keep what is intended for a host', async (db) => {
      await db.updateTable('hosts').set({ shut_down: shutDown ? 1 : 0 }).where('node_id', '=', nodeId).execute()
    }),
})

const UNSEEN = { role: 'unknown', status: 'CmonHostUnknown', lag_bytes: null, last_seen: null, shut_down: 0 } as const

const register = async (db: Kysely<ControllerDb>, cluster: ClusterRef, at: Instant): Promise<void> => {
  const { datastoreId, ownerId, engine, version, nodes, parameters } = cluster
  const chosen = parameters === undefined ? null : JSON.stringify(parameters)
  const row = { owner_id: ownerId, engine, version, parameters: chosen }
  await db
    .insertInto('clusters')
    .values({ datastore_id: datastoreId, ...row, registered_at: new Date(at) })
    .onDuplicateKeyUpdate(row)
    .execute()
  for (const node of nodes) {
    const known = rowOf(node, datastoreId)
    await db
      .insertInto('hosts')
      .values({ node_id: node.nodeId, ...known, ...UNSEEN })
      .onDuplicateKeyUpdate(known)
      .execute()
  }
  const others = db.deleteFrom('hosts').where('datastore_id', '=', datastoreId)
  const ids = nodes.map(({ nodeId }) => nodeId)
  await (ids.length === 0 ? others : others.where('node_id', 'not in', ids)).execute()
}

const rowOf = ({ name, hostname, provider, address, port, instance }: NodeRef, datastoreId: string) => ({
  datastore_id: datastoreId,
  name,
  hostname,
  provider,
  address,
  port,
  instance: JSON.stringify(instance),
})

const nodeFrom = (row: ControllerDb['hosts']): NodeRef => ({
  nodeId: row.node_id,
  name: row.name,
  hostname: row.hostname,
  provider: row.provider,
  address: row.address,
  port: row.port,
  instance: Instance.parse(JSON.parse(row.instance)),
})
