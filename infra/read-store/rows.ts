import pg, { type ClientBase } from 'pg'
import { z } from 'zod'
import type { Projection, Row } from '../../projections/projection.ts'

/** A projection's table in one of the schemas that have such tables. */
export type Table = { readonly schema: string; readonly projection: Projection }

export const id = pg.escapeIdentifier

export const tableName = (schema: string, table: string): string => `${id(schema)}.${id(table)}`

const Loaded = z.array(z.object({ key: z.string(), row: z.record(z.string(), z.json()) }))

/** The database writes instants in its own way; the fold knows only one. */
const asFolded = (row: Row, times: readonly string[]): Row => ({
  ...row,
  ...Object.fromEntries(
    times.flatMap((column) => {
      const value = row[column]
      return typeof value === 'string' ? [[column, new Date(value).toISOString()] as const] : []
    }),
  ),
})

/** The rows with these keys, as the projection's fold knows them. */
export const loadRows = async (
  client: ClientBase,
  { schema, projection }: Table,
  keys: readonly string[],
): Promise<Map<string, Row>> => {
  const { table, key, columns } = projection
  const name = tableName(schema, table)
  const text = `select ${id(key)} as key, to_jsonb(t) as row from ${name} t where ${id(key)} = any($1::text[])`
  const { rows } = await client.query(text, [keys])
  const times = Object.keys(columns).filter((column) => columns[column] === 'time')
  return new Map(Loaded.parse(rows).map((found) => [found.key, asFolded(found.row, times)]))
}

// Postgres takes neither NUL nor half a surrogate pair, and a worker's remark may hold either.
const UNSTORABLE = /\\u(?:0000|d[89a-f])/i

/** As JSON that Postgres takes. */
export const storable = (json: Row[string] | readonly Row[]): string => {
  const text = JSON.stringify(json)
  if (!UNSTORABLE.test(text)) return text
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\u{FFFD}') : value,
  )
}

/** Inserts the rows, or replaces those that are there. */
export const putRows = async (
  client: ClientBase,
  { schema, projection }: Table,
  rows: readonly Row[],
): Promise<void> => {
  if (rows.length === 0) return
  const table = tableName(schema, projection.table)
  const columns = Object.keys(projection.columns)
  const list = columns.map(id).join(', ')
  const changes = columns
    .filter((column) => column !== projection.key)
    .map((column) => `${id(column)} = excluded.${id(column)}`)
  const text = `insert into ${table} (${list})
    select ${list} from json_populate_recordset(null::${table}, $1::json)
    on conflict (${id(projection.key)}) do update set ${changes.join(', ')}`
  await client.query(text, [storable(rows)])
}

export const deleteRows = async (
  client: ClientBase,
  { schema, projection }: Table,
  keys: readonly string[],
): Promise<void> => {
  if (keys.length === 0) return
  const table = tableName(schema, projection.table)
  await client.query(`delete from ${table} where ${id(projection.key)} = any($1::text[])`, [keys])
}
