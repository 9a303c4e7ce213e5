import { z } from 'zod'
import { type Endpoint, endpoint, Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import type { PersonalData, Sealed } from '../domain/kernel/sealed.ts'
import type { WebhookCommand } from '../domain/webhook/messages.ts'
import { derivedId } from './ids.ts'
import type { SecretRef } from './webhook-ports.ts'
import { createBody, createdBody, filtersOf, patchBody, rotatedBody } from './webhook-shapes.ts'
import { type WebhookEndpoints, type WebhookTools, webhookTools } from './webhook-tools.ts'

const PATH = '/api/v1/webhooks'
const tag = 'Webhooks'
const WEBHOOKS_MAX = 20

const params = z.object({ id: z.uuid().toLowerCase() })
const noBody = z.object({})
const pingBody = z.object({ event_id: z.uuid() })

/** The calls that make, change and unmake webhooks. */
export const webhookEndpoints = (options: WebhookEndpoints): readonly Endpoint[] => {
  const tools = webhookTools(options)
  return [
    create(options, tools),
    change(options, tools),
    remove(options, tools),
    rotate(options, tools),
    act(options, tools, 'pause', 'Send nothing until it is resumed; it keeps its place'),
    act(options, tools, 'resume', 'Go on where it was paused'),
    test(options, tools),
    replay(options, tools),
    replayDeadLetter(options, tools),
  ]
}

const sealedOrNull = async ({ seal }: PersonalData, ownerId: string, text: string | null): Promise<Sealed | null> =>
  text === null ? null : seal(ownerId, text)

/** @throws Refused `webhook-not-found` when it was deleted since, and its secrets with it */
const told = async ({ secrets }: WebhookEndpoints, ref: SecretRef): Promise<string> => {
  const secret = await secrets.open(ref)
  if (secret === undefined) {
    throw new Refused({ rejected: 'webhook-not-found', because: `there is no webhook ${ref.subjectId} any more` })
  }
  return secret
}

/** What is recorded of the request, and told again to its repeats, holds no secret: that is fetched from the vault. */
const create = (options: WebhookEndpoints, { once, send, cause }: WebhookTools): Endpoint => {
  const { personal, secrets, checkTarget, deliveries, now } = options
  return endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Create a webhook; its signing secret is told this once',
    tag,
    access: 'user',
    needs: 'administer',
    body: createBody,
    replies: { 201: { description: 'The webhook, and the secret that its requests are signed with.', schema: createdBody } },
    handle: async (request) => {
      const { ownerId } = request.principal
      const { url, description } = request.body
      const filters = filtersOf(request.body)
      const call = { method: 'POST', path: PATH, body: { url, description, ...filters } }
      const reply = await once(request, call, async (commandId) => {
        const refusal = await checkTarget(url)
        if (refusal !== undefined) throw new Refused(refusal)
        if ((await deliveries.countOf(ownerId)) >= WEBHOOKS_MAX) {
          const because = `an organisation has at most ${WEBHOOKS_MAX} webhooks`
          throw new Refused({ rejected: 'webhook-limit-reached', because })
        }
        const [webhookId, secretId] = [derivedId('webhook', commandId), derivedId('signing secret', commandId)]
        await secrets.ensure({ ownerId, subjectId: webhookId, name: secretId })
        const data = {
          webhookId,
          organisationId: ownerId,
          url: await personal.seal(ownerId, url),
          description: await sealedOrNull(personal, ownerId, description),
          filters,
          secretId,
          now: now(),
        }
        const position = await send({ type: 'CreateWebhook', data }, await cause(request, commandId))
        return { status: 201, body: { id: webhookId, secret_id: secretId, created_at: data.now }, position }
      })
      const { id, secret_id: name, created_at } = z
        .object({ id: z.string(), secret_id: z.string(), created_at: z.string() })
        .parse(reply.body)
      const secret = await told(options, { ownerId, subjectId: id, name })
      const made = { id, url, description, types: [...filters.types], subjects: [...filters.subjects], created_at }
      return { ...reply, body: { ...made, status: 'active', secret } }
    },
  })
}

const change = (options: WebhookEndpoints, { once, send, cause, own }: WebhookTools): Endpoint => {
  const { personal, checkTarget, now } = options
  return endpoint({
    method: 'PATCH',
    path: `${PATH}/:id`,
    summary: 'Change where a webhook goes, what it is for, or what it is told of',
    tag,
    access: 'user',
    needs: 'administer',
    params,
    body: patchBody,
    replies: { 200: { description: 'It is changed, and what has failed is tried at once.', schema: noBody } },
    handle: async (request) => {
      const { id } = request.params
      const body = z.json().parse(JSON.parse(JSON.stringify(request.body)))
      return once(request, { method: 'PATCH', path: `${PATH}/${id}`, body }, async (commandId) => {
        const { ownerId } = await own(request, id)
        const { url, description, ...filters } = request.body
        const refusal = url === undefined ? undefined : await checkTarget(url)
        if (refusal !== undefined) throw new Refused(refusal)
        const data = {
          webhookId: id,
          now: now(),
          ...(url === undefined ? {} : { url: await personal.seal(ownerId, url) }),
          ...(description === undefined ? {} : { description: await sealedOrNull(personal, ownerId, description) }),
          ...filters,
        }
        const position = await send({ type: 'ChangeWebhook', data }, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })
}

const remove = ({ secrets, deliveries, now }: WebhookEndpoints, { send, cause, once, own }: WebhookTools): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:id`,
    summary: 'Delete a webhook with its secret and its log',
    tag,
    access: 'user',
    needs: 'administer',
    params,
    replies: { 204: { description: 'It is deleted.' } },
    handle: async (request) => {
      const { id } = request.params
      return once(request, { method: 'DELETE', path: `${PATH}/${id}`, body: null }, async (commandId) => {
        await own(request, id, { orDeleted: true })
        const data = { webhookId: id, now: now() }
        const position = await send({ type: 'DeleteWebhook', data }, await cause(request, commandId))
        // After the event, and again with each repeat: what a crash has left behind goes with the next one.
        await secrets.destroySubject(id)
        await deliveries.forget(id)
        return { status: 204, position }
      })
    },
  })

const rotate = (options: WebhookEndpoints, { send, cause, once, own }: WebhookTools): Endpoint => {
  const { secrets, now } = options
  return endpoint({
    method: 'POST',
    path: `${PATH}/:id/rotate-secret`,
    summary: 'Make a new signing secret; the one before it signs as well for a day',
    tag,
    access: 'user',
    needs: 'administer',
    params,
    replies: { 200: { description: 'The new secret, told this once.', schema: rotatedBody } },
    handle: async (request) => {
      const { id } = request.params
      const { ownerId } = request.principal
      const call = { method: 'POST', path: `${PATH}/${id}/rotate-secret`, body: null }
      const reply = await once(request, call, async (commandId) => {
        await own(request, id)
        const secretId = derivedId('signing secret', commandId)
        await secrets.ensure({ ownerId, subjectId: id, name: secretId })
        const data = { webhookId: id, secretId, now: now() }
        const position = await send({ type: 'RotateWebhookSecret', data }, await cause(request, commandId))
        return { status: 200, body: { secret_id: secretId }, position }
      })
      const { secret_id: name } = z.object({ secret_id: z.string() }).parse(reply.body)
      return { ...reply, body: { secret: await told(options, { ownerId, subjectId: id, name }) } }
    },
  })
}

const act = (
  { now }: WebhookEndpoints,
  { once, send, cause, own }: WebhookTools,
  verb: 'pause' | 'resume',
  summary: string,
): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/${verb}`,
    summary,
    tag,
    access: 'user',
    params,
    replies: { 200: { description: 'It is so now.', schema: noBody } },
    handle: async (request) => {
      const { id } = request.params
      return once(request, { method: 'POST', path: `${PATH}/${id}/${verb}`, body: null }, async (commandId) => {
        await own(request, id)
        const data = { webhookId: id, now: now() }
        const command: WebhookCommand =
          verb === 'pause' ? { type: 'PauseWebhook', data: { ...data, because: 'asked' } } : { type: 'ResumeWebhook', data }
        const position = await send(command, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })

const test = ({ deliveries }: WebhookEndpoints, { once, own }: WebhookTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/test`,
    summary: 'Send an event to try the endpoint out, also while the webhook is paused',
    tag,
    access: 'user',
    params,
    replies: { 202: { description: 'It is sent; the deliveries tell what came of it.', schema: pingBody } },
    handle: async (request) => {
      const { id } = request.params
      return once(request, { method: 'POST', path: `${PATH}/${id}/test`, body: null }, async (commandId) => {
        await own(request, id)
        return { status: 202, body: { event_id: await deliveries.ping(id, derivedId('ping', commandId)) } }
      })
    },
  })

const replay = ({ deliveries, now }: WebhookEndpoints, { once, send, cause, own }: WebhookTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/replay`,
    summary: 'Send everything after a cursor again, in its order',
    tag,
    access: 'user',
    params,
    query: z.object({ from: z.string().max(100) }),
    replies: { 202: { description: 'It goes on from there.', schema: z.object({ cursor: z.string() }) } },
    handle: async (request) => {
      const { params: { id }, query: { from: cursor } } = request
      const call = { method: 'POST', path: `${PATH}/${id}/replay`, body: { cursor } }
      return once(request, call, async (commandId): Promise<Reply> => {
        await own(request, id)
        const answer = await deliveries.replayFrom(id, cursor)
        if (answer === 'malformed') throw new Refused({ rejected: 'malformed-cursor', because: 'from is no cursor of the feed' })
        if (answer === 'ahead') {
          throw new Refused({ rejected: 'cursor-ahead', because: 'the webhook has not come so far yet' })
        }
        const data = { webhookId: id, cursor, now: now() }
        const position = await send({ type: 'ReplayWebhook', data }, await cause(request, commandId))
        return { status: 202, body: { cursor }, position }
      })
    },
  })

const replayDeadLetter = ({ deliveries, now }: WebhookEndpoints, { once, send, cause, own }: WebhookTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/dead-letters/:eventId/replay`,
    summary: 'Try once more to tell of an event that was given up',
    tag,
    access: 'user',
    params: params.extend({ eventId: z.uuid().toLowerCase() }),
    replies: { 202: { description: 'It is sent; the deliveries tell what came of it.', schema: noBody } },
    handle: async (request: Request<{ readonly id: string; readonly eventId: string }, undefined, undefined>) => {
      const { id, eventId } = request.params
      const call = { method: 'POST', path: `${PATH}/${id}/dead-letters/${eventId}/replay`, body: null }
      return once(request, call, async (commandId) => {
        await own(request, id)
        if (!(await deliveries.replayDeadLetter(id, eventId))) {
          throw new Refused({ rejected: 'dead-letter-not-found', because: `there is no dead letter ${eventId}` })
        }
        const data = { webhookId: id, eventId, now: now() }
        const position = await send({ type: 'ReplayDeadLetter', data }, await cause(request, commandId))
        return { status: 202, body: {}, position }
      })
    },
  })
