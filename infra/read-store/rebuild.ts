import type { ClientBase, Pool } from 'pg'
import { z } from 'zod'
import { type EventStore, type Position, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import { readMigrations } from '../../projections/migrations.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { moveCheckpoints } from './checkpoints.ts'
import type { ReadStore } from './connect.ts'
import { foldInto, inTransaction } from './fold.ts'
import { migrateToLatest } from './migrate.ts'
import { tableName } from './rows.ts'

const BATCH_MAX = 4_000
const DIFFERENCES_MAX = 100

export type Filled = { readonly events: number; readonly position: Position | 'start' }

type Filling = {
  readonly store: Pick<EventStore, 'readAll'>
  readonly schema: string
  readonly projections: readonly Projection[]
  /** Where to stop; default the end of the log as it is when it is reached. */
  readonly upTo?: Position | undefined
  readonly signal?: AbortSignal | undefined
}

/** Takes the log from its start into empty tables. The next batch is read while one is written. */
export const fill = async (
  client: ClientBase,
  { store, schema, projections, upTo, signal }: Filling,
): Promise<Filled> => {
  const read = (after: Position | 'start') => {
    const batch = store.readAll({ after, prefixes: PREFIXES, limit: BATCH_MAX })
    // It may fail before anybody looks at it.
    batch.catch(() => undefined)
    return batch
  }
  let position: Position | 'start' = 'start'
  let count = 0
  for (let batch = await read(position); ; ) {
    signal?.throwIfAborted()
    const events = upTo === undefined ? batch : batch.filter((event) => !isAfter(event.position, upTo))
    const last = events.at(-1)
    if (last === undefined) return { events: count, position }
    position = last.position
    const next = read(position)
    await inTransaction(client, async () => {
      const known = events.filter(isKnown)
      for (const projection of projections) await foldInto(client, schema, projection, known)
    })
    count += events.length
    batch = await next
  }
}

/**
 * Makes every read model anew from the log, in tables of their own beside the live ones.
 *
 * @param options.intoSchema dropped if it exists, and made again
 * @param options.upTo the last position to take in, to compare with tables that have come so far; default the log's end
 * @returns how many events there were, and the position of the last
 */
export const rebuild = async ({ store, readStore, projections, intoSchema, upTo, signal }: {
  readonly store: Pick<EventStore, 'readAll'>
  readonly readStore: Pick<ReadStore<ReadSchema>, 'db' | 'pool'>
  readonly projections: readonly Projection[]
  readonly intoSchema: string
  readonly upTo?: Position
  readonly signal?: AbortSignal
}): Promise<Filled> => {
  const { db, pool } = readStore
  await db.schema.dropSchema(intoSchema).ifExists().cascade().execute()
  await migrateToLatest(db, { schema: intoSchema, migrations: readMigrations(intoSchema) })
  const client = await pool.connect()
  try {
    const filled = await fill(client, { store, schema: intoSchema, projections, upTo, signal })
    const { position } = filled
    if (position !== 'start') await moveCheckpoints(client, intoSchema, { projections, position })
    return filled
  } finally {
    client.release()
  }
}

export type Difference = { readonly table: string; readonly onlyIn: string; readonly row: Row }

const Rows = z.array(z.object({ row: z.record(z.string(), z.json()) }))

/**
 * Compares the read models of two schemas row by row.
 *
 * @returns the rows that one of them has and the other has not, or has otherwise; a hundred at most per table and side
 */
export const compare = async (
  pool: Pool,
  projections: readonly Pick<Projection, 'table'>[],
  [one, other]: readonly [string, string],
): Promise<readonly Difference[]> => {
  const differences: Difference[] = []
  for (const { table } of projections) {
    for (const [here, there] of [[one, other], [other, one]] as const) {
      const { rows } = await pool.query(
        `select to_jsonb(t) as row from ${tableName(here, table)} t
         except all select to_jsonb(t) from ${tableName(there, table)} t limit ${DIFFERENCES_MAX}`,
      )
      differences.push(...Rows.parse(rows).map(({ row }) => ({ table, onlyIn: here, row })))
    }
  }
  return differences
}
