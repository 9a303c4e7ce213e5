import { type Cell, csvLine } from '../csv.ts'
import { type Exporting, pagesOf } from './pages.ts'
import { type Shown, reply } from './shown.ts'

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

const lineOf = (shown: Shown): string => {
  const values = reply(shown)
  return csvLine(Object.values(COLUMNS).map((column) => column(values, shown.row.event)))
}

/** The same entries as a table for people; there is nothing to verify it with. */
export async function* csvOf(exporting: Exporting, size: number): AsyncGenerator<string, void> {
  yield csvLine(Object.keys(COLUMNS))
  for await (const page of pagesOf(exporting, size)) yield page.map(lineOf).join('')
}
