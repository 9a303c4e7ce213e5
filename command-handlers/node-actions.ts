import { z } from 'zod'
import type { Change, FreshNode, Shape } from '../domain/datastore/changes/index.ts'
import { planned } from '../domain/datastore/datastore.ts'
import { planRepair } from '../domain/datastore/upgrade.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId, nodesOf } from './ids.ts'

type Action = {
  /** The last part of the path. */
  readonly verb: string
  readonly summary: string
  readonly description: string
  /** @param fresh an id and a name more than there are nodes */
  readonly change: (nodeId: string, shape: Shape, fresh: readonly FreshNode[]) => Change
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
  {
    verb: 'repair',
    summary: 'Repair a node',
    description:
      'A job puts another node in its place, copied from the primary; the old one may be dead. A primary hands over first, for ' +
      'which it must answer. The only node that there is has all the data: its machine and server are started again in place.',
    change: (nodeId, shape, fresh) => planRepair(shape, nodeId, fresh),
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
  const changeOf = (state: Known, commandId: string, nodeId: string): Change => {
    const shape = planned(state)
    return change(nodeId, shape, nodesOf(commandId, shape.spec.nodes.length + 1))
  }
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
        const data = { datastoreId, jobId: freshId(), change: changeOf(state, freshId(), host), now: now() }
        rehearsed(state, [{ type: 'ChangeDatastore', data }])
        return { status: 200, body: dryRunOfChanges(options, state, { changes: [data.change], settings: [] }) }
      }
      const path = `${CLUSTER_PATH}/${datastoreId}/nodes/${host}/${verb}`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        const { state } = await knownDatastore(options, datastoreId, request.principal.ownerId)
        const jobId = derivedId('job', commandId)
        const data = { datastoreId, jobId, change: changeOf(state, commandId, host), now: now() }
        const outcome = await send({ type: 'ChangeDatastore', data }, await cause(request, commandId))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 202, body: { job_id: jobId }, position: outcome.position }
      })
    },
  })
}
