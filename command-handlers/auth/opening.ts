import type { Request } from '../../domain/kernel/endpoint.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { type Instant, later } from '../../domain/kernel/time.ts'
import type { NewSession, Sessions } from './ports.ts'
import { sessionCookie } from './presented.ts'

export type Opening = {
  readonly sessions: Pick<Sessions, 'open'>
  readonly personal: Pick<PersonalData, 'seal'>
  readonly now: () => Instant
  /** Whether clients come by https. */
  readonly secure: boolean
}

const SESSION_SECONDS = 365 * 24 * 60 * 60
/** Who may do everything has to say more often that it is he. */
const OPERATOR_SESSION_SECONDS = 7 * 24 * 60 * 60
const AGENT_LENGTH_MAX = 120

/** The beginning of what a program says of itself. */
const agentOf = (header: Request<unknown, unknown, unknown>['header']): string | undefined =>
  header('user-agent')?.replaceAll(/\p{C}/gu, '').slice(0, AGENT_LENGTH_MAX)

/**
 * Opens a session for someone who has shown who he is. Its token is always a new one, whatever the request brought along.
 *
 * @returns the headers that give it to him
 */
export const openSession = async (
  { sessions, personal, now, secure }: Opening,
  { accountId, isAdmin }: { readonly accountId: string; readonly isAdmin: boolean },
  { address, header }: Pick<Request<unknown, unknown, unknown>, 'address' | 'header'>,
  chosen: Pick<NewSession, 'sessionId'> & { readonly seconds?: number } = {},
): Promise<Readonly<Record<string, string>>> => {
  const { seconds = isAdmin ? OPERATOR_SESSION_SECONDS : SESSION_SECONDS, ...own } = chosen
  const agent = agentOf(header)
  const from = {
    address: await personal.seal(accountId, address),
    agent: agent === undefined ? null : await personal.seal(accountId, agent),
  }
  const expiresAt = later(now(), seconds * 1000)
  const token = await sessions.open({ accountId, kind: 'session', clientId: null, expiresAt, from, ...own })
  return { 'Set-Cookie': sessionCookie(token, { secure, maxAgeSeconds: seconds }) }
}
