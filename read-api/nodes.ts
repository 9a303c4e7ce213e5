import type { Kysely } from 'kysely'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { nodesReply } from './nodes-reply.ts'
import { nodeReplyOf } from './rows.ts'

/** The nodes of a datastore. */
export const nodes = ({ db, catalogue }: {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
}): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/deployment/v2/data-stores/:uuid/nodes',
    summary: 'List the nodes of a datastore',
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    replies: { 200: { description: 'The nodes, the first one planned first.', schema: nodesReply } },
    handle: async ({ params: { uuid }, principal }) => {
      const [datastore, row] = await Promise.all([
        db
          .selectFrom('datastores')
          .select('datastore_id')
          .where('datastore_id', '=', uuid)
          .where('owner_id', '=', principal.ownerId)
          .executeTakeFirst(),
        db
          .selectFrom('nodes')
          .selectAll()
          .where('datastore_id', '=', uuid)
          .where('owner_id', '=', principal.ownerId)
          .executeTakeFirst(),
      ])
      if (datastore === undefined) throw noDatastore(uuid)
      const entries = row === undefined ? [] : row.nodes.map((node) => nodeReplyOf(catalogue, row, node))
      return { status: 200, body: { uuid, database_nodes: entries, load_balancer_nodes: [] } }
    },
  })
