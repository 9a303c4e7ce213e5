import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { DatastoreRow, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'

type FirewallQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
  readonly history: HistoryQueries
}

const NODE_EXPORTER = { port: 'node_exporter', port_no: 9100 } as const

const reply = z.array(
  z.object({
    source: z.string().meta({ description: 'As it was written.' }),
    description: z.string(),
    ports: z.array(z.object({ port: z.string(), port_no: z.int() })),
  }),
)

type Guarded = Pick<DatastoreRow, 'vendor' | 'port' | 'trusted'>

/** Where clients of a datastore may connect from: what its owner has said, and nothing else. */
export const firewall = ({ db, catalogue, personal, history }: FirewallQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/firewall/api/v1/firewalls/:uuid',
    summary: 'List the trusted sources of a datastore, as they are or were',
    tag: 'Firewall',
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'The sources, and the ports that each may connect to.', schema: reply } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      const row = past === undefined ? await present(db, uuid, ownerId) : await past.datastore()
      const texts = await personal.open(row.trusted.flatMap(({ source, description }) => [source, description]))
      const ports = portsOf(catalogue, row)
      const rules = row.trusted.map((_, n) => ({ source: texts[2 * n] ?? '', description: texts[2 * n + 1] ?? '', ports }))
      return { status: 200, body: rules }
    },
  })

const portsOf = ({ vendors }: Catalogue, { vendor, port }: Guarded) => {
  const exporter = vendors.find(({ code }) => code === vendor)?.exporter
  return [
    { port: 'service', port_no: port },
    NODE_EXPORTER,
    ...(exporter === undefined ? [] : [{ port: exporter.name, port_no: exporter.port }]),
  ]
}

const present = async (db: Kysely<ReadSchema>, uuid: string, ownerId: string): Promise<Guarded> => {
  const row = await db
    .selectFrom('datastores')
    .select(['vendor', 'port', 'trusted'])
    .where('datastore_id', '=', uuid)
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  if (row === undefined) throw noDatastore(uuid)
  return row
}
