import type { ClientBase, Pool } from 'pg'
import type { Projection } from '../../projections/projection.ts'
import { checkpointsStatement, tableStatements } from '../../projections/tables.ts'
import { id, tableName } from './rows.ts'

/** Where another version of a table is made, and where the one that it replaced is kept. */
export const nextOf = (schema: string): string => `${schema}_next`
export const previousOf = (schema: string): string => `${schema}_previous`

type Tabled = Pick<Projection, 'table'>

/** Makes a schema with its table of checkpoints, if absent. Processes may race. */
const ensureSchema = async (client: ClientBase, schema: string): Promise<void> => {
  await client.query(`create schema if not exists ${id(schema)}`)
  await client.query(checkpointsStatement(schema))
}

/**
 * Makes the schemas of the read models, and in the live one every table that is absent, so that there is something to
 * read. A table that is there is left as it is, whatever its version. Processes may race: one makes, the others wait and
 * find it done.
 */
export const ensureTables = async (
  pool: Pick<Pool, 'connect'>,
  { schema, projections }: { readonly schema: string; readonly projections: readonly Tabled[] },
): Promise<void> => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    // Two sessions that make the same schema at once collide in the catalogue even with "if not exists".
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`ccx tables ${schema}`])
    for (const each of [schema, nextOf(schema), previousOf(schema)]) await ensureSchema(client, each)
    for (const { table } of projections) {
      const { rows } = await client.query('select to_regclass($1) is null as absent', [tableName(schema, table)])
      if (rows[0]?.absent !== true) continue
      const { create, indexes } = tableStatements(schema, table)
      for (const statement of [create, ...indexes]) await client.query(statement)
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** Makes empty tables without their indexes, in place of any that are there, with no checkpoints. */
export const makeTables = async (
  client: ClientBase,
  { schema, projections }: { readonly schema: string; readonly projections: readonly Projection[] },
): Promise<void> => {
  await ensureSchema(client, schema)
  const names = projections.map(({ name }) => name)
  await client.query(`delete from ${tableName(schema, 'checkpoints')} where projection = any($1::text[])`, [names])
  for (const { table } of projections) {
    await client.query(`drop table if exists ${tableName(schema, table)}`)
    await client.query(tableStatements(schema, table).create)
  }
}

/** Gives tables that have been filled their indexes, and the planner its figures. */
export const indexTables = async (
  client: ClientBase,
  { schema, projections }: { readonly schema: string; readonly projections: readonly Tabled[] },
): Promise<void> => {
  for (const { table } of projections) {
    for (const statement of tableStatements(schema, table).indexes) await client.query(statement)
    await client.query(`analyze ${tableName(schema, table)}`)
  }
}
