import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { type CommandEndpoints, datastoreParams, knownDatastore, toolsOf } from './datastore-tools.ts'
import { derivedId } from './ids.ts'

const PATH = '/api/admin/datastores'

/** What operators do to anybody's datastore. */
export const adminDatastoreEndpoints = (options: CommandEndpoints): readonly Endpoint[] => [remove(options)]

const remove = (options: CommandEndpoints): Endpoint => {
  const { now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'DELETE',
    path: `${PATH}/:uuid`,
    summary: 'Delete anybody’s datastore',
    tag: 'Administration',
    access: 'admin',
    params: datastoreParams,
    replies: { 200: { description: 'A job deletes it.', schema: z.object({ deleted: z.literal(true) }) } },
    handle: async (request) => {
      const datastoreId = request.params.uuid
      return once(request, { method: 'DELETE', path: `${PATH}/${datastoreId}`, body: null }, async (commandId) => {
        const { state } = await knownDatastore(options, datastoreId, undefined)
        const data = { datastoreId, jobId: derivedId('job', commandId), now: now() }
        // It is written in the trail of those whose datastore it is.
        const why = { ...(await cause(request, commandId)), organisationId: state.spec.ownerId }
        const outcome = await send({ type: 'DeleteDatastore', data }, why)
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 200, body: { deleted: true }, position: outcome.position }
      })
    },
  })
}
