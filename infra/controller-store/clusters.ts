import { sql, type Kysely } from 'kysely'
import { z } from 'zod'
import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { ControllerStore, HostRow } from './controller-store.ts'
import type { Asking } from './mysql.ts'
import type { ControllerDb } from './schema.ts'
import { standingOf } from './standing.ts'

const Instance = z.object({ code: z.string(), cpu: z.number(), ramGb: z.number() })
const Parameters = z.record(z.string(), z.string())
const Role = z.enum(['primary', 'replica', 'unknown'])
const Status = z.enum([
  'CmonHostUnknown', 'CmonHostOnline', 'CmonHostOffLine', 'CmonHostFailed', 'CmonHostRecovery', 'CmonHostShutDown',
])

type Tables = Pick<
  ControllerStore,
  'registerCluster' | 'forgetCluster' | 'clusters' | 'watched' | 'hosts' | 'seen' | 'intend' | 'toldLost' | 'toldWell'
>

/** The part of the store that knows clusters and hosts. */
export const clusterTables = (asking: Asking): Tables => ({
  registerCluster: (cluster, at) =>
    asking('register a cluster', (db) => db.transaction().execute((transaction) => register(transaction, cluster, at))),

  forgetCluster: (datastoreId) =>
    asking('forget a cluster', (db) =>
      db.transaction().execute(async (transaction) => {
        // Its own row first: whoever raises an alarm of it is either before, or finds no cluster.
        for (const table of ['clusters', 'hosts', 'alarms'] as const) {
          await transaction.deleteFrom(table).where('datastore_id', '=', datastoreId).execute()
        }
      }),
    ),

  clusters: () =>
    asking('list the clusters', async (db) => {
      const clusters = await db.selectFrom('clusters').selectAll().orderBy('registered_at').execute()
      const hosts = await db.selectFrom('hosts').selectAll().orderBy('name').execute()
      const hostsOf = Map.groupBy(hosts, (host) => host.datastore_id)
      return clusters.map((row) => clusterFrom(row, hostsOf.get(row.datastore_id) ?? []))
    }),

  watched: (slots) =>
    asking('list the clusters to watch', (db) =>
      // One view of both tables: a fence is seen with the epoch that made it.
      db.transaction().execute(async (transaction) => {
        if (slots.length === 0) return []
        const known = transaction.selectFrom('clusters').selectAll().where('slot', 'in', slots)
        const clusters = await known.orderBy('datastore_id').execute()
        const hosts = await transaction
          .selectFrom('hosts')
          .selectAll('hosts')
          .innerJoin('clusters', 'clusters.datastore_id', 'hosts.datastore_id')
          .where('clusters.slot', 'in', slots)
          .orderBy('hosts.name')
          .execute()
        const hostsOf = Map.groupBy(hosts, (host) => host.datastore_id)
        return clusters.map((row) => {
          const own = hostsOf.get(row.datastore_id) ?? []
          return { cluster: clusterFrom(row, own), standing: standingOf(row, own), hosts: own.map(hostFrom) }
        })
      }),
    ),

  hosts: (datastoreId) =>
    asking('list the hosts of a cluster', async (db) => {
      const known = db.selectFrom('hosts').selectAll().where('datastore_id', '=', datastoreId)
      return (await known.orderBy('name').execute()).map(hostFrom)
    }),

  seen: (nodeId, { role, status, lagBytes, lastSeenAt, positionBytes }) =>
    asking('keep what was seen of a host', async (db) => {
      const at = lastSeenAt === undefined ? {} : { last_seen: new Date(lastSeenAt) }
      const position = positionBytes === undefined ? {} : { position_bytes: positionBytes }
      const columns = { role, status, lag_bytes: lagBytes, ...at, ...position }
      await db.updateTable('hosts').set(columns).where('node_id', '=', nodeId).execute()
    }),

  intend: (nodeId, { shutDown }) =>
    asking('keep what is intended for a host', async (db) => {
      await db.updateTable('hosts').set({ shut_down: shutDown ? 1 : 0 }).where('node_id', '=', nodeId).execute()
    }),

  toldLost: (nodeId, at) =>
    asking('keep that a host was told to be lost', async (db) => {
      const first = sql<Date>`coalesce(lost_since, ${new Date(at)})`
      await db.updateTable('hosts').set({ told_lost_at: new Date(at), lost_since: first }).where('node_id', '=', nodeId).execute()
    }),

  toldWell: (nodeId, lostAt) =>
    asking('keep that a host was told to be well', async (db) => {
      const lost = db.updateTable('hosts').set({ told_lost_at: null, lost_since: null }).where('node_id', '=', nodeId)
      await lost.where('told_lost_at', '=', new Date(lostAt)).execute()
    }),
})

const UNSEEN = {
  role: 'unknown', status: 'CmonHostUnknown', lag_bytes: null, last_seen: null, position_bytes: null, shut_down: 0,
  fenced_epoch: null, lease_ttl_ms: null, lease_replicas: null, joined: 0, told_lost_at: null, lost_since: null,
} as const

const register = async (db: Kysely<ControllerDb>, cluster: ClusterRef, at: Instant): Promise<void> => {
  const { datastoreId, ownerId, engine, version, nodes, parameters, synchronous, repairAfterSeconds } = cluster
  const row = {
    owner_id: ownerId,
    engine,
    version,
    parameters: parameters === undefined ? null : JSON.stringify(parameters),
    synchronous: synchronous === undefined ? null : Number(synchronous),
    repair_after_seconds: repairAfterSeconds ?? null,
  }
  await db
    .insertInto('clusters')
    .values({ datastore_id: datastoreId, ...row, registered_at: new Date(at), epoch: 0, promoted_epoch: 0, primary_id: null,
      needed_bytes: null })
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

const clusterFrom = (row: ClusterColumns, hosts: readonly ControllerDb['hosts'][]): ClusterRef => ({
  datastoreId: row.datastore_id,
  ownerId: row.owner_id,
  engine: row.engine,
  version: row.version,
  nodes: hosts.map(nodeFrom),
  ...(row.parameters === null ? {} : { parameters: Parameters.parse(JSON.parse(row.parameters)) }),
  ...(row.synchronous === null ? {} : { synchronous: row.synchronous === 1 }),
  ...(row.repair_after_seconds === null ? {} : { repairAfterSeconds: row.repair_after_seconds }),
})
type ClusterColumns = Omit<ControllerDb['clusters'], 'slot'>

const Names = z.array(z.string())

const hostFrom = (row: ControllerDb['hosts']): HostRow => ({
  nodeId: row.node_id,
  datastoreId: row.datastore_id,
  role: Role.parse(row.role),
  status: Status.parse(row.status),
  lagBytes: row.lag_bytes,
  lastSeenAt: row.last_seen?.toISOString() ?? null,
  ...(row.position_bytes === null ? {} : { positionBytes: row.position_bytes }),
  shutDown: row.shut_down === 1,
  fencedEpoch: row.fenced_epoch,
  leaseTtlMs: row.lease_ttl_ms,
  ...(row.lease_replicas === null ? {} : { leaseReplicas: Names.parse(JSON.parse(row.lease_replicas)) }),
  joined: row.joined === 1,
  toldLostAt: row.told_lost_at?.toISOString() ?? null,
  lostSince: row.lost_since?.toISOString() ?? null,
})
