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

const Columns = z.array(z.object({ name: z.string(), type: z.string() }))
const Counts = z.tuple([z.record(z.string(), z.coerce.number())])

type Columns = z.infer<typeof Columns>

const columnsOf = async (client: Asking, schema: string, table: string): Promise<Columns> => {
  const { rows } = await client.query(
    `select attname as name, atttypid::regtype::text as type from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [tableName(schema, table)],
  )
  return Columns.parse(rows)
}

const joined = ({ table, key }: Pick<Projection, 'table' | 'key'>, [one, other]: Side): string =>
  `from ${tableName(one, table)} a full join ${tableName(other, table)} b on a.${id(key)} = b.${id(key)}`

/** The columns that both have, each as an expression that says whether they differ. */
const differs = (ofOne: Columns, ofOther: Columns, key: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ofOne.flatMap(({ name, type }) => {
      const other = ofOther.find((column) => column.name === name)
      if (name === key || other === undefined) return []
      const [a, b] = [`a.${id(name)}`, `b.${id(name)}`]
      // What is kept as another type may still say the same.
      const sides = type === other.type ? [a, b] : [`to_jsonb(${a})`, `to_jsonb(${b})`]
      return [[name, sides.join(' is distinct from ')]]
    }),
  )

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
  const common = Object.entries(differs(ofOne, ofOther, key))
  const [a, b] = [`a.${id(key)} is not null`, `b.${id(key)} is not null`]
  const ask = async (counts: readonly string[]): Promise<Readonly<Record<string, number>>> =>
    Counts.parse((await client.query(`select ${counts.join(', ')} ${joined(projection, [one, other])}`)).rows)[0]
  const rowDiffers = ['false', ...common.map(([, differ]) => differ)].join(' or ')
  const totals = await ask([
    'count(*) as rows', `count(*) filter (where ${a} and ${b}) as both`,
    `count(*) filter (where ${a}) as one`, `count(*) filter (where ${b}) as other`,
    `count(*) filter (where ${a} and ${b} and (${rowDiffers})) as otherwise`,
  ])
  const { rows = 0, both = 0, one: inOne = 0, other: inOther = 0, otherwise = 0 } = totals
  // Which columns, is asked only of tables that differ: it takes several times as long.
  const counted = common.map(([, differ], n) => `count(*) filter (where ${a} and ${b} and ${differ}) as c${n}`)
  const found = otherwise === 0 ? {} : await ask(counted)
  const columns = common.map(([name], n) => [name, found[`c${n}`] ?? 0] as const).filter(([, count]) => count > 0)
  const only = (these: Columns, those: Columns) =>
    these.map(({ name }) => name).filter((name) => those.every((column) => column.name !== name))
  return {
    rows,
    onlyInOne: inOne - both,
    onlyInOther: inOther - both,
    columns: Object.fromEntries(columns),
    columnsOfOne: only(ofOne, ofOther),
    columnsOfOther: only(ofOther, ofOne),
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
