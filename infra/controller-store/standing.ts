import { sql, type Kysely, type Transaction } from 'kysely'
import type { ControllerStore, Standing } from './controller-store.ts'
import type { Asking } from './mysql.ts'
import type { ControllerDb } from './schema.ts'

type Tables = Pick<
  ControllerStore,
  | 'standing' | 'claimPromotion' | 'promoted' | 'fence' | 'unfence' | 'rejoined' | 'adoptPrimary' | 'fencedNodes'
  | 'leased' | 'joins' | 'leaves'
>

/** The part of the store that knows who may take writes. Each decision is one transaction that begins at the cluster's row. */
export const standingTables = (asking: Asking): Tables => ({
  standing: (datastoreId) =>
    asking('tell who may take writes', async (db) => {
      const cluster = db.selectFrom('clusters').select(['epoch', 'primary_id', 'needed_bytes'])
      const row = await cluster.where('datastore_id', '=', datastoreId).executeTakeFirst()
      if (row === undefined) return undefined
      const hosts = db.selectFrom('hosts').select(['node_id', 'fenced_epoch']).where('datastore_id', '=', datastoreId)
      return standingOf(row, await hosts.where('fenced_epoch', 'is not', null).execute())
    }),

  claimPromotion: (datastoreId, epoch, nodeId, heldBytes) =>
    deciding(asking, 'decide on a promotion', datastoreId, async (db, row) => {
      if (row.epoch > epoch) return false
      const isTaken = row.promoted_epoch === epoch && row.primary_id !== null && row.primary_id !== nodeId
      if (epoch > 0 && isTaken) return false
      const host = await db.selectFrom('hosts').select('fenced_epoch').where('node_id', '=', nodeId).executeTakeFirst()
      if (host !== undefined && host.fenced_epoch !== null) return false
      // A repetition comes after what was told of the promotion itself.
      const isRepeated = row.promoted_epoch === epoch && row.primary_id === nodeId && row.needed_bytes !== null
      const needed = heldBytes === undefined || isRepeated ? {} : { needed_bytes: heldBytes }
      await setCluster(db, datastoreId, { epoch, promoted_epoch: epoch, primary_id: nodeId, ...needed })
      return true
    }),

  promoted: (datastoreId, epoch, nodeId, heldBytes) =>
    asking('keep how much a promoted node had', async (db) => {
      const cluster = db.updateTable('clusters').set({ needed_bytes: heldBytes }).where('datastore_id', '=', datastoreId)
      await cluster.where('promoted_epoch', '=', epoch).where('primary_id', '=', nodeId).execute()
    }),

  fence: (datastoreId, nodeId, epoch) =>
    deciding(asking, 'fence a node', datastoreId, async (db, row) => {
      if (row.epoch > epoch) return false
      if (row.promoted_epoch === epoch) {
        const host = db.selectFrom('hosts').select('fenced_epoch').where('node_id', '=', nodeId)
        return (await host.executeTakeFirst())?.fenced_epoch === epoch
      }
      await setCluster(db, datastoreId, { epoch })
      await setHost(db, nodeId, { fenced_epoch: epoch })
      return true
    }),

  unfence: (datastoreId, nodeId, epoch) =>
    deciding(asking, 'take a fence back', datastoreId, async (db, row) => {
      if (row.epoch > epoch || (row.primary_id !== null && row.primary_id !== nodeId)) return false
      // A fence or a promotion of this epoch that comes late finds it decided.
      await setCluster(db, datastoreId, { epoch, promoted_epoch: epoch, primary_id: nodeId })
      await setHost(db, nodeId, { fenced_epoch: null })
      return true
    }),

  adoptPrimary: (datastoreId, nodeId) =>
    deciding(asking, 'keep who the primary is', datastoreId, async (db, row) => {
      if (row.primary_id !== null) return row.primary_id === nodeId
      const host = await db.selectFrom('hosts').select('fenced_epoch').where('node_id', '=', nodeId).executeTakeFirst()
      if (host === undefined || host.fenced_epoch !== null) return false
      await setCluster(db, datastoreId, { primary_id: nodeId })
      return true
    }),

  rejoined: (datastoreId, nodeId, fencedEpoch) =>
    deciding(asking, 'keep that a node has rejoined', datastoreId, async (db, row) => {
      const host = await db.selectFrom('hosts').select('fenced_epoch').where('node_id', '=', nodeId).executeTakeFirst()
      // Repeated, it finds itself done.
      const isSo = host !== undefined && (host.fenced_epoch === fencedEpoch || host.fenced_epoch === null)
      if (!isSo || row.primary_id === nodeId) return false
      await setHost(db, nodeId, { fenced_epoch: null, lease_ttl_ms: null, lease_replicas: null, joined: 1, lost_since: null })
      return true
    }),

  leased: (nodeId, ttlMs, replicas) =>
    asking('keep that a node has a lease', (db) => {
      const names = ttlMs === null || replicas === undefined ? null : JSON.stringify(replicas)
      return setHost(db, nodeId, { lease_ttl_ms: ttlMs, lease_replicas: names })
    }),

  joins: (nodeId) => asking('keep that a node joins', (db) => setHost(db, nodeId, { joined: 1 })),

  leaves: (nodeId) => asking('keep that a node leaves', (db) => setHost(db, nodeId, { joined: 0 })),

  fencedNodes: () =>
    asking('list the fenced nodes', async (db) => {
      const rows = await db.selectFrom('hosts').select('node_id').where('fenced_epoch', 'is not', null).execute()
      return new Set(rows.map((row) => row.node_id))
    }),
})

type Row = Pick<ControllerDb['clusters'], 'epoch' | 'promoted_epoch' | 'primary_id' | 'needed_bytes'>
type Db = Transaction<ControllerDb>

/** One decision about a cluster, while no other is made. A cluster that is not there lets nothing be decided. */
const deciding = (asking: Asking, what: string, datastoreId: string, decide: (db: Db, row: Row) => Promise<boolean>) =>
  asking(what, (db) =>
    db.transaction().execute(async (transaction) => {
      const cluster = transaction.selectFrom('clusters').select(['epoch', 'promoted_epoch', 'primary_id', 'needed_bytes'])
      const row = await cluster.where('datastore_id', '=', datastoreId).modifyEnd(sql`for update`).executeTakeFirst()
      return row === undefined ? false : decide(transaction, row)
    }),
  )

type ClusterColumns = Partial<Row>

const setCluster = async (db: Db, datastoreId: string, columns: ClusterColumns): Promise<void> => {
  await db.updateTable('clusters').set(columns).where('datastore_id', '=', datastoreId).execute()
}

type HostColumns = Partial<
  Pick<ControllerDb['hosts'], 'fenced_epoch' | 'lease_ttl_ms' | 'lease_replicas' | 'joined' | 'lost_since'>
>

const setHost = async (db: Kysely<ControllerDb>, nodeId: string, columns: HostColumns): Promise<void> => {
  await db.updateTable('hosts').set(columns).where('node_id', '=', nodeId).execute()
}

/** @param hosts those of the cluster; others that are not fenced may be among them */
export const standingOf = (
  { epoch, primary_id, needed_bytes }: Omit<Row, 'promoted_epoch'>,
  hosts: readonly Pick<ControllerDb['hosts'], 'node_id' | 'fenced_epoch'>[],
): Standing => ({
  epoch,
  primaryId: primary_id,
  ...(needed_bytes === null ? {} : { neededBytes: needed_bytes }),
  fenced: Object.fromEntries(
    hosts.flatMap(({ node_id, fenced_epoch }) => (fenced_epoch === null ? [] : [[node_id, fenced_epoch] as const])),
  ),
})
