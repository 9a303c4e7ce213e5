import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import { datastoreParams, noDatastore } from '../asked.ts'
import { csvLine, csvReply } from '../csv.ts'
import type { Datastore } from '../rows.ts'
import { type AdminDatastore, adminDatastore, type AdminNode, adminNode } from './datastore-reply.ts'
import { adminDatastoresOf, adminNodesOf, type StoreQueries } from './stores.ts'

const PATH = '/api/admin/datastores'
const about = { method: 'GET', tag: 'Administration', access: 'admin' } as const

/** Every datastore of the installation, for operators. */
export const adminDatastores = (queries: StoreQueries): readonly Endpoint[] => [
  list(queries), table(queries), count(queries), get(queries), nodes(queries),
]

const all = async (queries: StoreQueries): Promise<readonly AdminDatastore[]> => {
  const every = queries.db.selectFrom('datastores').selectAll()
  const rows = await every.orderBy('created_at', 'desc').orderBy('datastore_id').execute()
  return adminDatastoresOf(queries, rows)
}

const list = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: PATH,
    summary: 'List the datastores of everybody, newest first',
    replies: { 200: { description: 'All of them.', schema: z.object({ clusters: z.array(adminDatastore) }) } },
    handle: async () => ({ status: 200, body: { clusters: [...(await all(queries))] } }),
  })

const COLUMNS = [
  'id', 'name', 'status', 'type', 'cloud_provider', 'user_login', 'size', 'created_at',
] as const satisfies readonly (keyof AdminDatastore)[]

const table = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: `${PATH}/csv`,
    summary: 'List the datastores of everybody as a table',
    replies: { 200: { description: 'One line for each datastore.', types: ['text/csv'] } },
    handle: async () => {
      const lines = (await all(queries)).map((row) => csvLine(COLUMNS.map((column) => row[column])))
      return csvReply('datastores.csv', [csvLine(COLUMNS), ...lines])
    },
  })

const count = ({ db }: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    access: 'basic',
    path: `${PATH}/count`,
    summary: 'How many datastores there are',
    replies: { 200: { description: 'Those that are not deleted.', schema: z.object({ count: z.int() }) } },
    handle: async () => {
      const counted = db.selectFrom('datastores').select(({ fn }) => fn.countAll<string>().as('total'))
      const { total } = await counted.executeTakeFirstOrThrow()
      return { status: 200, body: { count: Number(total) } }
    },
  })

type Found = { readonly row: Datastore; readonly nodes: readonly AdminNode[] }

const found = async ({ db, catalogue }: StoreQueries, uuid: string): Promise<Found> => {
  const [row, entries] = await Promise.all([
    db.selectFrom('datastores').selectAll().where('datastore_id', '=', uuid).executeTakeFirst(),
    db.selectFrom('nodes').selectAll().where('datastore_id', '=', uuid).executeTakeFirst(),
  ])
  if (row === undefined) throw noDatastore(uuid)
  return { row, nodes: entries === undefined ? [] : adminNodesOf(catalogue, row, entries) }
}

const withNodes = adminDatastore.extend({ nodes: z.array(adminNode).nullable() })

const get = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: `${PATH}/:uuid`,
    summary: 'Read anybody’s datastore',
    params: datastoreParams,
    replies: { 200: { description: 'The datastore and its nodes.', schema: withNodes } },
    handle: async ({ params: { uuid } }) => {
      const { row, nodes: entries } = await found(queries, uuid)
      const [shown] = await adminDatastoresOf(queries, [row])
      return { status: 200, body: { ...shown, nodes: [...entries] } }
    },
  })

const nodesReply = z.object({
  nodes: z.object({ db_nodes: z.array(adminNode).nullable(), lb_nodes: z.array(adminNode).nullable() }),
})

const nodes = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: `${PATH}/:uuid/nodes`,
    summary: 'List the nodes of anybody’s datastore',
    params: datastoreParams,
    replies: { 200: { description: 'The nodes; there are no load balancers.', schema: nodesReply } },
    handle: async ({ params: { uuid } }) => {
      const { nodes: entries } = await found(queries, uuid)
      return { status: 200, body: { nodes: { db_nodes: [...entries], lb_nodes: [] } } }
    },
  })
