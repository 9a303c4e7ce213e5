import type { Kysely } from 'kysely'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { datastoreReply, datastoresReply } from './datastore-reply.ts'
import { type Datastore, datastoreReplyOf, type OpenJob } from './rows.ts'
import { worded } from './words.ts'

export type DatastoreQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
  /** The password of the datastore's administrator; undefined as long as there is none. */
  readonly openPassword: (
    datastore: Readonly<Pick<Datastore, 'datastore_id' | 'owner_id'>>,
  ) => Promise<string | undefined>
}

const PATH = '/api/deployment/v3/data-stores'
const tag = 'Datastores'

/** The datastores of the one who asks, in a list or one by one. */
export const datastores = (queries: DatastoreQueries): readonly Endpoint[] => [list(queries), get(queries)]

const list = ({ db, catalogue, personal }: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the datastores, newest first',
    tag,
    access: 'user',
    query: pageQuery(50),
    replies: { 200: { description: 'A part of the list, and how many there are in all.', schema: datastoresReply } },
    handle: async ({ query: { limit, offset }, principal }) => {
      const owned = db.selectFrom('datastores').where('owner_id', '=', principal.ownerId)
      const [{ total }, rows] = await Promise.all([
        owned.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
        owned.selectAll().orderBy('created_at', 'desc').orderBy('datastore_id').limit(limit).offset(offset).execute(),
      ])
      const jobs = await openJobs(db, rows)
      const items = (await worded(personal.open, rows)).map((row) => datastoreReplyOf(catalogue, row, jobs, null))
      const page = { page: Math.floor(offset / limit) + 1, per_page: limit, total: Number(total) }
      return principal.ownerNamed
        ? { status: 200, body: { pagination: page, data_stores: items } }
        : { status: 200, body: { total: Number(total), datastores: items } }
    },
  })

const get = ({ db, catalogue, personal, openPassword }: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:uuid`,
    summary: 'Read a datastore',
    tag,
    access: 'user',
    params: datastoreParams,
    replies: { 200: { description: 'The datastore.', schema: datastoreReply } },
    handle: async ({ params: { uuid }, principal }) => {
      const row = await db
        .selectFrom('datastores')
        .selectAll()
        .where('datastore_id', '=', uuid)
        .where('owner_id', '=', principal.ownerId)
        .executeTakeFirst()
      const [opened] = await worded(personal.open, row === undefined ? [] : [row])
      if (row === undefined || opened === undefined) throw noDatastore(uuid)
      const [jobs, password] = await Promise.all([
        openJobs(db, [row]),
        row.deployed ? openPassword(row) : Promise.resolve(undefined),
      ])
      return { status: 200, body: datastoreReplyOf(catalogue, opened, jobs, password ?? null) }
    },
  })

/** Those that have not ended, in the order they will run. */
const openJobs = async (db: Kysely<ReadSchema>, rows: readonly Datastore[]): Promise<readonly OpenJob[]> =>
  rows.length === 0
    ? []
    : db
        .selectFrom('jobs')
        .select(['job_id', 'datastore_id', 'kind', 'state', 'progress_percent', 'queued_at'])
        .where('datastore_id', 'in', rows.map(({ datastore_id }) => datastore_id))
        .where('state', 'in', ['queued', 'running'])
        .orderBy('queued_position')
        .execute()
