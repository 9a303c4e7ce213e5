import type { ClientBase } from 'pg'
import { z } from 'zod'
import type { Projection, Row } from '../../projections/projection.ts'
import { id, tableName } from './rows.ts'

const DIFFERENCES_MAX = 100

type Side = readonly [one: string, other: string]
type Asking = Pick<ClientBase, 'query'>

/** How the tables of a projection in two schemas differ, in numbers of rows. */
export type Comparison = {
  readonly rows: number
  readonly onlyInOne: number
  readonly onlyInOther: number
  /** Rows that both have, by the columns in which they differ. */
  readonly columns: Readonly<Record<string, number>>
  /** Columns that only one of the tables has. */
  readonly columnsOfOne: readonly string[]
  readonly columnsOfOther: readonly string[]
}

export const isSame = ({ onlyInOne, onlyInOther, columns, columnsOfOne, columnsOfOther }: Comparison): boolean =>
  onlyInOne + onlyInOther + Object.keys(columns).length + columnsOfOne.length + columnsOfOther.length === 0

const Columns = z.array(z.object({ name: z.string() }))
const Counts = z.tuple([z.record(z.string(), z.coerce.number())])

const columnsOf = async (client: Asking, schema: string, table: string): Promise<readonly string[]> => {
  const { rows } = await client.query(
    `select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
     order by attnum`,
    [tableName(schema, table)],
  )
  return Columns.parse(rows).map(({ name }) => name)
}

const joined = ({ table, key }: Pick<Projection, 'table' | 'key'>, [one, other]: Side): string =>
  `from ${tableName(one, table)} a full join ${tableName(other, table)} b on a.${id(key)} = b.${id(key)}`

/**
 * Compares a projection's tables in two schemas row by row; they may be of different versions. For figures that belong
 * together it runs in a transaction with one snapshot.
 */
export const comparison = async (
  client: Asking,
  projection: Pick<Projection, 'table' | 'key'>,
  [one, other]: Side,
): Promise<Comparison> => {
  const { table, key } = projection
  const [ofOne, ofOther] = [await columnsOf(client, one, table), await columnsOf(client, other, table)]
  const common = ofOne.filter((column) => column !== key && ofOther.includes(column))
  const [a, b] = [`a.${id(key)}`, `b.${id(key)}`]
  const counts = common.map((column, n) => {
    const differ = `to_jsonb(a.${id(column)}) is distinct from to_jsonb(b.${id(column)})`
    return `count(*) filter (where ${a} is not null and ${b} is not null and ${differ}) as c${n}`
  })
  const { rows } = await client.query(
    `select ${['count(*) as rows', `count(*) filter (where ${b} is null) as one`,
      `count(*) filter (where ${a} is null) as other`, ...counts].join(', ')} ${joined(projection, [one, other])}`,
  )
  const [found] = Counts.parse(rows)
  const differing = common.map((column, n) => [column, found[`c${n}`] ?? 0] as const).filter(([, count]) => count > 0)
  return {
    rows: found['rows'] ?? 0,
    onlyInOne: found['one'] ?? 0,
    onlyInOther: found['other'] ?? 0,
    columns: Object.fromEntries(differing),
    columnsOfOne: ofOne.filter((column) => !ofOther.includes(column)),
    columnsOfOther: ofOther.filter((column) => !ofOne.includes(column)),
  }
}

export type Difference = { readonly table: string; readonly onlyIn: string; readonly row: Row }

const ASide = z.record(z.string(), z.json()).nullable()
const Pairs = z.array(z.object({ one: ASide, other: ASide }))

/**
 * Compares the read models of two schemas row by row.
 *
 * @returns the rows that one of them has and the other has not, or has otherwise; those of a hundred keys at most per
 *   table
 */
export const compare = async (
  client: Asking,
  projections: readonly Pick<Projection, 'table' | 'key'>[],
  [one, other]: Side,
): Promise<readonly Difference[]> => {
  const differences: Difference[] = []
  for (const projection of projections) {
    const { table, key } = projection
    const { rows } = await client.query(
      `select to_jsonb(a) as one, to_jsonb(b) as other ${joined(projection, [one, other])}
       where to_jsonb(a) is distinct from to_jsonb(b)
       order by coalesce(a.${id(key)}, b.${id(key)}) limit ${DIFFERENCES_MAX}`,
    )
    const pairs = Pairs.parse(rows)
    for (const [onlyIn, side] of [[one, 'one'], [other, 'other']] as const) {
      differences.push(...pairs.flatMap(({ [side]: row }) => (row === null ? [] : [{ table, onlyIn, row }])))
    }
  }
  return differences
}
