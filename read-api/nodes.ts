import type { Kysely } from 'kysely'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import { nodes as projection } from '../projections/nodes.ts'
import type { NodesRow, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'
import { nodesReply } from './nodes-reply.ts'
import { nodeReplyOf } from './rows.ts'

type NodeQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly history: HistoryQueries
}

/** The nodes of a datastore. */
export const nodes = ({ db, catalogue, history }: NodeQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/deployment/v2/data-stores/:uuid/nodes',
    summary: 'List the nodes of a datastore',
    tag: 'Datastores',
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'The nodes, the first one planned first.', schema: nodesReply } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      await past?.datastore()
      const row = past === undefined ? await present(db, uuid, ownerId) : await past.row(projection)
      const entries = row === undefined ? [] : row.nodes.map((node) => nodeReplyOf(catalogue, row, node))
      return { status: 200, body: { uuid, database_nodes: entries, load_balancer_nodes: [] } }
    },
  })

const present = async (db: Kysely<ReadSchema>, uuid: string, ownerId: string): Promise<NodesRow | undefined> => {
  const [datastore, row] = await Promise.all([
    db
      .selectFrom('datastores')
      .select('datastore_id')
      .where('datastore_id', '=', uuid)
      .where('owner_id', '=', ownerId)
      .executeTakeFirst(),
    db.selectFrom('nodes').selectAll().where('datastore_id', '=', uuid).where('owner_id', '=', ownerId).executeTakeFirst(),
  ])
  if (datastore === undefined) throw noDatastore(uuid)
  return row
}
