import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import { datastores as projection } from '../projections/datastores.ts'
import type { DatastoreRow, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'

const reply = z.object({
  enabled: z.boolean(),
  threshold_percent: z.int().nullable().meta({ description: 'How full the fullest volume may be before they grow.' }),
  step_percent: z.int().nullable(),
  max_gib: z.int().nullable(),
  read_only_because: z.string().nullable().meta({ description: 'Why writes are held back; null while they are taken.' }),
})

type Columns = Pick<DatastoreRow, 'autoscale' | 'read_only_because'>

const NEVER_SET = { enabled: false, threshold_percent: null, step_percent: null, max_gib: null }

const shown = ({ autoscale, read_only_because }: Columns): z.infer<typeof reply> => ({
  ...(autoscale ?? NEVER_SET),
  read_only_because,
})

/** How the volumes of a datastore grow by themselves, and whether its guard holds writes back. */
export const autoscale = ({ db, history }: { readonly db: Kysely<ReadSchema>; readonly history: HistoryQueries }): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/datastores/:uuid/autoscale',
    summary: 'Read how the volumes grow by themselves',
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'As it is set.', schema: reply } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      await past?.datastore()
      const row = past === undefined ? await present(db, uuid, ownerId) : await past.row(projection)
      if (row === undefined) throw noDatastore(uuid)
      return { status: 200, body: shown(row) }
    },
  })

const present = (db: Kysely<ReadSchema>, uuid: string, ownerId: string): Promise<Columns | undefined> =>
  db
    .selectFrom('datastores')
    .select(['autoscale', 'read_only_because'])
    .where('datastore_id', '=', uuid)
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
