import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import { accept, decline, invite, revoke } from './invitations.ts'
import { changeRole, leave, removeMember } from './members.ts'
import { create, handOver, remove, rename } from './organisations.ts'
import { type OrganisationEndpoints, organisationTools } from './tools.ts'

/** All calls that make, change and unmake organisations, and say who belongs to them. */
export const organisationEndpoints = (options: OrganisationEndpoints): readonly Endpoint[] => {
  const tools = organisationTools(options)
  return [create, rename, remove, handOver, changeRole, removeMember, leave, invite, revoke, accept, decline].map((call) =>
    call(options, tools),
  )
}
