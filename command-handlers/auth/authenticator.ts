import type { Principal } from '../../domain/kernel/endpoint.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { lesser, type Role } from '../../domain/kernel/roles.ts'
import type { ClientView, Directory, Sessions } from './ports.ts'
import { presentedToken } from './presented.ts'

/**
 * What a user is in an organisation; undefined: nothing, or there is none such, or he has not been it ever since `asOf`.
 */
export type RoleIn = (userId: string, organisationId: string, asOf?: Instant) => Promise<Role | undefined>

/** In whose name one acts who names nobody, and as what: a client never as more than the one who made it is by now. */
const scopeOf = async (
  client: ClientView | undefined,
  accountId: string,
  roleIn: RoleIn,
): Promise<Pick<Principal, 'ownerId' | 'role'> | undefined> => {
  const most = client?.role ?? 'owner'
  const organisationId = client?.organisationId ?? null
  if (organisationId === null) return { ownerId: accountId, role: most }
  const role = await roleIn(accountId, organisationId, client?.createdAt)
  return role && { ownerId: organisationId, role: lesser(role, most) }
}

/**
 * Who asks, from a request's headers: the session cookie or a bearer token. A client acts for its account but is no
 * operator, whoever owns it; and it is nobody from the moment it is revoked, or its maker has left the organisation that it
 * was made for. Nobody is anyone while he is suspended.
 */
export const authenticator =
  ({
    sessions,
    directory,
    roleIn,
    requireConfirmed = false,
  }: {
    readonly sessions: Pick<Sessions, 'find'>
    readonly directory: Pick<Directory, 'accountById' | 'clientById'>
    readonly roleIn: RoleIn
    /** Whether those who have yet to confirm their address are told so. */
    readonly requireConfirmed?: boolean
  }) =>
  async (header: (name: string) => string | undefined): Promise<Principal | undefined> => {
    const token = presentedToken(header)
    const session = token === undefined ? undefined : await sessions.find(token)
    if (session === undefined) return undefined
    const [account, client] = await Promise.all([
      directory.accountById(session.accountId),
      session.clientId === null ? undefined : directory.clientById(session.clientId),
    ])
    if (account === undefined || account.suspended) return undefined
    if (session.clientId !== null && client === undefined) return undefined
    const scope = await scopeOf(client, account.accountId, roleIn)
    if (scope === undefined) return undefined
    const isAdmin = account.isAdmin && session.kind === 'session'
    return {
      kind: session.kind === 'token' ? 'client' : isAdmin ? 'operator' : 'user',
      userId: account.accountId,
      ...(session.clientId === null ? {} : { clientId: session.clientId }),
      login: account.login,
      isAdmin,
      ...(requireConfirmed && account.toConfirm ? { toConfirm: true as const } : {}),
      ...scope,
      ownerNamed: false,
    }
  }
