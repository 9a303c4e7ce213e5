import type { OrganisationEvent } from '../../domain/organisation/messages.ts'
import type { PublicEvent, PublicType } from './contract.ts'

type Mapping = {
  readonly [T in OrganisationEvent['type']]: (
    event: Extract<OrganisationEvent, { readonly type: T }>,
  ) => readonly PublicEvent[]
}
type What = 'created' | 'renamed' | 'event-stream-opened' | 'event-stream-closed' | 'deleted' | 'erased'
type Plain = Extract<PublicType, `dev.ccx.organisation.${What}.v1`>

const about = (type: Plain, { organisationId }: { readonly organisationId: string }): readonly PublicEvent[] => [
  { type, subject: `organisations/${organisationId}`, data: { organisationId } },
]

type Invitation = { readonly organisationId: string; readonly invitationId: string }

const ended = (
  { organisationId, invitationId }: Invitation,
  reason: 'revoked' | 'declined' | 'accepted',
): PublicEvent => ({
  type: 'dev.ccx.organisation.invitation-ended.v1',
  subject: `organisations/${organisationId}`,
  data: { organisationId, invitationId, reason },
})

type Member = { readonly organisationId: string; readonly userId: string }

const left = ({ organisationId, userId }: Member): readonly PublicEvent[] => [
  {
    type: 'dev.ccx.organisation.member-left.v1',
    subject: `organisations/${organisationId}`,
    data: { organisationId, userId },
  },
]

const became = ({ organisationId, userId }: Member, role: string): PublicEvent => ({
  type: 'dev.ccx.organisation.member-role-changed.v1',
  subject: `organisations/${organisationId}`,
  data: { organisationId, userId, role },
})

/** What integrators get of an organisation's events. Names and addresses of people stay inside. */
export const organisationMapping: Mapping = {
  OrganisationCreated: ({ data }) => about('dev.ccx.organisation.created.v1', data),
  OrganisationRenamed: ({ data }) => about('dev.ccx.organisation.renamed.v1', data),
  MemberInvited: ({ data: { organisationId, invitationId, role, expiresAt } }) => [
    {
      type: 'dev.ccx.organisation.member-invited.v1',
      subject: `organisations/${organisationId}`,
      data: { organisationId, invitationId, role, expiresAt },
    },
  ],
  InvitationRevoked: ({ data }) => [ended(data, 'revoked')],
  InvitationDeclined: ({ data }) => [ended(data, 'declined')],
  MemberJoined: ({ data }) => [
    ended(data, 'accepted'),
    {
      type: 'dev.ccx.organisation.member-joined.v1',
      subject: `organisations/${data.organisationId}`,
      data: { organisationId: data.organisationId, userId: data.userId, role: data.role },
    },
  ],
  MemberRoleChanged: ({ data }) => [became(data, data.role)],
  MemberRemoved: ({ data }) => left(data),
  MemberLeft: ({ data }) => left(data),
  OwnershipHandedOver: ({ data: { organisationId, from, to } }) => [
    became({ organisationId, userId: from }, 'admin'),
    became({ organisationId, userId: to }, 'owner'),
  ],
  OrganisationStreamOpened: ({ data }) => about('dev.ccx.organisation.event-stream-opened.v1', data),
  OrganisationStreamClosed: ({ data }) => about('dev.ccx.organisation.event-stream-closed.v1', data),
  OrganisationDeleted: ({ data }) => about('dev.ccx.organisation.deleted.v1', data),
  OrganisationDataErased: ({ data }) => about('dev.ccx.organisation.erased.v1', data),
}
