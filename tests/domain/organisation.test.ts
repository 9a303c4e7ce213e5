import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isRejection } from '../../domain/kernel/decider.ts'
import { isAtLeast, lesser, may, ROLES, type Role } from '../../domain/kernel/roles.ts'
import { later } from '../../domain/kernel/time.ts'
import type { Acting, OrganisationCommand, OrganisationEvent } from '../../domain/organisation/messages.ts'
import { INVITATIONS_MAX, type LiveOrganisation, MEMBERS_MAX, organisation } from '../../domain/organisation/organisation.ts'
import { noon } from '../support/examples.ts'
import { fold, given } from '../support/given.ts'
import { dice } from '../support/history-world.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('an organisation')

const organisationId = 'org_1'
const about = { organisationId, at: noon }
const asking = { organisationId, now: noon }
const evening = later(noon, 6 * 3_600_000)
const name = sealed('Weather')
const ann: Acting = { userId: 'ann', role: 'owner' }
const as = (userId: string, role: Role = 'owner'): Acting => ({ userId, role })

const made: OrganisationEvent = { type: 'OrganisationCreated', data: { ...about, name, userId: 'ann' } }
const joined = (userId: string, role: Role, invitationId = `inv ${userId}`): OrganisationEvent => ({
  type: 'MemberJoined',
  data: { ...about, invitationId, userId, role },
})
const asked = (role: Role, invitationId = 'inv_1') => {
  const address = { address: sealed('bob@example.com'), addressId: 'adr_1' }
  return { organisationId, invitationId, ...address, role, tokenHash: 'hash', expiresAt: evening }
}
const invited = (role: Role, { by = 'ann', invitationId = 'inv_1' } = {}): OrganisationEvent => ({
  type: 'MemberInvited',
  data: { ...asked(role, invitationId), by, at: noon },
})
const invite = (role: Role, by: Acting = ann, invitationId = 'inv_1'): OrganisationCommand => ({
  type: 'InviteMember',
  data: { ...asked(role, invitationId), by, now: noon },
})
const stale = (invitationId = 'inv_1'): OrganisationEvent => ({
  type: 'InvitationRevoked',
  data: { ...about, invitationId, because: 'stale' },
})
const accept = (userId: string, { tokenHash = 'hash', now = noon } = {}): OrganisationCommand => ({
  type: 'AcceptInvitation',
  data: { organisationId, invitationId: 'inv_1', tokenHash, userId, now },
})
const decline: OrganisationCommand = {
  type: 'DeclineInvitation',
  data: { ...asking, invitationId: 'inv_1', tokenHash: 'hash' },
}
const changeRole = (userId: string, role: Role, by: Acting = ann): OrganisationCommand => ({
  type: 'ChangeMemberRole',
  data: { ...asking, userId, role, by },
})
const remove = (userId: string, by: Acting | null = ann): OrganisationCommand => ({
  type: 'RemoveMember',
  data: { ...asking, userId, by },
})
const handOver = (to: string, by: Acting = ann): OrganisationCommand => ({
  type: 'HandOverOwnership',
  data: { ...asking, to, by },
})

test('whoever makes it is its owner, and making it again changes nothing', () => {
  const make: OrganisationCommand = { type: 'CreateOrganisation', data: { ...asking, name, userId: 'ann' } }
  given(organisation).when(make).then(made)
  given(organisation, made).when(make).thenNothing()
})

test('nothing can be asked of one that is not there, or is deleted', () => {
  const deleted: OrganisationEvent = { type: 'OrganisationDeleted', data: about }
  given(organisation).when(invite('viewer')).thenRejected('organisation-not-found')
  given(organisation, made, deleted).when(invite('viewer')).thenRejected('organisation-not-found')
  given(organisation, made, deleted).when({ type: 'DeleteOrganisation', data: asking }).thenNothing()
})

test('what is erased is deleted first, once', () => {
  const erase: OrganisationCommand = { type: 'EraseOrganisationData', data: asking }
  const deleted: OrganisationEvent = { type: 'OrganisationDeleted', data: about }
  const erased: OrganisationEvent = { type: 'OrganisationDataErased', data: about }
  given(organisation, made).when(erase).then(deleted, erased)
  given(organisation, made, deleted).when(erase).then(erased)
  given(organisation, made, deleted, erased).when(erase).thenNothing()
})

test('an invitation is accepted by whoever has its token, once', () => {
  given(organisation, made).when(invite('developer')).then(invited('developer'))
  given(organisation, made, invited('developer')).when(invite('developer')).thenNothing()
  const before = [made, invited('developer')]
  given(organisation, ...before).when(accept('bob')).then(joined('bob', 'developer', 'inv_1'))
  given(organisation, ...before).when(accept('bob', { tokenHash: 'another' })).thenRejected('invitation-not-found')
  given(organisation, ...before).when(accept('ann')).thenRejected('already-member')
  const after = [...before, joined('bob', 'developer', 'inv_1')]
  given(organisation, ...after).when(accept('bob')).thenNothing()
  given(organisation, ...after).when(accept('eve')).thenRejected('invitation-not-found')
  given(organisation, ...after).when(decline).thenRejected('invitation-not-found')
})

test('an invitation that has run out, was taken back or declined lets nobody in', () => {
  const before = [made, invited('viewer')]
  given(organisation, ...before).when(accept('bob', { now: evening })).thenRejected('invitation-not-found')
  const revoke: OrganisationCommand = { type: 'RevokeInvitation', data: { ...asking, invitationId: 'inv_1' } }
  const revoked: OrganisationEvent = { type: 'InvitationRevoked', data: { ...about, invitationId: 'inv_1', because: 'asked' } }
  given(organisation, ...before).when(revoke).then(revoked)
  given(organisation, ...before, revoked).when(revoke).thenNothing()
  given(organisation, ...before, revoked).when(accept('bob')).thenRejected('invitation-not-found')
  const declined: OrganisationEvent = { type: 'InvitationDeclined', data: { ...about, invitationId: 'inv_1' } }
  given(organisation, ...before).when(decline).then(declined)
  given(organisation, ...before, declined).when(decline).thenNothing()
  given(organisation, ...before, declined).when(accept('bob')).thenRejected('invitation-not-found')
  given(organisation, made).when(revoke).thenRejected('invitation-not-found')
})

test('a second invitation to an address takes the place of the first', () => {
  const again = invite('admin', ann, 'inv_2')
  given(organisation, made, invited('viewer')).when(again).then(stale(), invited('admin', { invitationId: 'inv_2' }))
})

test('nobody grants more than he has, and a client of his no more than it has', () => {
  const before = [made, joined('bob', 'admin'), joined('dan', 'developer')]
  given(organisation, ...before).when(invite('owner', as('bob'))).thenRejected('role-too-high')
  given(organisation, ...before).when(invite('admin', as('bob'))).then(invited('admin', { by: 'bob' }))
  given(organisation, ...before).when(invite('auditor', as('dan'))).thenRejected('role-too-high')
  given(organisation, ...before).when(invite('owner', as('ann', 'admin'))).thenRejected('role-too-high')
  given(organisation, ...before).when(invite('auditor', as('eve'))).thenRejected('role-too-high')
  given(organisation, ...before).when(changeRole('dan', 'owner', as('bob'))).thenRejected('role-too-high')
  given(organisation, ...before).when(changeRole('bob', 'owner', as('bob'))).thenRejected('role-too-high')
  given(organisation, ...before).when(changeRole('ann', 'viewer', as('bob'))).thenRejected('role-too-high')
  given(organisation, ...before).when(remove('ann', as('bob'))).thenRejected('role-too-high')
  given(organisation, ...before).when(remove('bob', as('dan'))).thenRejected('role-too-high')
  given(organisation, ...before).when(handOver('bob', as('bob'))).thenRejected('role-too-high')
})

test('what somebody has given ends when he could give it no more', () => {
  const before = [made, joined('bob', 'admin'), invited('admin', { by: 'bob' })]
  const lower = (role: Role): OrganisationEvent => ({
    type: 'MemberRoleChanged',
    data: { ...about, userId: 'bob', role, previously: 'admin' },
  })
  given(organisation, ...before).when(changeRole('bob', 'developer')).then(lower('developer'), stale())
  given(organisation, ...before).when(changeRole('bob', 'owner')).then(lower('owner'))
  const removed: OrganisationEvent = { type: 'MemberRemoved', data: { ...about, userId: 'bob' } }
  given(organisation, ...before).when(remove('bob')).then(removed, stale())
  const left: OrganisationEvent = { type: 'MemberLeft', data: { ...about, userId: 'bob' } }
  given(organisation, ...before).when(remove('bob', as('bob', 'auditor'))).then(left, stale())
})

test('its last owner stays until there is another', () => {
  const before = [made, joined('bob', 'admin')]
  given(organisation, ...before).when(remove('ann', ann)).thenRejected('last-owner')
  given(organisation, ...before).when(remove('ann', null)).thenRejected('last-owner')
  given(organisation, ...before).when(changeRole('ann', 'admin')).thenRejected('last-owner')
  const handed: OrganisationEvent = { type: 'OwnershipHandedOver', data: { ...about, from: 'ann', to: 'bob' } }
  given(organisation, ...before).when(handOver('bob')).then(handed)
  given(organisation, ...before).when(handOver('eve')).thenRejected('member-not-found')
  given(organisation, ...before).when(handOver('ann')).thenNothing()
  given(organisation, ...before, handed).when(remove('ann', as('bob'))).then({
    type: 'MemberRemoved',
    data: { ...about, userId: 'ann' },
  })
})

test('it has no more members and invitations than it may have', () => {
  const many = Array.from({ length: MEMBERS_MAX - 1 }, (_, n) => joined(`user ${n}`, 'viewer'))
  given(organisation, made, ...many, invited('viewer')).when(accept('bob')).thenRejected('member-limit-reached')
  const open = Array.from({ length: INVITATIONS_MAX }, (_, n): OrganisationEvent => ({
    type: 'MemberInvited',
    data: { ...asked('viewer', `inv ${n}`), addressId: `adr ${n}`, by: 'ann', at: noon },
  }))
  given(organisation, made, ...open).when(invite('viewer')).thenRejected('invitation-limit-reached')
})

const PEOPLE = ['ann', 'bob', 'dan', 'eve', 'fay']

const anyCommand = (roll: () => number, n: number): OrganisationCommand => {
  const pick = <T>(from: readonly T[], otherwise: T): T => from[Math.floor(roll() * from.length)] ?? otherwise
  const [who, other] = [pick(PEOPLE, 'ann'), pick(PEOPLE, 'bob')]
  const by = as(roll() < 0.5 ? 'ann' : other, roll() < 0.7 ? 'owner' : pick(ROLES, 'owner'))
  const one = `inv_${n - 1 - Math.floor(roll() * Math.min(n, 8))}`
  const commands: readonly OrganisationCommand[] = [
    { type: 'InviteMember', data: { ...asked(pick(ROLES, 'viewer'), `inv_${n}`), addressId: `adr_${n}`, by, now: noon } },
    { type: 'AcceptInvitation', data: { ...asking, invitationId: one, tokenHash: 'hash', userId: who } },
    { type: 'AcceptInvitation', data: { ...asking, invitationId: one, tokenHash: 'hash', userId: other } },
    changeRole(who, pick(ROLES, 'viewer'), by),
    remove(who, by),
    handOver(who, by),
  ]
  return pick(commands, remove(who, by))
}

const live = (events: readonly OrganisationEvent[]): LiveOrganisation => {
  const state = fold(organisation, events)
  if (state.status !== 'live') throw new Error('BUG: nobody deletes it here')
  return state
}

/** Nobody is more than whoever acted was, or was made so by an invitation that was open. */
const granted = (before: LiveOrganisation, command: OrganisationCommand, events: readonly OrganisationEvent[]): void => {
  for (const { type, data } of events) {
    if (type === 'MemberJoined') {
      const { by = '', role = 'auditor' } = before.invitations.get(data.invitationId) ?? {}
      const giver = before.members.get(by)
      assert.is(data.role, role)
      assert.ok(giver !== undefined && may(giver, 'administer') && isAtLeast(giver, role), 'the giver may still give it')
    }
    if (type !== 'MemberRoleChanged' && type !== 'MemberInvited') continue
    if (!('by' in command.data) || command.data.by === null) throw new Error('BUG: someone acts')
    const own = before.members.get(command.data.by.userId)
    const most = own === undefined ? 'auditor' : lesser(own, command.data.by.role)
    assert.ok(may(most, 'administer') && isAtLeast(most, data.role), `${most} makes ${data.role}`)
  }
}

test('whatever is asked of it, it has an owner, and nobody is given more than its giver has', () => {
  let moves = 0
  for (let seed = 1; seed <= 40; seed++) {
    const roll = dice(seed)
    const events: OrganisationEvent[] = [made]
    for (let n = 1; n <= 120; n++) {
      const before = live(events)
      const command = anyCommand(roll, n)
      const decision = organisation.decide(command, before)
      if (isRejection(decision)) continue
      granted(before, command, decision)
      events.push(...decision)
      moves += decision.length
      assert.ok([...live(events).members.values()].includes('owner'), `seed ${seed}: ${command.type}`)
    }
  }
  assert.ok(moves > 500, `only ${moves} things happened`)
})

test.run()
