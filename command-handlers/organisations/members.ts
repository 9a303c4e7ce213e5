import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import { ROLES } from '../../domain/kernel/roles.ts'
import { actingAs, type OrganisationEndpoints, type OrganisationTools, PATH, refuseClients, tag } from './tools.ts'

const params = z.object({ id: z.uuid().toLowerCase(), userId: z.uuid().toLowerCase() })
const noBody = z.object({})

export const changeRole = ({ now }: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'PATCH',
    path: `${PATH}/:id/members/:userId`,
    summary: 'Give a member another role, at most your own',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params,
    body: z.object({ role: z.enum(ROLES) }),
    replies: { 200: { description: 'He has it.', schema: z.object({ user_id: z.uuid(), role: z.enum(ROLES) }) } },
    handle: async (request) => {
      const { params: { id, userId }, body: { role } } = request
      const call = { method: 'PATCH', path: `${PATH}/${id}/members/${userId}`, body: { role } }
      return once(request, call, async (commandId) => {
        const data = { organisationId: id, userId, role, by: actingAs(request), now: now() }
        const position = await send({ type: 'ChangeMemberRole', data }, await cause(request, commandId))
        return { status: 200, body: { user_id: userId, role }, position }
      })
    },
  })

export const removeMember = ({ now }: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:id/members/:userId`,
    summary: 'Remove a member; he is out at his next request, and so are his clients',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params,
    replies: { 200: { description: 'He is no member any more.', schema: noBody } },
    handle: async (request) => {
      const { id, userId } = request.params
      const call = { method: 'DELETE', path: `${PATH}/${id}/members/${userId}`, body: null }
      return once(request, call, async (commandId) => {
        const data = { organisationId: id, userId, by: actingAs(request), now: now() }
        const position = await send({ type: 'RemoveMember', data }, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })

export const leave = ({ now }: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id/leave`,
    summary: 'Leave an organisation',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'self',
    params: params.pick({ id: true }),
    replies: { 200: { description: 'You are no member any more.', schema: noBody } },
    handle: async (request) => {
      refuseClients(request)
      const { params: { id }, principal: { userId } } = request
      return once(request, { method: 'POST', path: `${PATH}/${id}/leave`, body: null }, async (commandId) => {
        const data = { organisationId: id, userId, by: actingAs(request), now: now() }
        const position = await send({ type: 'RemoveMember', data }, await cause(request, commandId))
        return { status: 200, body: {}, position }
      })
    },
  })
