import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import type { JsonValue } from '../../domain/kernel/json.ts'
import type { DatastoreRow, JobRow, NodesRow } from '../../projections/schema.ts'
import { datastoreReplyOf, nodeReplyOf } from '../rows.ts'

/** What a datastore shows of itself, under the names that the replies have for it. */
export type Fields = ReadonlyMap<string, JsonValue>

/** The present job comes and goes as a whole, so it is one field. */
const WHOLE = new Set(['current_job'])
/** Of the past no password is told. */
const HIDDEN = new Set(['db_account.database_password'])

const isRecord = (value: JsonValue): value is { readonly [key: string]: JsonValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const spread = (prefix: string, value: JsonValue, into: Map<string, JsonValue>): void => {
  if (!isRecord(value) || WHOLE.has(prefix)) {
    if (!HIDDEN.has(prefix)) into.set(prefix, value)
    return
  }
  for (const [name, member] of Object.entries(value)) spread(prefix === '' ? name : `${prefix}.${name}`, member, into)
}

/**
 * The fields of a datastore itself.
 *
 * @param isDeleted the row is then the last that there was
 */
export const datastoreFields = (
  catalogue: Catalogue,
  { row, jobs, isDeleted }: { readonly row: DatastoreRow; readonly jobs: readonly JobRow[]; readonly isDeleted: boolean },
): Fields => {
  const fields = new Map<string, JsonValue>()
  const text = 'The datastore is deleted'
  const ended = { cluster_status: 'DELETED', cluster_status_text: text, not_operable_reason: text }
  spread('', { ...datastoreReplyOf(catalogue, row, jobs, null), ...(isDeleted ? ended : {}) }, fields)
  return fields
}

/** The fields of a datastore's nodes: `nodes.<hostname>.<field>`. */
export const nodesFields = (catalogue: Catalogue, row: NodesRow | undefined): Fields => {
  const fields = new Map<string, JsonValue>()
  for (const node of row?.nodes ?? []) {
    if (row !== undefined) spread(`nodes.${node.hostname}`, nodeReplyOf(catalogue, row, node), fields)
  }
  return fields
}
