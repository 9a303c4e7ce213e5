import type { Principal } from '../../domain/kernel/endpoint.ts'
import { refusal } from './problems.ts'

const OWNER = /^(user|org|admin-user):([0-9a-fA-F-]{36})$/

/**
 * In whose name a request acts.
 *
 * @param owner the CCX-Owner header, `<type>:<id>` as the scopes of a login name it; absent: the user's own scope
 * @throws Refused for a malformed header, or for an owner who is not the user's
 */
export const scoped = (principal: Principal, owner: string | undefined): Principal => {
  if (owner === undefined) return principal
  const [, type, id] = OWNER.exec(owner) ?? []
  if (type === undefined || id === undefined) {
    throw refusal(
      'malformed-header',
      'CCX-Owner must be a type and an id, such as user:4f1c2a9e-0000-4000-8000-000000000000',
    )
  }
  const isOwn =
    id.toLowerCase() === principal.userId && (type === 'user' || (type === 'admin-user' && principal.isAdmin))
  if (!isOwn) throw refusal('forbidden', 'CCX-Owner names an owner who is not yours')
  return { ...principal, ownerId: principal.userId, ownerNamed: true }
}
