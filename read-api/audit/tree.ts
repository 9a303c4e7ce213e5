import { sql } from 'kysely'
import { z } from 'zod'
import type { Sha256 } from '../../domain/audit/chain.ts'
import { hexOf } from '../../domain/audit/export.ts'
import { type Range, consistencyRanges, inclusionRanges } from '../../domain/audit/merkle.ts'
import { rangeHashes, runsOf } from '../../domain/audit/stored-tree.ts'
import type { AuditDb } from './rows.ts'

const Hashes = z.array(z.object({ level: z.int(), index: z.coerce.number(), hash: z.instanceof(Uint8Array) }))

/** The hashes of ranges of an organisation's tree, from one question. */
const hashesOf = async (
  db: AuditDb,
  { organisation, ranges, sha256 }: {
    readonly organisation: string
    readonly ranges: readonly Range[]
    readonly sha256: Sha256
  },
): Promise<(range: Range) => Uint8Array> => {
  const runs = runsOf(ranges)
  const of = (part: typeof runs) => [part.map(({ level }) => level), part.map(({ from }) => from), part.map(({ to }) => to)]
  const [, from, to] = of(runs.filter(({ level }) => level === 0))
  const [levels, begin, end] = of(runs.filter(({ level }) => level > 0))
  const { rows } = await sql`
    select 0 as level, e.n as index, e.leaf_hash as hash
    from unnest(${from}::bigint[], ${to}::bigint[]) as run (a, b)
    join audit.entries e on e.organisation_id = ${organisation} and e.n >= run.a and e.n < run.b
    union all
    select d.level, d.index, d.hash
    from unnest(${levels}::integer[], ${begin}::bigint[], ${end}::bigint[]) as run (l, a, b)
    join audit.nodes d on d.organisation_id = ${organisation} and d.level = run.l and d.index >= run.a and d.index < run.b
  `.execute(db)
  const found = new Map(Hashes.parse(rows).map(({ level, index, hash }) => [`${level}:${index}`, hash]))
  return rangeHashes(sha256, (level, index) => {
    const hash = found.get(`${level}:${index}`)
    if (hash === undefined) throw new Error(`BUG: the tree of ${organisation} lacks node ${index} of level ${level}`)
    return hash
  })
}

export type TreeQueries = { readonly db: AuditDb; readonly sha256: Sha256 }

/** How many entries a trail has. */
export const sizeOf = async (db: AuditDb, organisation: string): Promise<number> => {
  const row = await db
    .selectFrom('audit.chains')
    .select('size')
    .where('organisation_id', '=', organisation)
    .executeTakeFirst()
  return Number(row?.size ?? 0)
}

/** The root of the tree of the first `size` entries, and for each `n` the proof that it is in there, all in hexadecimal. */
export const inclusionProofs = async (
  { db, sha256 }: TreeQueries,
  { organisation, size, places }: {
    readonly organisation: string
    readonly size: number
    readonly places: readonly number[]
  },
): Promise<{ readonly root: string; readonly proofs: readonly (readonly string[])[] }> => {
  const whole = { start: 0, end: size }
  const wanted = places.map((n) => inclusionRanges(n, size))
  const hash = await hashesOf(db, { organisation, ranges: [whole, ...wanted.flat()], sha256 })
  return { root: hexOf(hash(whole)), proofs: wanted.map((ranges) => ranges.map((range) => hexOf(hash(range)))) }
}

/** The proof that a trail of `to` entries begins with that of `from`, with both roots, all in hexadecimal. */
export const consistencyProof = async (
  { db, sha256 }: TreeQueries,
  { organisation, from, to }: { readonly organisation: string; readonly from: number; readonly to: number },
): Promise<{ readonly roots: readonly [string, string]; readonly proof: readonly string[] }> => {
  const [older, newer] = [{ start: 0, end: from }, { start: 0, end: to }]
  const ranges = from === 0 ? [] : consistencyRanges(from, to)
  const hash = await hashesOf(db, { organisation, ranges: [older, newer, ...ranges], sha256 })
  return { roots: [hexOf(hash(older)), hexOf(hash(newer))], proof: ranges.map((range) => hexOf(hash(range))) }
}
