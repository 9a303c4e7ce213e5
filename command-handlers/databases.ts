import { z } from 'zod'
import type { DatabasePlan } from '../domain/datastore/access.ts'
import { accessNameRefusal, isReserved } from '../domain/datastore/access-names.ts'
import { planned } from '../domain/datastore/datastore.ts'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import { type AccessEndpoints, accessId, accessing, jobIdOf, refuse, refused } from './access-tools.ts'
import { datastoreParams, type Known } from './datastore-tools.ts'
import { dryRunBody, dryRunQuery } from './dry-run.ts'
import { derivedId } from './ids.ts'
import { textOrNone } from './not-given.ts'

const tag = 'Databases and users'
const PATH = '/api/userdb/api/v1/database'
const NAME_LENGTH_MAX = 200

const createBody = z.object({
  database_name: z.string().max(NAME_LENGTH_MAX),
  database_owner: textOrNone(NAME_LENGTH_MAX).meta({ description: 'A user of the datastore; default: its administrator.' }),
})
const dropBody = z.object({ database_name: z.string().max(NAME_LENGTH_MAX) })

const createdBody = z.object({
  database_name: z.string(),
  database_owner: z.string(),
  database_size: z.int(),
  number_of_tables: z.int(),
  status: z.enum(['creating', 'created']),
})
const droppedBody = z.object({ database_name: z.string(), status: z.enum(['dropping', 'dropped']) })

/** The calls that make and drop databases. */
export const databaseEndpoints = (options: AccessEndpoints): readonly Endpoint[] => {
  const carryOut = accessing(options)
  return [
    endpoint({
      method: 'POST',
      path: `${PATH}/:uuid`,
      summary: 'Create a database',
      tag,
      access: 'user',
      params: datastoreParams,
      query: dryRunQuery,
      body: createBody,
      replies: {
        200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
        201: { description: 'The database; `creating` where its job has not ended yet.', schema: createdBody },
      },
      handle: (request) => {
        const { params: { uuid: datastoreId }, query: { dryRun }, body: { database_name: name, database_owner: owner } } = request
        const body = { database_name: name, database_owner: owner ?? null }
        return carryOut({ request, datastoreId, dryRun, method: 'POST', path: `${PATH}/${datastoreId}`, body }, (state, id) =>
          planCreate(options, state, { name, owner, commandId: id }),
        )
      },
    }),
    endpoint({
      method: 'DELETE',
      path: `${PATH}/:uuid`,
      summary: 'Drop a database with all that is in it; open sessions are ended',
      tag,
      access: 'user',
      params: datastoreParams,
      query: dryRunQuery,
      body: dropBody,
      replies: {
        200: {
          description: 'It is dropped, or a job drops it; or, of a dry run, the plan.',
          schema: z.union([dryRunBody, droppedBody]),
        },
      },
      handle: (request) => {
        const { params: { uuid: datastoreId }, query: { dryRun }, body: { database_name: name } } = request
        const body = { database_name: name }
        return carryOut({ request, datastoreId, dryRun, method: 'DELETE', path: `${PATH}/${datastoreId}`, body }, (state, id) =>
          planDrop(options, state, { name, commandId: id }),
        )
      },
    }),
  ]
}

type Wanted = { readonly name: string; readonly owner: string | undefined; readonly commandId: string }

/** The database as it is to be. Its owner keeps the very token that he is known by. */
export const databasePlan = async (
  { personal }: Pick<AccessEndpoints, 'personal'>,
  { spec, datastoreId }: Pick<Known, 'spec' | 'datastoreId'>,
  { name, owner, commandId }: Wanted,
): Promise<DatabasePlan> => {
  const isAdmins = owner === undefined || owner === spec.account.username
  const ownerId = isAdmins ? undefined : accessId('user', datastoreId, owner)
  const user = spec.users?.find(({ userId }) => userId === ownerId)
  if (ownerId !== undefined && user === undefined) {
    throw refused('user-not-found', 'database_owner: the datastore has no user of this name that was made here')
  }
  return {
    databaseId: accessId('database', datastoreId, name),
    name: await personal.seal(spec.ownerId, name),
    owner: user === undefined ? null : { userId: user.userId, name: user.name },
    mark: derivedId('mark', commandId, 'database'),
  }
}

const planCreate = async (options: AccessEndpoints, state: Known, wanted: Wanted) => {
  const { spec } = planned(state)
  const { name, owner } = wanted
  refuse(accessNameRefusal('database', name, { field: 'database_name', own: spec.account.database }))
  const database = await databasePlan(options, { spec, datastoreId: state.datastoreId }, wanted)
  return {
    changes: [{ kind: 'create-database', database }] as const,
    answer: (done: boolean) => ({
      status: 201,
      body: {
        database_name: name,
        database_owner: owner ?? spec.account.username,
        database_size: 0,
        number_of_tables: 0,
        status: done ? 'created' : 'creating',
      },
    }),
  }
}

const planDrop = async (
  { personal, observe }: AccessEndpoints,
  state: Known,
  { name, commandId }: Omit<Wanted, 'owner'>,
) => {
  const { datastoreId, status } = state
  const { spec } = planned(state)
  if (isReserved('database', name, spec.account.database)) {
    throw refused('name-protected', 'database_name: this database belongs to the system, or is the datastore’s first')
  }
  const databaseId = accessId('database', datastoreId, name)
  const known = spec.databases?.find((one) => one.databaseId === databaseId)
  const isRepeat = state.jobsSeen.has(jobIdOf(commandId, 'drop-database'))
  if (known === undefined && status === 'running' && !isRepeat) {
    const seen = await observe(datastoreId)
    if (seen === undefined) throw refused('access-unknown', 'the datastore could not be asked whether there is such a database')
    if (!seen.databases.some((one) => one.name === name)) throw refused('database-not-found', 'there is no such database')
  } else if (known === undefined && !isRepeat) throw refused('database-not-found', 'there is no such database')
  const sealed = known?.name ?? (await personal.seal(spec.ownerId, name))
  return {
    changes: [{ kind: 'drop-database', databaseId, name: sealed }] as const,
    answer: (done: boolean) => ({ status: 200, body: { database_name: name, status: done ? 'dropped' : 'dropping' } }),
  }
}
