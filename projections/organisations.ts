import type { OrganisationEvent } from '../domain/organisation/messages.ts'
import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import type { MemberEntry, OrganisationRow } from './organisation-row.ts'

const isOf = (event: KnownEvent): event is Extract<KnownEvent, OrganisationEvent> => event.stream.startsWith('organisation-')

/** One row per organisation that is not deleted: its members, and the invitations that are open or have run out. */
export const organisations = projection<OrganisationRow>({
  name: 'organisations',
  version: 1,
  table: 'organisations',
  key: 'organisation_id',
  columns: {
    organisation_id: 'text',
    name: 'text',
    members: 'json',
    invitations: 'json',
    created_at: 'time',
    updated_at: 'time',
  },

  keys: (event) => (isOf(event) ? [event.data.organisationId] : []),

  apply(row, event) {
    if (!isOf(event)) return row
    const { type, data } = event
    if (type === 'OrganisationCreated') {
      const { organisationId, name, userId, at } = data
      const members = [{ user_id: userId, role: 'owner', since: at }] as const
      return { organisation_id: organisationId, name, members, invitations: [], created_at: at, updated_at: at }
    }
    return row === undefined ? undefined : changed({ ...row, updated_at: data.at }, event)
  },
})

const changed = (row: OrganisationRow, { type, data }: OrganisationEvent): OrganisationRow | undefined => {
  switch (type) {
    case 'OrganisationRenamed':
      return { ...row, name: data.name }
    case 'MemberInvited': {
      const { invitationId, address, role, tokenHash, by, expiresAt, at } = data
      const invitation = {
        invitation_id: invitationId, address, role, token_hash: tokenHash, invited_by: by, created_at: at, expires_at: expiresAt,
      }
      return { ...row, invitations: [...row.invitations.filter(({ expires_at: until }) => until > at), invitation] }
    }
    case 'InvitationRevoked':
    case 'InvitationDeclined':
      return without(row, data.invitationId)
    case 'MemberJoined': {
      const { userId, role, at } = data
      const { members, ...rest } = without(row, data.invitationId)
      return { ...rest, members: [...members, { user_id: userId, role, since: at }] }
    }
    case 'MemberRoleChanged':
      return as(row, data.userId, data.role)
    case 'MemberRemoved':
    case 'MemberLeft':
      return { ...row, members: row.members.filter(({ user_id: id }) => id !== data.userId) }
    case 'OwnershipHandedOver':
      return as(as(row, data.from, 'admin'), data.to, 'owner')
    case 'OrganisationDeleted':
    case 'OrganisationDataErased':
      return undefined
    case 'OrganisationCreated':
    case 'OrganisationStreamOpened':
    case 'OrganisationStreamClosed':
      return row
  }
}

const as = (row: OrganisationRow, userId: string, role: MemberEntry['role']): OrganisationRow => ({
  ...row,
  members: row.members.map((member) => (member.user_id === userId ? { ...member, role } : member)),
})

const without = (row: OrganisationRow, invitationId: string): OrganisationRow => ({
  ...row,
  invitations: row.invitations.filter(({ invitation_id: id }) => id !== invitationId),
})
