import type { Kysely, Selectable } from 'kysely'
import type { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { NodeEntry, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { type nodeReply, nodesReply } from './nodes-reply.ts'
import { regionOf } from './places.ts'

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
      const entries = row === undefined ? [] : row.nodes.map((node) => reply(catalogue, row, node))
      return { status: 200, body: { uuid, database_nodes: entries, load_balancer_nodes: [] } }
    },
  })

const reply = (
  catalogue: Catalogue,
  row: Selectable<ReadSchema['nodes']>,
  node: NodeEntry,
): z.infer<typeof nodeReply> => ({
  host_uuid: node.node_id,
  cluster_uuid: row.datastore_id,
  created_at: row.created_at.toISOString(),
  cloud_provider: row.cloud,
  host_az: node.zone,
  instance_type: instanceType(catalogue, row.cloud, node.instance_size),
  disk_type: row.volume_type,
  disk_size: row.volume_size_gib,
  role: node.role,
  port: row.port,
  region: regionOf(catalogue, row.cloud, row.region),
  hostname: node.hostname,
  fqdn: node.hostname,
  host_status: row.running ? 'CmonHostOnline' : 'CmonHostUnknown',
  private_ip: node.private_ip,
  public_ip: node.public_ip,
  readonly: node.role === 'replica',
})

/** The cloud's own name for a size. */
const instanceType = ({ clouds }: Catalogue, cloud: string, size: string): string =>
  clouds.find(({ code }) => code === cloud)?.instances.find(({ code }) => code === size)?.type ?? size
