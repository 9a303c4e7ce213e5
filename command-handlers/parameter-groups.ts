import { z } from 'zod'
import type { ParameterValues } from '../domain/catalogue/parameters.ts'
import { type Endpoint, endpoint, type Request } from '../domain/kernel/endpoint.ts'
import type { PersonalData, Sealed } from '../domain/kernel/sealed.ts'
import type { ParameterGroup } from '../domain/parameter-group/parameter-group.ts'
import { applyEndpoints } from './apply-parameters.ts'
import type { CommandEndpoints } from './datastore-tools.ts'
import { derivedId } from './ids.ts'
import { textOrNone } from './not-given.ts'
import { checked, freeOf, type GroupTools, groupTools, kindOf, scopeOf, valuesBody } from './parameter-group-tools.ts'
import { syncing } from './sync-parameters.ts'

export const PATH = '/api/db-configuration/v1/parameter-groups'
export const tag = 'Parameter groups'
const NAME_LENGTH_MAX = 128
const DESCRIPTION_LENGTH_MAX = 1_000

const code = z.string().max(128)
const name = z
  .string()
  .max(NAME_LENGTH_MAX)
  .refine((text) => text.trim() !== '', 'must not be empty')
  .refine((text) => !/\p{Cc}|\p{Cs}/u.test(text), 'must not hold control characters')
const description = z.string().max(DESCRIPTION_LENGTH_MAX).nullish()

const createBody = z.object({
  name,
  database_vendor: code,
  database_version: textOrNone(128),
  database_type: textOrNone(128),
  description,
  parameters: valuesBody.nullish().transform((values) => values ?? {}),
})
const duplicateBody = z.object({ name, description })
/** What is absent, or null, stays as it is. */
const changeBody = z.object({
  name: name.or(z.literal('')).nullish().transform((text) => (text === '' ? undefined : (text ?? undefined))),
  description,
  parameters: valuesBody.nullish().transform((values) => values ?? undefined),
})
const groupParams = z.object({ uuid: z.uuid().toLowerCase() })

const groupBody = z.object({
  uuid: z.uuid(),
  name: z.string(),
  description: z.string(),
  database_vendor: z.string(),
  database_version: z.string(),
  database_type: z.string(),
  db_parameters: z.record(z.string(), z.string()),
})

/** The calls that make, change, unmake and apply parameter groups. */
export const parameterGroupEndpoints = (options: CommandEndpoints): readonly Endpoint[] => {
  const tools = groupTools(options)
  return [
    ...applyEndpoints(options, tools),
    create(options, tools),
    duplicate(options, tools),
    change(options, tools),
    remove(options, tools),
  ]
}

/** Tells names apart as people do, whatever their form in Unicode. */
const nameIdOf = (ownerId: string, text: string): string =>
  derivedId('parameter group', ownerId, text.trim().normalize('NFC'))

const sealedOrNull = async ({ seal }: PersonalData, ownerId: string, text: string): Promise<Sealed | null> =>
  text === '' ? null : seal(ownerId, text)

type Plain = Pick<ParameterGroup, 'vendor' | 'version' | 'type' | 'values'> & {
  readonly name: string
  readonly description: string
}

const replyOf = (groupId: string, { name: called, description: about, vendor, version, type, values }: Plain) => ({
  uuid: groupId,
  name: called,
  description: about,
  database_vendor: vendor,
  database_version: version,
  database_type: type,
  db_parameters: { ...values },
})

type Making = { readonly request: Request<unknown, unknown, unknown>; readonly commandId: string }

const made = async (
  { personal, now }: CommandEndpoints,
  { send, cause }: GroupTools,
  { request, commandId }: Making,
  plain: Plain,
) => {
  const { ownerId } = request.principal
  const groupId = derivedId('parameter group', commandId)
  const data = {
    ...plain,
    ownerId,
    groupId,
    name: await personal.seal(ownerId, plain.name),
    nameId: nameIdOf(ownerId, plain.name),
    description: await sealedOrNull(personal, ownerId, plain.description),
    now: now(),
  }
  const position = await send({ type: 'CreateParameterGroup', data }, await cause(request, commandId))
  return { status: 201, body: replyOf(groupId, plain), position }
}

const create = (options: CommandEndpoints, tools: GroupTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Create a parameter group',
    tag,
    access: 'user',
    body: createBody,
    replies: { 201: { description: 'The group, for datastores of exactly this version and type.', schema: groupBody } },
    handle: async (request) => {
      const body = z.json().parse(JSON.parse(JSON.stringify(request.body)))
      return tools.once(request, { method: 'POST', path: PATH, body }, async (commandId) => {
        const { name: called, description: about, parameters, ...named } = request.body
        const { database_vendor: vendor, database_version: version, database_type: type } = named
        const scope = scopeOf(options, { vendor, version, type })
        const values = checked(scope, parameters)
        const kind = { vendor: scope.vendor.code, version: scope.version, type: scope.type }
        return made(options, tools, { request, commandId }, { ...kind, name: called, description: about ?? '', values })
      })
    },
  })

const duplicate = (options: CommandEndpoints, tools: GroupTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:uuid/duplicate`,
    summary: 'Make another parameter group of the same values',
    tag,
    access: 'user',
    params: groupParams,
    body: duplicateBody,
    replies: { 201: { description: 'The new group; no datastore has it yet.', schema: groupBody } },
    handle: async (request) => {
      const { uuid } = request.params
      const { name: called, description: about } = request.body
      const body = { name: called, description: about ?? null }
      return tools.once(request, { method: 'POST', path: `${PATH}/${uuid}/duplicate`, body }, async (commandId) => {
        const { vendor, version, type, values, description: said } = await tools.own(request, uuid)
        const [before = ''] = await options.personal.open([said ?? ''])
        const plain = { vendor, version, type, values, name: called, description: about ?? before }
        return made(options, tools, { request, commandId }, plain)
      })
    },
  })

type Given = {
  readonly name: string | undefined
  readonly description: string | null | undefined
  readonly values: ParameterValues | undefined
}

/** What a request changes of a group, sealed; one client repeats all that it set before. */
const changesOf = async (
  { personal }: CommandEndpoints,
  { ownerId, group }: { readonly ownerId: string; readonly group: ParameterGroup },
  { name: called, description: about, values }: Given,
) => {
  const [before = ''] = await personal.open([group.description ?? ''])
  return {
    ...(called === undefined ? {} : { name: await personal.seal(ownerId, called), nameId: nameIdOf(ownerId, called) }),
    ...(about === undefined || about === null || about === before
      ? {}
      : { description: await sealedOrNull(personal, ownerId, about) }),
    ...(values === undefined ? {} : { values }),
  }
}

const change = (options: CommandEndpoints, tools: GroupTools): Endpoint =>
  endpoint({
    method: 'PUT',
    path: `${PATH}/:uuid`,
    summary: 'Change a parameter group, and with sync=true every datastore that has it',
    tag,
    access: 'user',
    params: groupParams,
    query: z.object({
      sync: z.enum(['true', 'false', '']).optional().transform((text) => text === 'true').meta({
        description: 'Queues a job for each datastore that has the group; else they are `pending` until they are synced.',
      }),
    }),
    body: changeBody,
    replies: {
      202: {
        description: 'It is changed; the jobs apply it.',
        schema: groupBody.extend({ jobs: z.array(z.object({ datastore_uuid: z.uuid(), job_id: z.uuid() })) }),
      },
    },
    handle: async (request) => {
      const { params: { uuid }, query: { sync }, principal: { ownerId } } = request
      const body = z.json().parse(JSON.parse(JSON.stringify({ ...request.body, sync })))
      return tools.once(request, { method: 'PUT', path: `${PATH}/${uuid}`, body }, async (commandId) => {
        const group = await tools.own(request, uuid)
        const { vendor, version, type } = group
        const { name: called, description: about, parameters: values } = request.body
        if (sync || values !== undefined) checked(kindOf(options, group), values ?? group.values)
        const changes = await changesOf(options, { ownerId, group }, { name: called, description: about, values })
        const data = { ownerId, groupId: uuid, now: options.now(), ...changes }
        const position = await tools.send({ type: 'ChangeParameterGroup', data }, await tools.cause(request, commandId))
        const after = { ...group, ...changes, values: values ?? group.values }
        const synced = sync ? await syncing(options, tools)({ request, commandId }, uuid, after) : undefined
        const [shownName = '', shownAbout = ''] = await options.personal.open([after.name, after.description ?? ''])
        const plain = { vendor, version, type, values: after.values, name: shownName, description: shownAbout }
        const jobs = synced?.jobs.map(({ datastoreId, jobId }) => ({ datastore_uuid: datastoreId, job_id: jobId })) ?? []
        return { status: 202, body: { ...replyOf(uuid, plain), jobs }, position: synced?.position ?? position }
      })
    },
  })

const remove = (options: CommandEndpoints, { once, send, cause, own }: GroupTools): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:uuid`,
    summary: 'Delete a parameter group that no datastore has',
    tag,
    access: 'user',
    params: groupParams,
    replies: { 200: { description: 'It is deleted.', schema: z.object({}) } },
    handle: async (request) => {
      const { params: { uuid }, principal: { ownerId } } = request
      return once(request, { method: 'DELETE', path: `${PATH}/${uuid}`, body: null }, async (commandId) => {
        const free = await freeOf(options, uuid, await own(request, uuid))
        const data = { ownerId, groupId: uuid, free, now: options.now() }
        const position = await send({ type: 'DeleteParameterGroup', data }, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })
