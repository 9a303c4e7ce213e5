import { type Principal, Refused } from '../../domain/kernel/endpoint.ts'
import type { Role } from '../../domain/kernel/roles.ts'
import type { OrganisationRejection } from '../../domain/organisation/messages.ts'
import { refusal } from './problems.ts'

type RoleIn = (userId: string, organisationId: string) => Promise<Role | undefined>

const ID = /^[0-9a-f-]{36}$/
const OWNER = /^(user|org|admin-user):([0-9a-fA-F-]{36})$/

/** A client acts in the scope that it was made for, and in no other. */
const roleAs = async (
  principal: Principal,
  { type, id }: { readonly type: string; readonly id: string },
  roleIn: RoleIn,
): Promise<Role | undefined> => {
  const isTheirs = id === principal.userId
  if (type === 'admin-user') return isTheirs && principal.isAdmin ? 'owner' : undefined
  if ((type === 'user') !== isTheirs) return undefined
  if (principal.kind === 'client') return id === principal.ownerId ? principal.role : undefined
  return isTheirs ? 'owner' : roleIn(principal.userId, id)
}

/**
 * In whose name a request acts, and as what.
 *
 * @param owner the CCX-Owner header, `<type>:<id>` as the scopes of a login name it; absent: the user's own scope, or the
 * one a client was made for
 * @param roleIn what a user is in an organisation
 * @throws Refused for a malformed header, or for an owner who is not the user's
 */
export const scoped = async (
  principal: Principal,
  owner: string | undefined,
  roleIn: RoleIn,
): Promise<Principal> => {
  if (owner === undefined) return principal
  const [, type, id] = OWNER.exec(owner) ?? []
  if (type === undefined || id === undefined) {
    throw refusal(
      'malformed-header',
      'CCX-Owner must be a type and an id, such as user:4f1c2a9e-0000-4000-8000-000000000000',
    )
  }
  const ownerId = id.toLowerCase()
  const role = await roleAs(principal, { type, id: ownerId }, roleIn)
  if (role === undefined) throw refusal('forbidden', 'CCX-Owner names an owner who is not yours')
  return { ...principal, ownerId, role, ownerNamed: true }
}

/**
 * The same one, acting in the name of an organisation that he is a member of.
 *
 * @throws Refused `organisation-not-found`, whether there is none or it is not his
 */
export const inOrganisation = async (principal: Principal, id: string, roleIn: RoleIn): Promise<Principal> => {
  const organisationId = id.toLowerCase()
  const role = ID.test(organisationId) ? await roleAs(principal, { type: 'org', id: organisationId }, roleIn) : undefined
  if (role === undefined) {
    const because = `there is no organisation ${id.slice(0, 40)}`
    throw new Refused({ rejected: 'organisation-not-found' satisfies OrganisationRejection, because })
  }
  return { ...principal, ownerId: organisationId, role, ownerNamed: true }
}
