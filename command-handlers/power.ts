import { z } from 'zod'
import { planned } from '../domain/datastore/datastore.ts'
import { isSo } from '../domain/datastore/changes/index.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId } from './ids.ts'

type Power = {
  readonly verb: 'stop' | 'start'
  readonly summary: string
  readonly description: string
  readonly nothingToDo: string
}

const POWERS: readonly Power[] = [
  {
    verb: 'stop',
    summary: 'Stop a datastore: its servers end, its machines go off, its data stays',
    description: 'A job stops it. Names and addresses stay its own; instances cost nothing until it is started.',
    nothingToDo: 'The datastore is stopped already, or will be.',
  },
  {
    verb: 'start',
    summary: 'Start a datastore that was stopped',
    description: 'A job starts it, with the roles that its nodes had.',
    nothingToDo: 'The datastore is not stopped, and will not be.',
  },
]

const taken = z.object({ job_id: z.uuid() })
const nothing = z.object({ job_id: z.null(), text: z.string() })

/**
 * The calls that stop a datastore as a whole and start it again.
 *
 * @param options.store where commands meet their streams
 */
export const powerEndpoints = (options: CommandEndpoints): readonly Endpoint[] =>
  POWERS.map((power) => powerEndpoint(options, power))

const powerEndpoint = (options: CommandEndpoints, { verb, summary, description, nothingToDo }: Power): Endpoint => {
  const { now } = options
  const { cause, once, send } = toolsOf(options)
  const change = { kind: `${verb}-datastore` } as const
  return endpoint({
    method: 'POST',
    path: `${CLUSTER_PATH}/:uuid/${verb}`,
    summary,
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    query: dryRunQuery,
    replies: {
      200: { description: 'There is nothing to do; or, of a dry run, the plan.', schema: z.union([nothing, dryRunBody]) },
      202: { description, schema: taken },
    },
    handle: async (request) => {
      const { uuid: datastoreId } = request.params
      const { ownerId } = request.principal
      if (request.query.dryRun) {
        const { state } = await knownDatastore(options, datastoreId, ownerId)
        rehearsed(state, [{ type: 'ChangeDatastore', data: { datastoreId, jobId: freshId(), change, now: now() } }])
        const changes = isSo(planned(state), change) ? [] : [change]
        return { status: 200, body: dryRunOfChanges(options, state, { changes, settings: [] }) }
      }
      const path = `${CLUSTER_PATH}/${datastoreId}/${verb}`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        await knownDatastore(options, datastoreId, ownerId)
        const jobId = derivedId('job', commandId)
        const data = { datastoreId, jobId, change, now: now() }
        const outcome = await send({ type: 'ChangeDatastore', data }, await cause(request, commandId))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        const { state, position } = outcome
        return state.status !== 'absent' && state.jobsSeen.has(jobId)
          ? { status: 202, body: { job_id: jobId }, position }
          : { status: 200, body: { job_id: null, text: nothingToDo }, position }
      })
    },
  })
}
