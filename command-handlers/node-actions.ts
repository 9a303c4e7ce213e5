import { z } from 'zod'
import type { Change } from '../domain/datastore/changes/index.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId } from './ids.ts'

type Action = {
  /** The last part of the path. */
  readonly verb: string
  readonly summary: string
  readonly description: string
  readonly change: (nodeId: string) => Change
}

const ACTIONS: readonly Action[] = [
  {
    verb: 'promote',
    summary: 'Promote a replica',
    description: 'A job makes it the primary and the primary a replica. Writes pause; none that was acknowledged is lost.',
    change: (nodeId) => ({ kind: 'promote-replica', nodeId }),
  },
  {
    verb: 'reboot',
    summary: 'Reboot a node',
    description: 'A job stops and starts its server. While that of the primary is down, the datastore takes no writes.',
    change: (nodeId) => ({ kind: 'reboot-node', nodeId }),
  },
]

/**
 * The calls that concern one node of a datastore: each is carried out by a job.
 *
 * @param options.store where commands meet their streams
 */
export const nodeActionEndpoints = (options: CommandEndpoints): readonly Endpoint[] =>
  ACTIONS.map((action) => actionEndpoint(options, action))

const actionEndpoint = (options: CommandEndpoints, { verb, summary, description, change }: Action): Endpoint => {
  const { now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: `${CLUSTER_PATH}/:uuid/nodes/:host/${verb}`,
    summary,
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams.extend({ host: z.uuid().toLowerCase() }),
    query: dryRunQuery,
    replies: {
      200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
      202: { description, schema: z.object({ job_id: z.uuid() }) },
    },
    handle: async (request) => {
      const { uuid: datastoreId, host } = request.params
      if (request.query.dryRun) {
        const { state } = await knownDatastore(options, datastoreId, request.principal.ownerId)
        const data = { datastoreId, jobId: freshId(), change: change(host), now: now() }
        rehearsed(state, [{ type: 'ChangeDatastore', data }])
        return { status: 200, body: dryRunOfChanges(options, state, { changes: [data.change], settings: [] }) }
      }
      const path = `${CLUSTER_PATH}/${datastoreId}/nodes/${host}/${verb}`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        await knownDatastore(options, datastoreId, request.principal.ownerId)
        const jobId = derivedId('job', commandId)
        const data = { datastoreId, jobId, change: change(host), now: now() }
        const outcome = await send({ type: 'ChangeDatastore', data }, await cause(request, commandId))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 202, body: { job_id: jobId }, position: outcome.position }
      })
    },
  })
}
