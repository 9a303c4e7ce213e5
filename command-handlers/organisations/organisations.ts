import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../../domain/kernel/endpoint.ts'
import type { ErasureRejection } from '../auth/erase.ts'
import { derivedId } from '../ids.ts'
import {
  actingAs, type OrganisationEdgeRejection, type OrganisationEndpoints, type OrganisationTools, PATH, refuseClients, tag,
} from './tools.ts'

const ORGANISATIONS_MAX = 50

const params = z.object({ id: z.uuid().toLowerCase() })
const name = z.string().trim().min(1).max(100)
const noBody = z.object({})

export const create = (
  { personal, organisations, now }: OrganisationEndpoints,
  { once, send, causeAbout }: OrganisationTools,
): Endpoint =>
  endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Make an organisation; whoever makes it is its owner',
    tag,
    access: 'user',
    needs: 'self',
    body: z.object({ name }),
    replies: {
      201: { description: 'The organisation.', schema: z.object({ id: z.uuid(), name: z.string(), role: z.literal('owner') }) },
    },
    handle: async (request) => {
      refuseClients(request)
      const { body, principal: { userId } } = request
      return once(request, { method: 'POST', path: PATH, body }, async (commandId) => {
        if ((await organisations.countOf(userId)) >= ORGANISATIONS_MAX) {
          throw new Refused({
            rejected: 'organisation-limit-reached' satisfies OrganisationEdgeRejection,
            because: `a user is a member of at most ${ORGANISATIONS_MAX} organisations`,
          })
        }
        const organisationId = derivedId('organisation', commandId)
        const data = { organisationId, name: await personal.seal(organisationId, body.name), userId, now: now() }
        const why = await causeAbout(request, commandId, organisationId, 'owner')
        const position = await send({ type: 'CreateOrganisation', data }, why)
        return { status: 201, body: { id: organisationId, name: body.name, role: 'owner' }, position }
      })
    },
  })

export const rename = (
  { personal, now }: OrganisationEndpoints,
  { once, send, cause }: OrganisationTools,
): Endpoint =>
  endpoint({
    method: 'PATCH',
    path: `${PATH}/:id`,
    summary: 'Rename an organisation',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params,
    body: z.object({ name }),
    replies: { 200: { description: 'It is called so.', schema: z.object({ id: z.uuid(), name: z.string() }) } },
    handle: async (request) => {
      const { params: { id }, body } = request
      return once(request, { method: 'PATCH', path: `${PATH}/${id}`, body }, async (commandId) => {
        const data = { organisationId: id, name: await personal.seal(id, body.name), now: now() }
        const position = await send({ type: 'RenameOrganisation', data }, await cause(request, commandId))
        return { status: 200, body: { id, name: body.name }, position }
      })
    },
  })

/** @throws Refused `organisation-in-use` */
const refuseInUse = async ({ organisations }: OrganisationEndpoints, organisationId: string): Promise<void> => {
  const held = await organisations.holdings(organisationId)
  if (held.length === 0) return
  throw new Refused({
    rejected: 'organisation-in-use' satisfies ErasureRejection,
    because: `the organisation still has something; delete that first: ${held.slice(0, 10).join(', ')}`,
  })
}

export const remove = (options: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:id`,
    summary: 'Delete an organisation that has nothing any more',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'own',
    params,
    replies: { 200: { description: 'It is gone, and nobody acts in its name.', schema: noBody } },
    handle: async (request) => {
      refuseClients(request)
      const { id } = request.params
      return once(request, { method: 'DELETE', path: `${PATH}/${id}`, body: null }, async (commandId) => {
        await refuseInUse(options, id)
        const data = { organisationId: id, now: options.now() }
        const position = await send({ type: 'DeleteOrganisation', data }, await cause(request, commandId))
        for (const end of options.endings) await end(id)
        return { status: 200, body: {}, position }
      })
    },
  })

export const handOver = ({ now }: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/hand-over`,
    summary: 'Hand the ownership over to another member, and be an administrator from then on',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'own',
    params,
    body: z.object({ user_id: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'It is his.', schema: noBody } },
    handle: async (request) => {
      refuseClients(request)
      const { params: { id }, body } = request
      return once(request, { method: 'POST', path: `${PATH}/${id}/hand-over`, body }, async (commandId) => {
        const data = { organisationId: id, to: body.user_id, by: actingAs(request), now: now() }
        const position = await send({ type: 'HandOverOwnership', data }, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })
