import type { Role } from '../../domain/kernel/roles.ts'
import { later } from '../../domain/kernel/time.ts'
import type { OrganisationCommand } from '../../domain/organisation/messages.ts'
import type { World } from './history-world.ts'
import { sealed } from './personal-data.ts'

const DAY_MS = 86_400_000

/** Accounts are locked out, let in again, and closed. */
export const lockOut = ({ seed, accounts, clock }: World, n: number): void => {
  const about = { accountId: `acc_${seed}_${n}`, now: clock.now }
  if (n === 0) {
    const client = { clientId: `cli_${seed}_of_org`, name: sealed('ci'), expiresAt: null, organisationId: `org_${seed}_0` }
    accounts.send(about.accountId, { type: 'CreateClient', data: { ...about, ...client, role: 'developer' } })
  }
  if (n < 2) return
  accounts.send(about.accountId, { type: 'SuspendAccount', data: { ...about, reason: sealed('the bill is not paid') } })
  if (n < 4) accounts.send(about.accountId, { type: 'UnsuspendAccount', data: about })
  else accounts.send(about.accountId, { type: 'DeleteAccount', data: about })
}

/** The life of an organisation: people are asked in, come or do not, rise, fall, and go; some of it ends. */
export const convene = ({ seed, organisations, clock }: World, n: number): void => {
  const organisationId = `org_${seed}_${n}`
  const about = { organisationId, now: clock.now }
  const [first, second, third] = [`acc_${seed}_0`, `acc_${seed}_1`, `acc_${seed}_2`]
  const by = { userId: first, role: 'owner' } as const
  const send = (command: OrganisationCommand): void => void organisations.send(organisationId, command)
  const invite = (invitationId: string, role: Role): void => {
    const address = { address: sealed(`${invitationId}@example.com`), addressId: `adr_${invitationId}` }
    const expiresAt = later(clock.now, 7 * DAY_MS)
    const tokenHash = `hash of ${invitationId}`
    send({ type: 'InviteMember', data: { ...about, invitationId, ...address, role, tokenHash, by, expiresAt } })
  }
  const answer = (invitationId: string): { readonly invitationId: string; readonly tokenHash: string } => ({
    invitationId, tokenHash: `hash of ${invitationId}`,
  })
  send({ type: 'CreateOrganisation', data: { ...about, name: sealed('Weather'), userId: first } })
  send({ type: 'RenameOrganisation', data: { ...about, name: sealed('Weather and tides') } })
  for (const [id, role] of [['inv_1', 'admin'], ['inv_2', 'viewer'], ['inv_3', 'auditor'], ['inv_4', 'developer']] as const) {
    invite(id, role)
  }
  send({ type: 'AcceptInvitation', data: { ...about, ...answer('inv_1'), userId: second } })
  send({ type: 'AcceptInvitation', data: { ...about, ...answer('inv_2'), userId: third } })
  send({ type: 'DeclineInvitation', data: { ...about, ...answer('inv_3') } })
  send({ type: 'RevokeInvitation', data: { ...about, invitationId: 'inv_4' } })
  invite('inv_5', 'owner')
  send({ type: 'ChangeMemberRole', data: { ...about, userId: third, role: 'developer', by } })
  send({ type: 'HandOverOwnership', data: { ...about, to: second, by } })
  if (n > 0) send({ type: 'RemoveMember', data: { ...about, userId: third, by } })
  if (n > 0) send({ type: 'RemoveMember', data: { ...about, userId: first, by } })
  send({ type: 'OpenOrganisationStream', data: about })
  if (n > 0) send({ type: 'CloseOrganisationStream', data: about })
  if (n > 1) send({ type: 'DeleteOrganisation', data: about })
  if (n > 2) send({ type: 'EraseOrganisationData', data: about })
}
