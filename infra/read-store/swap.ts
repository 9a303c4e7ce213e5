import pg, { type ClientBase } from 'pg'
import type { Projection } from '../../projections/projection.ts'
import { inTransaction } from './fold.ts'
import { id, tableName } from './rows.ts'
import { nextOf, previousOf } from './tables.ts'

/** Readers that come meanwhile wait behind the swap, so it does not wait longer than this for those before it. */
const LOCK_WAIT_MS = 20

/** The table is being read, or looked after by the database; it may be swapped a moment later. */
export class TableBusy extends Error {
  override readonly name = 'TableBusy'
}

const LOCK_NOT_AVAILABLE = '55P03'
const DEADLOCK_DETECTED = '40P01'
const isBusy = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === LOCK_NOT_AVAILABLE || error.code === DEADLOCK_DETECTED)

/** In SQL, the statements that put a projection's table and checkpoint from one schema into another, where none is. */
const moving = ({ name, table }: Pick<Projection, 'name' | 'table'>, here: string, there: string): readonly string[] => {
  const [from, to] = [tableName(here, 'checkpoints'), tableName(there, 'checkpoints')]
  const own = `projection = ${pg.escapeLiteral(name)}`
  return [
    `alter table ${tableName(here, table)} set schema ${id(there)}`,
    `delete from ${to} where ${own}`,
    `insert into ${to} select * from ${from} where ${own}`,
    `delete from ${from} where ${own}`,
  ]
}

/**
 * Gives up the previous table, to be done before the projector waits for a swap: the files of a long table take long to
 * remove.
 */
export const dropPrevious = (
  client: ClientBase,
  { name, table }: Pick<Projection, 'name' | 'table'>,
  schema: string,
): Promise<void> =>
  inTransaction(client, async () => {
    await client.query(`drop table if exists ${tableName(previousOf(schema), table)}`)
    await client.query(`delete from ${tableName(previousOf(schema), 'checkpoints')} where projection = $1`, [name])
  })

/**
 * Puts a table beside in the live one's place, with its checkpoint, in one transaction and one round trip. The live one
 * becomes the previous one. Whoever reads goes on with the one or the other: a query that had to wait finds the table
 * that has the name by then.
 *
 * To be called while the projector is at rest, with both tables at the same position.
 *
 * @param options.beside the schema it comes from: that of tables made anew, or that of previous ones
 * @param options.keepLive false: the live table has never been filled, and is not kept as the previous one
 * @throws TableBusy when the tables are in use; nothing has changed then
 */
export const swap = async (
  client: ClientBase,
  projection: Pick<Projection, 'name' | 'table'>,
  { schema, beside, keepLive }: { readonly schema: string; readonly beside: string; readonly keepLive: boolean },
): Promise<void> => {
  const [next, previous] = [nextOf(schema), previousOf(schema)]
  const { table } = projection
  const drop = (where: string): string => `drop table if exists ${tableName(where, table)}`
  const statements = [
    // What a crash of the database takes back, it takes back whole.
    'begin; set local synchronous_commit = off',
    `set local lock_timeout = ${LOCK_WAIT_MS}`,
    // Out of the way first, so that the name of the previous table is free.
    ...(beside === previous ? [drop(next), ...moving(projection, previous, next)] : [drop(previous)]),
    ...moving(projection, schema, previous),
    ...moving(projection, next, schema),
    ...(keepLive ? [] : [drop(previous)]),
    'commit',
  ]
  try {
    await client.query(statements.join(';\n'))
  } catch (cause) {
    await client.query('rollback').catch(() => undefined)
    if (isBusy(cause)) throw new TableBusy(`the table ${table} is in use`, { cause })
    throw cause
  }
}
