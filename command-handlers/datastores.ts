import { z } from 'zod'
import { plan } from '../domain/datastore/plan.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { adminDatastoreEndpoints } from './admin-datastores.ts'
import { admissionEndpoints } from './admission.ts'
import { fingerprintOf } from './answer-once.ts'
import { autoscaleEndpoint } from './autoscale.ts'
import { changeEndpoints } from './change-datastore.ts'
import { createBody, createdBody, createdOf, requestOf, sealedWording } from './create-datastore.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfDeletion, dryRunQuery, rehearsed } from './dry-run.ts'
import { firewallEndpoints } from './firewall.ts'
import { derivedId, freshId, nodesOf } from './ids.ts'
import { nodeActionEndpoints } from './node-actions.ts'
import { retryJobEndpoint } from './retry-job.ts'
import { parameterGroupEndpoints } from './parameter-groups.ts'
import { powerEndpoints } from './power.ts'
import { stopJobEndpoint } from './stop-job.ts'
import { adminVpcs, vpcEndpoints } from './vpcs.ts'
import { upgradeEndpoint } from './upgrade.ts'

const tag = 'Datastores'

/**
 * The calls that make, change and unmake datastores.
 *
 * @param options.store where commands meet their streams
 * @param options.catalogue what may be asked for
 */
export const commandEndpoints = (options: CommandEndpoints): readonly Endpoint[] => [
  create(options),
  remove(options),
  ...changeEndpoints(options),
  ...nodeActionEndpoints(options),
  upgradeEndpoint(options),
  autoscaleEndpoint(options),
  ...parameterGroupEndpoints(options),
  ...powerEndpoints(options),
  ...firewallEndpoints(options),
  stopJobEndpoint(options),
  ...adminDatastoreEndpoints(options),
  ...vpcEndpoints(options.catalogue),
  adminVpcs(),
  retryJobEndpoint(options),
  ...admissionEndpoints(options),
]

const create = (options: CommandEndpoints): Endpoint => {
  const { catalogue, domain, ttlSeconds, now, personal } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: CLUSTER_PATH,
    summary: 'Create a datastore',
    tag,
    access: 'user',
    confirmed: true,
    body: createBody,
    replies: { 201: { description: 'The datastore; a job deploys it.', schema: createdBody } },
    handle: async (request) => {
      const wanted = requestOf(request.body)
      // JSON has no undefined: what is not given is absent from the fingerprint, however the client put it.
      const body = z.json().parse(JSON.parse(JSON.stringify(wanted)))
      return once(request, { method: 'POST', path: CLUSTER_PATH, body }, async (commandId) => {
        const fingerprint = fingerprintOf(body)
        const planned = plan(catalogue, wanted, {
          ownerId: request.principal.ownerId,
          networkId: derivedId('network', commandId),
          nodes: nodesOf(commandId, catalogue.limits.nodesMax),
          domain,
          ttlSeconds,
        })
        if ('rejected' in planned) throw new Refused(planned)
        const data = {
          datastoreId: derivedId('datastore', commandId),
          jobId: derivedId('job', commandId),
          spec: { ...planned, ...(await sealedWording(personal.seal, planned)) },
          fingerprint,
          now: now(),
        }
        // Another request under the same key is another command, for the datastore to refuse.
        const outcome = await send(
          { type: 'CreateDatastore', data },
          await cause(request, derivedId('create', commandId, fingerprint)),
        )
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        const { state, position } = outcome
        if (state.status === 'absent') throw new Error('BUG: a datastore that was created is known')
        // A repeat has the same words, or it would have been refused.
        const { name, tags } = planned
        return { status: 201, body: createdOf(state.datastoreId, { ...state.spec, name, tags }), position }
      })
    },
  })
}

const remove = (options: CommandEndpoints): Endpoint => {
  const { now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'DELETE',
    path: `${CLUSTER_PATH}/:uuid`,
    summary: 'Delete a datastore',
    tag,
    access: 'user',
    needs: 'administer',
    params: datastoreParams,
    query: dryRunQuery,
    replies: {
      200: { description: 'A job deletes it; or, of a dry run, the plan.', schema: z.union([dryRunBody, z.object({})]) },
    },
    handle: async (request) => {
      const datastoreId = request.params.uuid
      const { ownerId } = request.principal
      if (request.query.dryRun) {
        const { state } = await knownDatastore(options, datastoreId, ownerId)
        rehearsed(state, [{ type: 'DeleteDatastore', data: { datastoreId, jobId: freshId(), now: now() } }])
        return { status: 200, body: dryRunOfDeletion(options, state) }
      }
      return once(request, { method: 'DELETE', path: `${CLUSTER_PATH}/${datastoreId}`, body: null }, async (commandId) => {
        await knownDatastore(options, datastoreId, ownerId)
        const data = { datastoreId, jobId: derivedId('job', commandId), now: now() }
        const outcome = await send({ type: 'DeleteDatastore', data }, await cause(request, commandId))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 200, body: {}, position: outcome.position }
      })
    },
  })
}
