import type { Kysely } from 'kysely'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint, type Principal } from '../domain/kernel/endpoint.ts'
import { may } from '../domain/kernel/roles.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import { nodes as nodesProjection } from '../projections/nodes.ts'
import type { NodesRow, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { datastoreNowReply, datastoresReply } from './datastore-reply.ts'
import { asOfQuery } from './history/instant.ts'
import { datastoresAt, type HistoryQueries, type Past, pastOf } from './history/past.ts'
import { type Datastore, datastoreReplyOf, type OpenJob } from './rows.ts'
import { upgradeReplyOf } from './upgrade-reply.ts'
import { worded } from './words.ts'

export type DatastoreQueries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
  readonly history: HistoryQueries
  /** The password of the datastore's administrator; undefined as long as there is none. */
  readonly openPassword: (
    datastore: Readonly<Pick<Datastore, 'datastore_id' | 'owner_id'>>,
  ) => Promise<string | undefined>
}

const PATH = '/api/deployment/v3/data-stores'
const tag = 'Datastores'

/** The datastores of the one who asks, in a list or one by one. */
export const datastores = (queries: DatastoreQueries): readonly Endpoint[] => [list(queries), get(queries)]

const list = ({ db, catalogue, personal, history }: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the datastores, newest first, as they are or were',
    tag,
    access: 'user',
    needs: 'audit',
    query: pageQuery(50).extend(asOfQuery.shape),
    replies: { 200: { description: 'A part of the list, and how many there are in all.', schema: datastoresReply } },
    handle: async ({ query: { asOf, ...part }, principal: { ownerId, ownerNamed } }) => {
      const page = { ...part, ownerId }
      const listed = asOf === undefined ? presentPage(db, page) : datastoresAt(history, { ...page, asOf })
      const { total, rows, jobs, nodes } = await listed
      const items = (await worded(personal.open, rows)).map((row) => ({
        ...datastoreReplyOf(catalogue, row, jobs, null),
        ...upgradeReplyOf(catalogue, row, nodes, history.now()),
      }))
      const pagination = { page: Math.floor(part.offset / part.limit) + 1, per_page: part.limit, total }
      return ownerNamed
        ? { status: 200, body: { pagination, data_stores: items } }
        : { status: 200, body: { total, datastores: items } }
    },
  })

type Page = { readonly ownerId: string; readonly limit: number; readonly offset: number }
type Listed = {
  readonly total: number
  readonly rows: readonly Datastore[]
  readonly jobs: readonly OpenJob[]
  readonly nodes: readonly NodesRow[]
}

const presentPage = async (db: Kysely<ReadSchema>, { ownerId, limit, offset }: Page): Promise<Listed> => {
  const owned = db.selectFrom('datastores').where('owner_id', '=', ownerId)
  const [{ total }, rows] = await Promise.all([
    owned.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
    owned.selectAll().orderBy('created_at', 'desc').orderBy('datastore_id').limit(limit).offset(offset).execute(),
  ])
  const [jobs, nodes] = await Promise.all([openJobs(db, rows), nodesOf(db, rows)])
  return { total: Number(total), rows, jobs, nodes }
}

type Found = {
  readonly row: Datastore
  readonly jobs: readonly OpenJob[]
  readonly nodes: readonly NodesRow[]
  readonly password?: string | undefined
}

const get = (queries: DatastoreQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:uuid`,
    summary: 'Read a datastore, as it is or was',
    tag,
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: {
      200: {
        description: 'The datastore. No password is told of the past, nor to whoever may only look.',
        schema: datastoreNowReply,
      },
    },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId, role } }) => {
      const past = asOf && (await pastOf(queries.history, { uuid, ownerId, asOf }))
      const found = past === undefined ? present(queries, uuid, { ownerId, role }) : asItWas(past)
      const { row, jobs, nodes, password } = await found
      const [opened = row] = await worded(queries.personal.open, [row])
      const { catalogue, history } = queries
      const told = datastoreReplyOf(catalogue, opened, jobs, password ?? null)
      return { status: 200, body: { ...told, ...upgradeReplyOf(catalogue, opened, nodes, history.now()) } }
    },
  })

/** Whoever may only look at a datastore is not told how to write into it. */
const present = async (
  { db, openPassword }: DatastoreQueries,
  uuid: string,
  { ownerId, role }: Pick<Principal, 'ownerId' | 'role'>,
): Promise<Found> => {
  const row = await db
    .selectFrom('datastores')
    .selectAll()
    .where('datastore_id', '=', uuid)
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  if (row === undefined) throw noDatastore(uuid)
  const [jobs, nodes, password] = await Promise.all([
    openJobs(db, [row]),
    nodesOf(db, [row]),
    row.deployed && may(role, 'operate') ? openPassword(row) : Promise.resolve(undefined),
  ])
  return { row, jobs, nodes, password }
}

const asItWas = async (past: Past): Promise<Found> => {
  const [row, jobs, nodes] = await Promise.all([past.datastore(), past.openJobs(), past.row(nodesProjection)])
  return { row, jobs, nodes: nodes === undefined ? [] : [nodes] }
}

const nodesOf = async (db: Kysely<ReadSchema>, rows: readonly Datastore[]): Promise<readonly NodesRow[]> =>
  rows.length === 0
    ? []
    : db
        .selectFrom('nodes')
        .selectAll()
        .where('datastore_id', 'in', rows.map(({ datastore_id }) => datastore_id))
        .execute()

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
