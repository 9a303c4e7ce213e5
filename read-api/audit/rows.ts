import type { Kysely, Selectable } from 'kysely'
import type { AuditCheckpointRow, AuditEntryRow, AuditSchema } from '../../projections/audit-schema.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { hexOf } from '../../domain/audit/export.ts'
import type { Checkpoint } from '../../domain/audit/checkpoint.ts'
import type { Filter } from './asked.ts'

/** The read models' schema is the one that names without a schema mean. */
export type AuditDb = Kysely<AuditSchema & ReadSchema>

export type EntryRow = Selectable<AuditEntryRow>

/** A part of a trail: at most `limit` entries after or before `cursor`. */
export type Part = {
  readonly organisation: string
  readonly filter: Filter
  readonly order: 'newest' | 'oldest'
  readonly cursor?: string | undefined
  readonly limit: number
  /** Only the entries before this one; default all there are. */
  readonly below?: number | undefined
}

/** Entries of a trail, in order. The time it takes does not depend on how far into the trail they are. */
export const entriesOf = (db: AuditDb, { organisation, filter, order, cursor, limit, below }: Part): Promise<EntryRow[]> => {
  const [after, direction] = order === 'oldest' ? (['>', 'asc'] as const) : (['<', 'desc'] as const)
  let query = db.selectFrom('audit.entries').selectAll().where('organisation_id', '=', organisation).limit(limit)
  if (filter.actor !== undefined) query = query.where('actor_id', '=', filter.actor)
  if (filter.client !== undefined) query = query.where('client_id', '=', filter.client)
  if (filter.type !== undefined) query = query.where('type', '=', filter.type)
  if (filter.object !== undefined) query = query.where('object_id', '=', filter.object)
  if (filter.request_id !== undefined) query = query.where('request_id', '=', filter.request_id)
  if (filter.correlation_id !== undefined) query = query.where('correlation_id', '=', filter.correlation_id)
  if (filter.from !== undefined) query = query.where('at', '>=', new Date(filter.from))
  if (filter.to !== undefined) query = query.where('at', '<', new Date(filter.to))
  if (below !== undefined) query = query.where('n', '<', `${below}`)
  if (filter.datastore === undefined) {
    if (cursor !== undefined) query = query.where('n', after, cursor)
    return query.orderBy('n', direction).execute()
  }
  // The index of a datastore's entries is by position, which within a trail goes with n.
  if (cursor !== undefined) {
    const of = db.selectFrom('audit.entries').select('position').where('organisation_id', '=', organisation)
    query = query.where('position', after, of.where('n', '=', cursor))
  }
  return query.where('datastore_id', '=', filter.datastore).orderBy('position', direction).execute()
}

export const checkpointOf = (row: Selectable<AuditCheckpointRow>): Checkpoint => ({
  organisationId: row.organisation_id,
  size: Number(row.size),
  rootHash: hexOf(row.root_hash),
  chainHash: hexOf(row.chain_hash),
  position: row.position,
  at: row.at.toISOString(),
  keyId: row.key_id,
  signature: Buffer.from(row.signature).toString('base64'),
})

/** The newest checkpoints of a trail, of fewer than `below` entries if that is given; newest first. */
export const checkpointsOf = async (
  db: AuditDb,
  organisation: string,
  { limit, below }: { readonly limit: number; readonly below?: string | undefined },
): Promise<readonly Checkpoint[]> => {
  let query = db.selectFrom('audit.checkpoints').selectAll().where('organisation_id', '=', organisation)
  if (below !== undefined) query = query.where('size', '<', below)
  return (await query.orderBy('size', 'desc').limit(limit).execute()).map(checkpointOf)
}

/** The newest checkpoint of a trail; undefined as long as there is none. */
export const lastCheckpoint = async (db: AuditDb, organisation: string): Promise<Checkpoint | undefined> =>
  (await checkpointsOf(db, organisation, { limit: 1 }))[0]

/** Every public key that checkpoints are or were signed with, oldest first. */
export const keysOf = async (db: AuditDb) => {
  const rows = await db.selectFrom('audit.keys').selectAll().orderBy('introduced_at').orderBy('key_id').execute()
  return rows.map(({ key_id, public_key, introduced_at }) => ({
    key_id,
    public_key,
    introduced_at: introduced_at.toISOString(),
  }))
}
