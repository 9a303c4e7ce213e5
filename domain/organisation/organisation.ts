import { type Decider, type Decision, reject } from '../kernel/decider.ts'
import { isAtLeast, lesser, may, type Role } from '../kernel/roles.ts'
import { type Instant, reached } from '../kernel/time.ts'
import type {
  Acting, InvitationRevoked, InviteMember, OrganisationCommand, OrganisationEvent, OrganisationRejection,
} from './messages.ts'

export const MEMBERS_MAX = 200
export const INVITATIONS_MAX = 100

type Invitation = {
  readonly addressId: string
  readonly role: Role
  readonly tokenHash: string
  readonly by: string
  readonly expiresAt: Instant
  /** The one who joined by it; null: it was revoked or declined. */
  readonly ended?: { readonly joined: string | null }
}

export type LiveOrganisation = {
  readonly status: 'live'
  readonly members: ReadonlyMap<string, Role>
  /** Since when each of them is one: what he left behind when he was one before is not his any more. */
  readonly since: ReadonlyMap<string, Instant>
  readonly invitations: ReadonlyMap<string, Invitation>
  /** When the credentials that hold for its event stream were made. */
  readonly eventStreamSince: Instant | undefined
}

export type Organisation =
  | { readonly status: 'absent' }
  | LiveOrganisation
  | { readonly status: 'deleted' | 'erased' }

type Decided = Decision<OrganisationEvent, OrganisationRejection>
type Of<T extends OrganisationCommand['type']> = Extract<OrganisationCommand, { readonly type: T }>['data']

/** People who own datastores together, each in his role. It is never without an owner, and nobody grants more than he has. */
export const organisation: Decider<OrganisationCommand, OrganisationEvent, Organisation, OrganisationRejection> = {
  initial: { status: 'absent' },

  decide(command, state) {
    const { type, data } = command
    const { organisationId, now: at } = data
    if (type === 'CreateOrganisation') {
      const { name, userId } = data
      return state.status === 'absent' ? [{ type: 'OrganisationCreated', data: { organisationId, name, userId, at } }] : []
    }
    if (state.status === 'absent') return absent(organisationId)
    if (type === 'DeleteOrganisation') {
      return state.status === 'live' ? [{ type: 'OrganisationDeleted', data: { organisationId, at } }] : []
    }
    if (type === 'EraseOrganisationData') {
      if (state.status === 'erased') return []
      const erased = { type: 'OrganisationDataErased', data: { organisationId, at } } as const
      return state.status === 'live' ? [{ type: 'OrganisationDeleted', data: { organisationId, at } }, erased] : [erased]
    }
    return state.status === 'live' ? ofLive(command, state) : absent(organisationId)
  },

  evolve(state, event) {
    const { type, data } = event
    if (type === 'OrganisationCreated') {
      const { userId, at } = data
      const members = new Map([[userId, 'owner']] as const)
      const since = new Map([[userId, at]])
      return { status: 'live', members, since, invitations: new Map(), eventStreamSince: undefined }
    }
    if (type === 'OrganisationDeleted') return { status: 'deleted' }
    if (type === 'OrganisationDataErased') return { status: 'erased' }
    if (state.status !== 'live') throw new Error(`BUG: ${type} on an organisation that is ${state.status}`)
    return living(state, event)
  },
}

const absent = (organisationId: string) => reject('organisation-not-found', `there is no organisation ${organisationId}`)
const noInvitation = () => reject('invitation-not-found', 'there is no such invitation, or no more')
const tooHigh = (because: string) => reject('role-too-high', because)
const lastOwner = () => reject('last-owner', 'an organisation has an owner at all times; make another one first')

/** As what someone acts: what he is, and no more than he may make use of. */
const acting = ({ members }: LiveOrganisation, { userId, role }: Acting): Role | undefined => {
  const own = members.get(userId)
  return own === undefined ? undefined : lesser(own, role)
}

const isLastOwner = ({ members }: LiveOrganisation, userId: string): boolean =>
  members.get(userId) === 'owner' && [...members.values()].filter((role) => role === 'owner').length === 1

const openOnes = ({ invitations }: LiveOrganisation, now: Instant) =>
  [...invitations].filter(([, { ended, expiresAt }]) => ended === undefined && !reached(expiresAt, now))

/** Those that someone gave and may give no longer once he has another role, or none. */
const stale = (
  state: LiveOrganisation,
  { organisationId, now: at }: { readonly organisationId: string; readonly now: Instant },
  isStale: (invitation: Invitation) => boolean,
): readonly InvitationRevoked[] =>
  openOnes(state, at).flatMap(([invitationId, invitation]) =>
    isStale(invitation)
      ? [{ type: 'InvitationRevoked', data: { organisationId, invitationId, because: 'stale', at } } as const]
      : [],
  )

const beyond =
  (userId: string, role: Role | undefined) =>
  (invitation: Invitation): boolean =>
    invitation.by === userId && !(role !== undefined && may(role, 'administer') && isAtLeast(role, invitation.role))

const ofLive = (command: OrganisationCommand, state: LiveOrganisation): Decided => {
  const { type, data } = command
  const { organisationId, now: at } = data
  switch (type) {
    case 'RenameOrganisation':
      return [{ type: 'OrganisationRenamed', data: { organisationId, name: data.name, at } }]
    case 'InviteMember':
      return invite(data, state)
    case 'RevokeInvitation': {
      const found = state.invitations.get(data.invitationId)
      if (found === undefined) return noInvitation()
      const { invitationId } = data
      return found.ended === undefined
        ? [{ type: 'InvitationRevoked', data: { organisationId, invitationId, because: 'asked', at } }]
        : []
    }
    case 'AcceptInvitation':
      return accept(data, state)
    case 'DeclineInvitation': {
      const { invitationId } = data
      const found = state.invitations.get(invitationId)
      if (found === undefined || found.tokenHash !== data.tokenHash || found.ended?.joined) return noInvitation()
      return found.ended === undefined ? [{ type: 'InvitationDeclined', data: { organisationId, invitationId, at } }] : []
    }
    case 'ChangeMemberRole':
      return changeRole(data, state)
    case 'RemoveMember':
      return remove(data, state)
    case 'HandOverOwnership':
      return handOver(data, state)
    case 'OpenOrganisationStream':
      return [{ type: 'OrganisationStreamOpened', data: { organisationId, at } }]
    case 'CloseOrganisationStream':
      return state.eventStreamSince === undefined
        ? []
        : [{ type: 'OrganisationStreamClosed', data: { organisationId, at } }]
    case 'CreateOrganisation':
    case 'DeleteOrganisation':
    case 'EraseOrganisationData':
      throw new Error(`BUG: ${type} is decided whatever the organisation is`)
  }
}

const invite = ({ by, now: at, ...asked }: InviteMember['data'], state: LiveOrganisation): Decided => {
  const { organisationId, invitationId, role, addressId } = asked
  if (state.invitations.has(invitationId)) return []
  const own = acting(state, by)
  if (own === undefined || !may(own, 'administer')) return tooHigh('members are invited by administrators')
  if (!isAtLeast(own, role)) return tooHigh(`whoever is ${own} cannot make another ${role}`)
  if (reached(asked.expiresAt, at)) return reject('expiry-in-the-past', 'an invitation expires in the future')
  if (openOnes(state, at).length >= INVITATIONS_MAX) {
    return reject('invitation-limit-reached', `an organisation has at most ${INVITATIONS_MAX} open invitations`)
  }
  return [
    ...stale(state, { organisationId, now: at }, (one) => one.addressId === addressId),
    { type: 'MemberInvited', data: { ...asked, by: by.userId, at } },
  ]
}

const accept = (
  { organisationId, invitationId, tokenHash, userId, now: at }: Of<'AcceptInvitation'>,
  state: LiveOrganisation,
): Decided => {
  const found = state.invitations.get(invitationId)
  if (found === undefined || found.tokenHash !== tokenHash) return noInvitation()
  if (found.ended?.joined === userId) return []
  if (found.ended !== undefined || reached(found.expiresAt, at)) return noInvitation()
  if (state.members.has(userId)) return reject('already-member', 'you are a member of the organisation already')
  if (state.members.size >= MEMBERS_MAX) {
    return reject('member-limit-reached', `an organisation has at most ${MEMBERS_MAX} members`)
  }
  return [{ type: 'MemberJoined', data: { organisationId, invitationId, userId, role: found.role, at } }]
}

const changeRole = ({ organisationId, userId, role, by, now: at }: Of<'ChangeMemberRole'>, state: LiveOrganisation): Decided => {
  const own = acting(state, by)
  const previously = state.members.get(userId)
  if (own === undefined || !may(own, 'administer')) return tooHigh('roles are given by administrators')
  if (previously === undefined) return noMember(userId)
  if (previously === role) return []
  if (!isAtLeast(own, role) || !isAtLeast(own, previously)) {
    return tooHigh(`whoever is ${own} cannot make ${previously} into ${role}`)
  }
  if (isLastOwner(state, userId)) return lastOwner()
  return [
    { type: 'MemberRoleChanged', data: { organisationId, userId, role, previously, at } },
    ...stale(state, { organisationId, now: at }, beyond(userId, role)),
  ]
}

const remove = ({ organisationId, userId, by, now: at }: Of<'RemoveMember'>, state: LiveOrganisation): Decided => {
  const role = state.members.get(userId)
  if (role === undefined) return noMember(userId)
  const own = by === null ? 'owner' : acting(state, by)
  const isOneself = by?.userId === userId
  if (!isOneself && (own === undefined || !may(own, 'administer'))) return tooHigh('members are removed by administrators')
  if (!isOneself && own !== undefined && !isAtLeast(own, role)) {
    return tooHigh(`whoever is ${own} cannot remove one who is ${role}`)
  }
  if (isLastOwner(state, userId)) return lastOwner()
  return [
    { type: isOneself ? 'MemberLeft' : 'MemberRemoved', data: { organisationId, userId, at } },
    ...stale(state, { organisationId, now: at }, beyond(userId, undefined)),
  ]
}

const handOver = ({ organisationId, to, by, now: at }: Of<'HandOverOwnership'>, state: LiveOrganisation): Decided => {
  const from = by.userId
  if (acting(state, by) !== 'owner') return tooHigh('what is handed over is one\'s own')
  const role = state.members.get(to)
  if (role === undefined) return noMember(to)
  if (role === 'owner') return to === from ? [] : tooHigh('whoever is an owner need not be made one; leave, or take another role')
  return [
    { type: 'OwnershipHandedOver', data: { organisationId, from, to, at } },
    ...stale(state, { organisationId, now: at }, beyond(from, 'admin')),
  ]
}

const noMember = (userId: string) => reject('member-not-found', `the organisation has no member ${userId}`)

type Lasting = Exclude<
  OrganisationEvent,
  { readonly type: 'OrganisationCreated' | 'OrganisationDeleted' | 'OrganisationDataErased' }
>

const living = (state: LiveOrganisation, { type, data }: Lasting): LiveOrganisation => {
  switch (type) {
    case 'OrganisationRenamed':
      return state
    case 'MemberInvited': {
      const { invitationId, addressId, role, tokenHash, by, expiresAt } = data
      const invitation = { addressId, role, tokenHash, by, expiresAt }
      return { ...state, invitations: new Map([...state.invitations, [invitationId, invitation]]) }
    }
    case 'InvitationRevoked':
    case 'InvitationDeclined':
      return { ...state, invitations: ended(state, data.invitationId, null) }
    case 'MemberJoined': {
      const { userId, role, invitationId, at } = data
      const since = new Map([...state.since, [userId, at]])
      return { ...withRole(state, userId, role), since, invitations: ended(state, invitationId, userId) }
    }
    case 'MemberRoleChanged':
      return withRole(state, data.userId, data.role)
    case 'MemberRemoved':
    case 'MemberLeft':
      return { ...state, members: new Map([...state.members].filter(([userId]) => userId !== data.userId)) }
    case 'OrganisationStreamOpened':
      return { ...state, eventStreamSince: data.at }
    case 'OrganisationStreamClosed':
      return { ...state, eventStreamSince: undefined }
    case 'OwnershipHandedOver':
      return withRole(withRole(state, data.from, 'admin'), data.to, 'owner')
  }
}

const withRole = (state: LiveOrganisation, userId: string, role: Role): LiveOrganisation => ({
  ...state,
  members: new Map([...state.members, [userId, role]]),
})

const ended = ({ invitations }: LiveOrganisation, invitationId: string, joined: string | null) =>
  new Map([...invitations].map(([id, one]) => [id, id === invitationId ? { ...one, ended: { joined } } : one]))
