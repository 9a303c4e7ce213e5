import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { isOutdated } from '../domain/catalogue/server-config.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { NodesRow } from '../projections/schema.ts'
import type { Datastore } from './rows.ts'

export const upgradeReply = z.object({
  upgrade_available: z.boolean().meta({ description: 'There is a newer image or software than some node was built from.' }),
  upgrade_nodes: z.array(z.string()).meta({ description: 'The `host_uuid`s of those nodes.' }),
  upgrade_in_window: z.boolean().meta({ description: 'They are replaced when the maintenance window opens.' }),
})

/**
 * What is to be told of upgrades of a datastore.
 *
 * @param rows the nodes of this datastore, and maybe of others
 */
export const upgradeReplyOf = (
  catalogue: Catalogue,
  { datastore_id, upgrade_in_window: wanted }: Datastore,
  rows: readonly NodesRow[],
  now: Instant,
): z.infer<typeof upgradeReply> => {
  const nodes = rows.find((row) => row.datastore_id === datastore_id)?.nodes ?? []
  const due = nodes.filter(({ created_at }) => isOutdated(catalogue, created_at, now))
  return {
    upgrade_available: due.length > 0,
    upgrade_nodes: due.map(({ node_id }) => node_id),
    upgrade_in_window: wanted !== null && nodes.some(({ created_at }) => created_at < wanted),
  }
}
