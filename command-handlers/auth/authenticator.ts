import type { Principal } from '../../domain/kernel/endpoint.ts'
import type { Directory, Sessions } from './ports.ts'
import { presentedToken } from './presented.ts'

/**
 * Who asks, from a request's headers: the session cookie or a bearer token. A client acts for its account but is no
 * operator, whoever owns it; and it is nobody from the moment it is revoked.
 */
export const authenticator =
  ({
    sessions,
    directory,
  }: {
    readonly sessions: Pick<Sessions, 'find'>
    readonly directory: Pick<Directory, 'accountById' | 'clientById'>
  }) =>
  async (header: (name: string) => string | undefined): Promise<Principal | undefined> => {
    const token = presentedToken(header)
    const session = token === undefined ? undefined : await sessions.find(token)
    if (session === undefined) return undefined
    const [account, client] = await Promise.all([
      directory.accountById(session.accountId),
      session.clientId === null ? undefined : directory.clientById(session.clientId),
    ])
    if (account === undefined) return undefined
    if (session.clientId !== null && client === undefined) return undefined
    const isAdmin = account.isAdmin && session.kind === 'session'
    return {
      kind: session.kind === 'token' ? 'client' : isAdmin ? 'operator' : 'user',
      userId: account.accountId,
      ...(session.clientId === null ? {} : { clientId: session.clientId }),
      login: account.login,
      isAdmin,
      ownerId: account.accountId,
      role: 'owner',
      ownerNamed: false,
    }
  }
