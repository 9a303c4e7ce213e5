import { z } from 'zod'
import type { Change } from '../domain/datastore/changes/index.ts'
import { planned } from '../domain/datastore/datastore.ts'
import { type Endpoint, endpoint, Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import type { JsonValue } from '../domain/kernel/json.ts'
import type { ParameterGroup } from '../domain/parameter-group/parameter-group.ts'
import { type CommandEndpoints, datastoreParams, type Known, knownDatastore } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId } from './ids.ts'
import { changeTo, checked, type GroupTools, kindOf, valueBody } from './parameter-group-tools.ts'

const PATH = '/api/db-configuration/v1'
const tag = 'Parameter groups'

const replies = {
  200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
  202: { description: 'A job applies them, with restarts where they take some.', schema: z.object({ job_id: z.uuid() }) },
}

/** The calls that give parameters to one datastore. */
export const applyEndpoints = (options: CommandEndpoints, tools: GroupTools): readonly Endpoint[] => [
  applyEndpoint('PUT', options, tools),
  applyEndpoint('POST', options, tools),
  ownParameters(options, tools),
]

type Asking = {
  readonly request: Request<unknown, unknown, unknown>
  readonly datastoreId: string
  readonly call: { readonly method: string; readonly path: string; readonly body: JsonValue }
  readonly dryRun: boolean
}

/**
 * @param changeFor what is to be done to the datastore; refuses by throwing
 * @param before done before the job is asked for
 */
const changing =
  (options: CommandEndpoints, { once, cause, sendToDatastore }: GroupTools) =>
  async (
    { request, datastoreId, call, dryRun }: Asking,
    changeFor: (state: Known) => Promise<Change>,
    before: (commandId: string, jobId: string) => Promise<void> = async () => {},
  ): Promise<Reply> => {
    const { now } = options
    const known = async (): Promise<Known> =>
      (await knownDatastore(options, datastoreId, request.principal.ownerId)).state
    if (dryRun) {
      const state = await known()
      const change = await changeFor(state)
      rehearsed(state, [{ type: 'ChangeDatastore', data: { datastoreId, jobId: freshId(), change, now: now() } }])
      return { status: 200, body: dryRunOfChanges(options, state, { changes: [change], settings: [] }) }
    }
    return once(request, call, async (commandId) => {
      const jobId = derivedId('job', commandId)
      const state = await known()
      const data = { datastoreId, jobId, change: await changeFor(state), now: now() }
      // What would be refused leaves nothing behind, a repeat of what was taken is no refusal.
      rehearsed(state, [{ type: 'ChangeDatastore', data }])
      await before(commandId, jobId)
      const because = { ...(await cause(request, derivedId('apply', commandId))), correlationId: commandId }
      const outcome = await sendToDatastore({ type: 'ChangeDatastore', data }, because)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return { status: 202, body: { job_id: jobId }, position: outcome.position }
    })
  }

/** A group is for datastores of exactly its version and type. */
const assertFits = ({ spec }: Known, { vendor, version, type }: ParameterGroup): void => {
  const kinds = [
    ['database_vendor', vendor, spec.vendor],
    ['database_version', version, spec.version],
    ['database_type', type, spec.type],
  ] as const
  for (const [field, ofGroup, ofStore] of kinds) {
    if (ofGroup.toLowerCase() === ofStore.toLowerCase()) continue
    const because = `${field}: the parameter group is for ${ofGroup}, the datastore is of ${ofStore}`
    throw new Refused({ rejected: 'parameter-group-mismatch', because })
  }
}

// One client asks with PUT, another with POST.
const applyEndpoint = (method: 'PUT' | 'POST', options: CommandEndpoints, tools: GroupTools): Endpoint => {
  const change = changing(options, tools)
  return endpoint({
    method,
    path: `${PATH}/parameter-groups/apply/:group/:store`,
    summary: 'Give a datastore the values of a parameter group',
    tag,
    access: 'user',
    params: z.object({ group: z.uuid().toLowerCase(), store: z.uuid().toLowerCase() }),
    query: dryRunQuery,
    replies,
    handle: async (request) => {
      const { params: { group: groupId, store: datastoreId }, query: { dryRun }, principal: { ownerId } } = request
      const path = `${PATH}/parameter-groups/apply/${groupId}/${datastoreId}`
      const changeFor = async (state: Known): Promise<Change> => {
        const group = await tools.own(request, groupId)
        assertFits(state, group)
        const scope = kindOf(options, group)
        return changeTo(scope, groupId, checked(scope, group.values))
      }
      const choose = async (commandId: string, jobId: string): Promise<void> => {
        const data = { ownerId, groupId, datastoreId, jobId, now: options.now() }
        await tools.send({ type: 'ChooseParameterGroup', data }, await tools.cause(request, commandId))
      }
      return change({ request, datastoreId, call: { method, path, body: null }, dryRun }, changeFor, choose)
    },
  })
}

const ownBody = z.object({
  parameters: z.record(z.string().max(100), z.object({ value: valueBody.optional() })),
})

/** What a datastore without a group has of its own. A value of null goes back to the default. */
const ownParameters = (options: CommandEndpoints, tools: GroupTools): Endpoint => {
  const change = changing(options, tools)
  return endpoint({
    method: 'PUT',
    path: `${PATH}/:uuid`,
    summary: 'Set parameters of one datastore that has no parameter group',
    tag,
    access: 'user',
    params: datastoreParams,
    query: dryRunQuery,
    body: ownBody,
    replies,
    handle: async (request) => {
      const { params: { uuid: datastoreId }, query: { dryRun }, body: { parameters } } = request
      const body = z.json().parse(JSON.parse(JSON.stringify(parameters)))
      const changeFor = async (state: Known): Promise<Change> => {
        const { spec } = planned(state)
        if (spec.parameters !== undefined && spec.parameters.groupId !== null) {
          const because = `the datastore has the parameter group ${spec.parameters.groupId}; change that, or apply another`
          throw new Refused({ rejected: 'parameters-in-group', because })
        }
        const given = Object.entries(parameters).map(([name, { value }]) => [name, value] as const)
        const all = new Map([...Object.entries(spec.parameters?.values ?? {}), ...given])
        const values = Object.fromEntries(
          [...all].flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, String(value)]])),
        )
        const scope = kindOf(options, spec)
        return changeTo(scope, null, checked(scope, values))
      }
      return change({ request, datastoreId, call: { method: 'PUT', path: `${PATH}/${datastoreId}`, body }, dryRun }, changeFor)
    },
  })
}
