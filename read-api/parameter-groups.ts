import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { type Catalogue, vendorNamed } from '../domain/catalogue/catalogue.ts'
import { type Parameter, parametersOf, validationOptions } from '../domain/catalogue/parameters.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import { parameters as projection } from '../projections/parameters.ts'
import type { ParametersRow } from '../projections/parameter-rows.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'
import { defaultsReply, groupReply, groupsReply, storeReply } from './parameters-reply.ts'
import { groupOf, statusOf } from './parameters-state.ts'
import { isoOf } from './rows.ts'

type Queries = {
  readonly db: Kysely<ReadSchema>
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
  readonly history: HistoryQueries
}

const PATH = '/api/db-configuration/v1'
const tag = 'Parameter groups'
const PAGE_SIZE_MAX = 100

/** The parameter groups of the one who asks, what may be in them, and what his datastores have. */
export const parameterGroups = (queries: Queries): readonly Endpoint[] => [
  list(queries),
  // Before the one that takes any word for an id.
  defaults(queries),
  get(queries),
  ofDatastore(queries),
]

const word = z.string().max(128).optional().transform((text) => (text === '' ? undefined : text))
const kind = z.object({ database_vendor: word, database_version: word, database_type: word })

type GroupRow = Selectable<ReadSchema['parameter_groups']>

const groupOfRow = (row: GroupRow, name: string, description: string) => ({
  uuid: row.group_id,
  name,
  description,
  database_vendor: row.vendor,
  database_version: row.version,
  database_type: row.type,
  created_at: isoOf(row.created_at),
  updated_at: isoOf(row.updated_at),
})

const worded = async ({ personal }: Queries, rows: readonly GroupRow[]) => {
  const texts = await personal.open(rows.flatMap(({ name, description }) => [name, description ?? '']))
  return rows.map((row, n) => ({ row, group: groupOfRow(row, texts[2 * n] ?? '', texts[2 * n + 1] ?? '') }))
}

/** Names are sealed, so they are compared here; an owner has few groups. */
const list = (queries: Queries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/parameter-groups`,
    summary: 'List the parameter groups, newest first, with the datastores that have them',
    tag,
    access: 'user',
    query: kind.extend({
      name: word.meta({ description: 'A part of the name.' }),
      page: z.coerce.number().int().min(1).max(1_000_000).default(1),
      page_size: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(50),
    }),
    replies: { 200: { description: 'A page of them.', schema: groupsReply } },
    handle: async ({ query: { name, page, page_size, ...named }, principal: { ownerId } }) => {
      const { db, catalogue } = queries
      const { database_vendor: vendor, database_version: version, database_type: type } = named
      // What nobody offers has no groups either.
      const code = vendor === undefined ? undefined : (vendorNamed(catalogue, vendor)?.code ?? vendor)
      const rows = await db
        .selectFrom('parameter_groups')
        .selectAll()
        .where('owner_id', '=', ownerId)
        .$if(code !== undefined, (query) => query.where('vendor', '=', code ?? ''))
        .$if(version !== undefined, (query) => query.where('version', '=', version ?? ''))
        .$if(type !== undefined, (query) => query.where('type', '=', type?.toLowerCase() ?? ''))
        .orderBy('created_at', 'desc')
        .orderBy('group_id')
        .execute()
      const found = (await worded(queries, rows)).filter(
        ({ group }) => name === undefined || group.name.toLowerCase().includes(name.toLowerCase()),
      )
      const shown = found.slice((page - 1) * page_size, page * page_size)
      const users = await usersOf(queries, ownerId, shown.map(({ row }) => row))
      const groups = shown.map(({ row, group }) => ({ ...group, datastores: users.get(row.group_id) ?? [] }))
      return { status: 200, body: { pagination: { page, page_size, total: found.length }, parameter_groups: groups } }
    },
  })

type User = { readonly uuid: string; readonly name: string; readonly status: string; readonly error: string }

/** The datastores that have these groups, or are about to. */
const usersOf = async ({ db, personal }: Queries, ownerId: string, groups: readonly GroupRow[]) => {
  const users = new Map<string, User[]>(groups.map(({ group_id }) => [group_id, []]))
  if (groups.length === 0) return users
  const rows = await db
    .selectFrom('parameters')
    .innerJoin('datastores', 'datastores.datastore_id', 'parameters.datastore_id')
    .where('parameters.owner_id', '=', ownerId)
    .where('datastores.owner_id', '=', ownerId)
    .select(['parameters.datastore_id', 'name', 'applied', 'waiting', 'failed'])
    .orderBy('datastores.created_at')
    .orderBy('parameters.datastore_id')
    .execute()
  const names = await personal.open(rows.map(({ name }) => name))
  for (const [n, row] of rows.entries()) {
    const group = groups.find(({ group_id }) => group_id === groupOf(row))
    if (group === undefined) continue
    const status = statusOf(row, group.parameters)
    const error = status === 'failed' ? (row.failed?.because ?? '') : ''
    users.get(group.group_id)?.push({ uuid: row.datastore_id, name: names[n] ?? '', status, error })
  }
  return users
}

const get = (queries: Queries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/parameter-groups/:uuid`,
    summary: 'Read a parameter group',
    tag,
    access: 'user',
    params: datastoreParams,
    replies: { 200: { description: 'The group with its values, and the datastores that have it.', schema: groupReply } },
    handle: async ({ params: { uuid }, principal: { ownerId } }) => {
      const row = await queries.db
        .selectFrom('parameter_groups')
        .selectAll()
        .where('group_id', '=', uuid)
        .where('owner_id', '=', ownerId)
        .executeTakeFirst()
      if (row === undefined) {
        throw new Refused({ rejected: 'parameter-group-not-found', because: `there is no parameter group ${uuid}` })
      }
      const [users, [one]] = await Promise.all([usersOf(queries, ownerId, [row]), worded(queries, [row])])
      const datastores = users.get(uuid) ?? []
      return { status: 200, body: { ...one?.group, db_parameters: { ...row.parameters }, datastores } }
    },
  })

const definitionOf = (parameter: Parameter) => ({
  description: parameter.description,
  type: parameter.type,
  default_value: parameter.default,
  validation_options: validationOptions(parameter),
  allowed_values: [...(parameter.allowed ?? [])],
  unit: parameter.unit ?? null,
  needs_restart: parameter.takes === 'restart',
})

const defaults = ({ catalogue }: Queries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/parameter-groups/defaults`,
    summary: 'List what may be set, and what holds where it is not',
    tag,
    access: 'user',
    query: kind,
    replies: { 200: { description: 'By name. What is not there the control plane sets itself.', schema: defaultsReply } },
    handle: async ({ query: { database_vendor = '', database_version, database_type } }) => {
      const refused = (field: string, codes: readonly string[]): Refused =>
        new Refused({ rejected: 'not-offered', because: `${field} must be one of: ${codes.join(', ')}` })
      const vendor = vendorNamed(catalogue, database_vendor)
      if (vendor === undefined) throw refused('database_vendor', catalogue.vendors.map(({ code }) => code))
      const version = database_version ?? vendor.versions.at(-1) ?? ''
      if (!vendor.versions.includes(version)) throw refused('database_version', vendor.versions)
      const wanted = database_type?.toLowerCase()
      const type = wanted === undefined ? vendor.types[0] : vendor.types.find(({ code }) => code.toLowerCase() === wanted)
      if (type === undefined) throw refused('database_type', vendor.types.map(({ code }) => code))
      const offered = parametersOf(vendor, { version, type: type.code })
      return { status: 200, body: { parameters: Object.fromEntries(offered.map((one) => [one.name, definitionOf(one)])) } }
    },
  })

const ofDatastore = ({ db, catalogue, history }: Queries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:uuid`,
    summary: 'Read the parameters of a datastore, as they are or were',
    tag,
    access: 'user',
    params: datastoreParams,
    query: asOfQuery,
    replies: { 200: { description: 'Every parameter that may be set, and how far its value has come.', schema: storeReply } },
    handle: async ({ params: { uuid }, query: { asOf }, principal: { ownerId } }) => {
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      const store = past === undefined ? await presentStore(db, uuid, ownerId) : await past.datastore()
      const row = past === undefined ? await presentRow(db, uuid, ownerId) : await past.row(projection)
      if (row === undefined) throw noDatastore(uuid)
      const { group_id: groupId, parameters: chosen } = row.waiting.at(-1) ?? row.applied
      // What a group held in the past is not asked: what was applied then is what the datastore had.
      const wanted = past === undefined && groupId !== null ? await valuesOf(db, groupId) : undefined
      const status = statusOf(row, wanted)
      const vendor = vendorNamed(catalogue, store.vendor)
      const offered = vendor === undefined ? [] : parametersOf(vendor, store)
      const parameters = Object.fromEntries(
        offered.map((one) => [one.name, { value: chosen[one.name] ?? one.default, ...definitionOf(one) }]),
      )
      const body = {
        parameters,
        parameter_group_id: groupId,
        status,
        error: row.failed?.because ?? '',
        updated_at: isoOf(row.updated_at),
      }
      return { status: 200, body }
    },
  })

const presentStore = async (db: Kysely<ReadSchema>, uuid: string, ownerId: string) => {
  const found = await db
    .selectFrom('datastores')
    .select(['vendor', 'version', 'type'])
    .where('datastore_id', '=', uuid)
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  if (found === undefined) throw noDatastore(uuid)
  return found
}

type PresentRow = Omit<ParametersRow, 'updated_at'> & { readonly updated_at: Date | string }

const presentRow = (db: Kysely<ReadSchema>, uuid: string, ownerId: string): Promise<PresentRow | undefined> =>
  db.selectFrom('parameters').selectAll().where('datastore_id', '=', uuid).where('owner_id', '=', ownerId).executeTakeFirst()

const valuesOf = async (db: Kysely<ReadSchema>, groupId: string) =>
  (await db.selectFrom('parameter_groups').select('parameters').where('group_id', '=', groupId).executeTakeFirst())?.parameters
