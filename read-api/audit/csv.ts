import { type Exporting, pagesOf } from './pages.ts'
import { type Shown, reply } from './shown.ts'

type Cell = string | number | null

/** A spreadsheet takes a cell that begins so for a formula, and would do as it says. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

/** A cell by RFC 4180, quoted always; an apostrophe makes text of what would be taken for a formula. */
const cell = (value: Cell): string => {
  if (value === null) return ''
  const text = String(value)
  return `"${(typeof value === 'string' && FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

const COLUMNS: Readonly<Record<string, (shown: ReturnType<typeof reply>, event: string) => Cell>> = {
  n: ({ n }) => n,
  position: ({ position }) => position,
  at: ({ at }) => at,
  type: ({ type }) => type,
  object_kind: ({ object_kind }) => object_kind,
  object_id: ({ object_id }) => object_id,
  datastore_id: ({ datastore_id }) => datastore_id,
  actor_kind: ({ actor }) => actor.kind,
  actor_id: ({ actor }) => actor.id,
  actor_login: ({ actor }) => actor.login,
  client_id: ({ actor }) => actor.client_id,
  role: ({ actor }) => actor.role,
  address: ({ actor }) => actor.address,
  command: ({ command }) => command,
  command_id: ({ command_id }) => command_id,
  correlation_id: ({ correlation_id }) => correlation_id,
  causation_id: ({ causation_id }) => causation_id,
  request_id: ({ request_id }) => request_id,
  event: (_, event) => event,
  leaf_hash: ({ leaf_hash }) => leaf_hash,
  chain_hash: ({ chain_hash }) => chain_hash,
}

const row = (cells: readonly string[]): string => `${cells.join(',')}\r\n`

const rowOf = (shown: Shown): string => {
  const values = reply(shown)
  return row(Object.values(COLUMNS).map((column) => cell(column(values, shown.row.event))))
}

/** The same entries as a table for people; there is nothing to verify it with. */
export async function* csvOf(exporting: Exporting, size: number): AsyncGenerator<string, void> {
  yield row(Object.keys(COLUMNS).map(cell))
  for await (const page of pagesOf(exporting, size)) yield page.map(rowOf).join('')
}
