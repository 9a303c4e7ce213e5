import type { Checkpoint } from '../../domain/audit/checkpoint.ts'
import { EXPORT_FORMAT, hexOf } from '../../domain/audit/export.ts'
import { canonicalJson } from '../../domain/kernel/canonical-json.ts'
import { type Exporting, pagesOf } from './pages.ts'
import { checkpointOf, keysOf } from './rows.ts'
import type { Shown } from './shown.ts'
import { inclusionProofs } from './tree.ts'

const line = (value: object): string => `${JSON.stringify(value)}\n`

const entryLine = ({ row, opened, login }: Shown, proof?: readonly string[]): string => {
  const hashes = `"leaf_hash":"${hexOf(row.leaf_hash)}","chain_hash":"${hexOf(row.chain_hash)}"`
  const proven = proof === undefined ? '' : `,"proof":${JSON.stringify(proof)}`
  const beside = { ...opened, ...(login === null ? {} : { actor_login: login }) }
  // The entry is written as it was hashed.
  return `{"kind":"entry","entry":${row.event},${hashes}${proven},"opened":${canonicalJson(beside)}}\n`
}

/** The checkpoints that cover more than `from` and no more than `to` entries, by how many they cover. */
const checkpointsIn = async ({ db, organisation }: Exporting, from: number, to: number) => {
  const rows = await db
    .selectFrom('audit.checkpoints')
    .selectAll()
    .where('organisation_id', '=', organisation)
    .where('size', '>', `${from}`)
    .where('size', '<=', `${to}`)
    .execute()
  return new Map(rows.map((row) => [Number(row.size), checkpointOf(row)]))
}

const checkpointLine = (checkpoint: Checkpoint | undefined): string =>
  checkpoint === undefined ? '' : line({ kind: 'checkpoint', checkpoint })

const completePage = async (exporting: Exporting, page: readonly Shown[]): Promise<string> => {
  const places = page.map(({ row }) => Number(row.n) + 1)
  const checkpoints = await checkpointsIn(exporting, (places[0] ?? 1) - 1, places.at(-1) ?? 0)
  return page.map((shown, n) => entryLine(shown) + checkpointLine(checkpoints.get(places[n] ?? 0))).join('')
}

const filteredPage = async (exporting: Exporting, page: readonly Shown[], size: number): Promise<string> => {
  const { organisation } = exporting
  const places = page.map(({ row }) => Number(row.n))
  const { proofs } = await inclusionProofs(exporting, { organisation, size, places })
  return page.map((shown, n) => entryLine(shown, proofs[n])).join('')
}

/**
 * An export that can be verified: one JSON value a line (`ExportLine`). Without a filter it has everything up to the
 * last checkpoint and all checkpoints in their places; with one, a proof of inclusion beside each entry.
 */
export async function* jsonOf(exporting: Exporting, checkpoint: Checkpoint | undefined): AsyncGenerator<string, void> {
  const { db, organisation, filter } = exporting
  const complete = Object.keys(filter).length === 0
  const size = checkpoint?.size ?? 0
  yield line({ kind: 'header', format: EXPORT_FORMAT, organisation, complete, size, filter })
  for (const key of await keysOf(db)) yield line({ kind: 'key', ...key })
  if (!complete) yield checkpointLine(checkpoint)
  let entries = 0
  for await (const page of pagesOf(exporting, size)) {
    yield complete ? await completePage(exporting, page) : await filteredPage(exporting, page, size)
    entries += page.length
  }
  yield line({ kind: 'end', entries })
}
