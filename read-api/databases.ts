import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import { databaseAccess } from '../projections/database-access.ts'
import type { AccessRow } from '../projections/access-row.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery, type PastInstant } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'
import { type Observe, type Observed, databasesOf, usersOf } from './inhabitants.ts'

export type AccessQueries = {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
  readonly history: HistoryQueries
  readonly observe: Observe
}

const tag = 'Databases and users'

const status = z.enum(['creating', 'created', 'dropping', 'missing']).meta({
  description: '`missing`: it was made here, and is not on the servers any more.',
})
const managed = z.boolean().meta({ description: 'Whether it was made here, and not by SQL.' })

const database = z.object({
  database_name: z.string(),
  database_owner: z.string(),
  database_size: z.int().meta({ description: 'In bytes; 0 where the servers do not answer.' }),
  number_of_tables: z.int(),
  status,
  managed,
})

const user = z.object({
  user_name: z.string(),
  grants: z.string().meta({ description: 'For people: what holds everywhere, then for each database what holds there.' }),
  host_allow: z.string(),
  auth_plugin: z.string(),
  status,
  managed,
  admin: z.boolean(),
  login_name: z.string().meta({ description: 'The name to log in with, which changes with each rotation.' }),
  previous_login_until: z.iso.datetime().nullable(),
  privileges: z.array(z.object({ database_name: z.string(), privilege: z.enum(['read', 'write', 'ddl', 'all']) })),
})

type Asked = { readonly uuid: string; readonly ownerId: string; readonly asOf: PastInstant | undefined }
type Found = { readonly row: AccessRow; readonly deployed: boolean; readonly observed: Observed | undefined }

/** @throws Refused `datastore-not-found` where there is none, or another's */
const accessOf = async (queries: AccessQueries, { uuid, ownerId, asOf }: Asked): Promise<Found> => {
  if (asOf !== undefined) {
    const past = await pastOf(queries.history, { uuid, ownerId, asOf })
    const [{ deployed }, row] = await Promise.all([past.datastore(), past.row(databaseAccess)])
    if (row === undefined) throw noDatastore(uuid)
    return { row, deployed, observed: undefined }
  }
  const { row, deployed } = await accessRow(queries.db, uuid, ownerId)
  return { row, deployed, observed: deployed ? await queries.observe(uuid) : undefined }
}

/** What is known of a datastore's databases and users without asking the servers. */
export const accessRow = async (db: Kysely<ReadSchema>, uuid: string, ownerId: string) => {
  const [datastore, row] = await Promise.all([
    db
      .selectFrom('datastores')
      .select('deployed')
      .where('datastore_id', '=', uuid)
      .where('owner_id', '=', ownerId)
      .executeTakeFirst(),
    db
      .selectFrom('database_access')
      .selectAll()
      .where('datastore_id', '=', uuid)
      .where('owner_id', '=', ownerId)
      .executeTakeFirst(),
  ])
  if (datastore === undefined || row === undefined) throw noDatastore(uuid)
  return { row: { ...row, ends_at: null }, deployed: datastore.deployed }
}

/** The databases and users of a datastore: what was asked for, and what the servers say of it. */
export const databases = (queries: AccessQueries): readonly Endpoint[] => [
  endpoint({
    method: 'GET',
    path: '/api/userdb/api/v1/databases/:uuid',
    summary: 'List the databases of a datastore, as they are or were asked for',
    tag,
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'The first database first, those made by SQL last.', schema: z.array(database) } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const { row, deployed, observed } = await accessOf(queries, { uuid, ownerId, asOf })
      const entries = await databasesOf(queries.personal.open, row, observed, deployed)
      const body = entries.map((one) => ({
        database_name: one.name,
        database_owner: one.owner,
        database_size: one.sizeBytes,
        number_of_tables: one.tables,
        status: one.status,
        managed: one.managed,
      }))
      return { status: 200, body }
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/userdb/api/v1/users/:uuid',
    summary: 'List the database users of a datastore, as they are or were asked for',
    tag,
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'The administrator first, those made by SQL last.', schema: z.array(user) } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const { row, observed } = await accessOf(queries, { uuid, ownerId, asOf })
      const entries = await usersOf(queries.personal.open, row, observed)
      const body = entries.map((one) => ({
        user_name: one.name,
        grants: one.grants,
        host_allow: '%',
        auth_plugin: one.authPlugin,
        status: one.status,
        managed: one.managed,
        admin: one.admin,
        login_name: one.login,
        previous_login_until: one.previousUntil,
        privileges: one.privileges.map(({ database: name, privilege }) => ({ database_name: name, privilege })),
      }))
      return { status: 200, body }
    },
  }),
]
