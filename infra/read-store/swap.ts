import type { ClientBase } from 'pg'
import pg from 'pg'
import type { Projection } from '../../projections/projection.ts'
import { type Checkpoint, moveCheckpoints } from './checkpoints.ts'
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

const forget = (client: ClientBase, schema: string, name: string) =>
  client.query(`delete from ${tableName(schema, 'checkpoints')} where projection = $1`, [name])

const keep = (client: ClientBase, schema: string, name: string, { version, position }: Checkpoint) =>
  moveCheckpoints(client, schema, { projections: [{ name, version }], position })

/**
 * Puts a table beside in the live one's place, with its checkpoint, in one transaction. The live one becomes the
 * previous one. Whoever reads goes on with the one or the other: a query that had to wait finds the table that has the
 * name by then.
 *
 * To be called while the projector is at rest, with both tables at the same position.
 *
 * @param options.beside the schema it comes from: that of tables made anew, or that of previous ones
 * @param options.live the live table's checkpoint; undefined: it has never been filled, and is not kept
 * @param options.incoming the checkpoint of the table that takes its place; undefined: the log is empty
 * @throws TableBusy when the tables are in use; nothing has changed then
 */
export const swap = async (
  client: ClientBase,
  { name, table }: Pick<Projection, 'name' | 'table'>,
  { schema, beside, live, incoming }: {
    readonly schema: string
    readonly beside: string
    readonly live: Checkpoint | undefined
    readonly incoming: Checkpoint | undefined
  },
): Promise<void> => {
  const [next, previous] = [nextOf(schema), previousOf(schema)]
  const move = (here: string, there: string) =>
    client.query(`alter table ${tableName(here, table)} set schema ${id(there)}`)
  const work = async (): Promise<void> => {
    // The name beside may be taken only by what nobody needs any more: it is gone before the live table is locked.
    const aside = beside === next ? previous : next
    await client.query(`drop table if exists ${tableName(aside, table)}`)
    await move(schema, aside)
    await move(beside, schema)
    if (aside === next) await move(next, previous)
    if (live === undefined) await client.query(`drop table ${tableName(previous, table)}`)
    for (const each of [next, previous, schema]) await forget(client, each, name)
    if (live !== undefined) await keep(client, previous, name, live)
    if (incoming !== undefined) await keep(client, schema, name, incoming)
  }
  try {
    await inTransaction(client, work, `set local lock_timeout = ${LOCK_WAIT_MS}`)
  } catch (cause) {
    if (isBusy(cause)) throw new TableBusy(`the table ${table} is in use`, { cause })
    throw cause
  }
}
