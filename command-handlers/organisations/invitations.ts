import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../../domain/kernel/endpoint.ts'
import { ROLES } from '../../domain/kernel/roles.ts'
import { later } from '../../domain/kernel/time.ts'
import type { OrganisationRejection } from '../../domain/organisation/messages.ts'
import { derivedId } from '../ids.ts'
import {
  actingAs, hashOf, type OrganisationEndpoints, type OrganisationTools, PATH, refuseClients, tag, tokenRef,
} from './tools.ts'

const EXPIRES_AFTER_MS = 7 * 24 * 3_600_000

const params = z.object({ id: z.uuid().toLowerCase() })
const noBody = z.object({})
const invited = z.object({
  id: z.uuid(),
  email: z.string(),
  role: z.enum(ROLES),
  expires_at: z.iso.datetime(),
})

/** Plain text: what somebody called his organisation must not become a link or a heading in another's mail. */
const letter = (
  { organisation, role, expiresAt }: { readonly organisation: string; readonly role: string; readonly expiresAt: string },
  { token, publicUrl }: { readonly token: string; readonly publicUrl: string },
) => ({
  subject: 'You are invited to an organisation',
  text: [
    `You are invited to the organisation “${organisation}”, as ${role}.`,
    '',
    'To accept, sign in and send:',
    '',
    `  POST ${publicUrl}/api/v1/invitations/${token}/accept`,
    '',
    `To decline, the same with /decline. The invitation holds until ${expiresAt}, once, for whoever has this mail.`,
    'If you do not know the organisation, there is nothing that you need to do.',
  ].join('\n'),
})

export const invite = (options: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint => {
  const { personal, organisations, tokens, outbox, publicUrl, now } = options
  return endpoint({
    method: 'POST',
    path: `${PATH}/:id/invitations`,
    summary: 'Invite somebody by mail; an earlier invitation to the same address holds no more',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params,
    body: z.object({ email: z.email().max(254), role: z.enum(ROLES) }),
    replies: { 201: { description: 'The mail is on its way.', schema: invited } },
    handle: async (request) => {
      const { params: { id }, body } = request
      const { email, role } = body
      return once(request, { method: 'POST', path: `${PATH}/${id}/invitations`, body }, async (commandId) => {
        const invitationId = derivedId('invitation', commandId)
        const token = await tokens.ensure(tokenRef(id, invitationId))
        const at = now()
        const expiresAt = later(at, EXPIRES_AFTER_MS)
        const data = {
          organisationId: id,
          invitationId,
          address: await personal.seal(id, email),
          addressId: derivedId('mail address', email.normalize('NFC').toLowerCase()),
          role,
          tokenHash: hashOf(token),
          by: actingAs(request),
          expiresAt,
          now: at,
        }
        const position = await send({ type: 'InviteMember', data }, await cause(request, commandId)).catch(
          async (error: unknown) => {
            if (error instanceof Refused) await tokens.destroySubject(invitationId)
            throw error
          },
        )
        const words = letter({ organisation: await organisations.nameOf(id), role, expiresAt }, { token, publicUrl })
        await outbox.put({ mailId: derivedId('invitation mail', invitationId), ownerId: id, to: email, ...words })
        return { status: 201, body: { id: invitationId, email, role, expires_at: expiresAt }, position }
      })
    },
  })
}

export const revoke = ({ tokens, now }: OrganisationEndpoints, { once, send, cause }: OrganisationTools): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:id/invitations/:iid`,
    summary: 'Take an invitation back',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params: params.extend({ iid: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'It lets nobody in any more.', schema: noBody } },
    handle: async (request) => {
      const { id, iid } = request.params
      const call = { method: 'DELETE', path: `${PATH}/${id}/invitations/${iid}`, body: null }
      return once(request, call, async (commandId) => {
        const data = { organisationId: id, invitationId: iid, now: now() }
        const position = await send({ type: 'RevokeInvitation', data }, await cause(request, commandId))
        await tokens.destroySubject(iid)
        return { status: 200, body: {}, position }
      })
    },
  })

const noInvitation = (): Refused =>
  new Refused({
    rejected: 'invitation-not-found' satisfies OrganisationRejection,
    because: 'there is no such invitation, or no more',
  })

/** Whoever has the token was reached by mail; whether his account goes by that address does not matter. */
const answer = (
  { organisations, tokens, now }: OrganisationEndpoints,
  { once, send, causeAbout }: OrganisationTools,
  does: 'accept' | 'decline',
): Endpoint =>
  endpoint({
    method: 'POST',
    path: `/api/v1/invitations/:token/${does}`,
    summary: does === 'accept' ? 'Accept an invitation: be a member from now on' : 'Decline an invitation',
    tag,
    access: 'user',
    needs: 'self',
    params: z.object({ token: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not a token of an invitation') }),
    replies: {
      200: { description: 'It is used up.', schema: z.object({ organisation_id: z.uuid() }) },
    },
    handle: async (request) => {
      refuseClients(request)
      const { params: { token }, principal: { userId } } = request
      const tokenHash = hashOf(token)
      const path = `/api/v1/invitations/${tokenHash}/${does}`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        const found = await organisations.invitationBy(tokenHash)
        if (found === undefined) throw noInvitation()
        const { organisationId, invitationId } = found
        const data = { organisationId, invitationId, tokenHash, now: now() }
        const why = await causeAbout(request, commandId, organisationId)
        const position =
          does === 'accept'
            ? await send({ type: 'AcceptInvitation', data: { ...data, userId } }, why)
            : await send({ type: 'DeclineInvitation', data }, why)
        await tokens.destroySubject(invitationId)
        return { status: 200, body: { organisation_id: organisationId }, position }
      })
    },
  })

export const accept = (options: OrganisationEndpoints, tools: OrganisationTools): Endpoint => answer(options, tools, 'accept')
export const decline = (options: OrganisationEndpoints, tools: OrganisationTools): Endpoint => answer(options, tools, 'decline')
