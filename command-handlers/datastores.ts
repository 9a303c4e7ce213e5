import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { datastore } from '../domain/datastore/datastore.ts'
import { plan } from '../domain/datastore/plan.ts'
import type { Command, Event } from '../domain/kernel/decider.ts'
import { type Endpoint, endpoint, Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { EventStore } from '../domain/kernel/event-store.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import { answerOnce, fingerprintOf } from './answer-once.ts'
import { causeOf } from './cause.ts'
import { createBody, createdBody, createdOf, requestOf, sealedWording } from './create-datastore.ts'
import { fold, handle, type Send } from './handle.ts'
import { derivedId, nodesOf } from './ids.ts'

export type CommandEndpoints = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly catalogue: Catalogue
  /** Under which the datastores' names lie. */
  readonly domain: string
  /** How long a resolver may keep such a name. */
  readonly ttlSeconds: number
  readonly now: () => Instant
  readonly personal: PersonalData
  /** Of the span at work. */
  readonly traceparent: () => string | undefined
  /** Put around the sending of commands, to count and trace them. */
  readonly around?: <C extends Command, E extends Event, S, Code extends string>(
    send: Send<C, E, S, Code>,
  ) => Send<C, E, S, Code>
}

const PATH = '/api/prov/api/v2/cluster'
const tag = 'Datastores'

const streamOf = (datastoreId: string): string => `datastore-${datastoreId}`

/**
 * The calls that make and unmake datastores.
 *
 * @param options.store where commands meet their streams
 * @param options.catalogue what may be asked for
 */
export const commandEndpoints = (options: CommandEndpoints): readonly Endpoint[] => [create(options), remove(options)]

const toolsOf = ({ store, personal, traceparent, around = (send) => send }: CommandEndpoints) => {
  const cause = (request: Request<unknown, unknown, unknown>, commandId: string) =>
    causeOf(request, commandId, { seal: personal.seal, traceparent: traceparent() })
  return {
    cause,
    once: answerOnce({ store, personal, cause }),
    send: around(handle({ store }, datastore, ({ data }) => streamOf(data.datastoreId))),
  }
}

const create = (options: CommandEndpoints): Endpoint => {
  const { catalogue, domain, ttlSeconds, now, personal } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Create a datastore',
    tag,
    access: 'user',
    body: createBody,
    replies: { 201: { description: 'The datastore; a job deploys it.', schema: createdBody } },
    handle: async (request) => {
      const wanted = requestOf(request.body)
      // JSON has no undefined: what is not given is absent from the fingerprint, however the client put it.
      const body = z.json().parse(JSON.parse(JSON.stringify(wanted)))
      return once(request, { method: 'POST', path: PATH, body }, async (commandId) => {
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
  const { store, now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'DELETE',
    path: `${PATH}/:uuid`,
    summary: 'Delete a datastore',
    tag,
    access: 'user',
    params: z.object({ uuid: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'A job deletes it.', schema: z.object({}) } },
    handle: async (request) => {
      const datastoreId = request.params.uuid
      return once(request, { method: 'DELETE', path: `${PATH}/${datastoreId}`, body: null }, async (commandId) => {
        const { state } = await fold({ store }, datastore, streamOf(datastoreId))
        // Another's datastore does not exist for the one who asks.
        if (state.status === 'absent' || state.spec.ownerId !== request.principal.ownerId) {
          throw new Refused({ rejected: 'datastore-not-found', because: `there is no datastore ${datastoreId}` })
        }
        const data = { datastoreId, jobId: derivedId('job', commandId), now: now() }
        const outcome = await send({ type: 'DeleteDatastore', data }, await cause(request, commandId))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 200, body: {}, position: outcome.position }
      })
    },
  })
}
