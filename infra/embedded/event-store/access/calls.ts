import { isOneOf, ADMINS, OPERATORS, type Principal } from './principal.ts'

/** Who may make a call at all. What it may touch is decided stream by stream, by those who know the stream. */
type Callers = 'anyone' | 'users' | 'operators' | 'admins'

const STREAMS = '/event_store.client.streams.Streams/'
const PERSISTENT = '/event_store.client.persistent_subscriptions.PersistentSubscriptions/'
const USERS = '/event_store.client.users.Users/'

/**
 * As in EventStoreDB, but that all users may ask there for the counts of any group, its stream's name with them. A call
 * that is not named here is nobody's.
 */
const CALLERS: Readonly<Record<string, Callers>> = {
  // Clients ask for these two before they know their credentials.
  '/event_store.client.server_features.ServerFeatures/GetSupportedMethods': 'anyone',
  '/event_store.client.gossip.Gossip/Read': 'anyone',
  [`${STREAMS}Read`]: 'users',
  [`${STREAMS}Append`]: 'users',
  [`${STREAMS}BatchAppend`]: 'users',
  [`${STREAMS}Delete`]: 'users',
  [`${STREAMS}Tombstone`]: 'users',
  [`${PERSISTENT}Create`]: 'operators',
  [`${PERSISTENT}Update`]: 'operators',
  [`${PERSISTENT}Delete`]: 'operators',
  [`${PERSISTENT}ReplayParked`]: 'operators',
  [`${PERSISTENT}RestartSubsystem`]: 'operators',
  [`${PERSISTENT}Read`]: 'users',
  [`${PERSISTENT}GetInfo`]: 'operators',
  [`${PERSISTENT}List`]: 'operators',
  [`${USERS}Create`]: 'admins',
  [`${USERS}Update`]: 'admins',
  [`${USERS}Delete`]: 'admins',
  [`${USERS}Enable`]: 'admins',
  [`${USERS}Disable`]: 'admins',
  [`${USERS}ResetPassword`]: 'admins',
  // Only one's own, or an administrator.
  [`${USERS}Details`]: 'users',
  [`${USERS}ChangePassword`]: 'users',
}

/** @param path `/package.Service/Method` */
export const mayCall = (principal: Principal, path: string): boolean => {
  const callers = Object.hasOwn(CALLERS, path) ? CALLERS[path] : undefined
  switch (callers) {
    case 'anyone':
      return true
    case 'users':
      return principal.login !== undefined
    case 'operators':
      return isOneOf(principal, [ADMINS, OPERATORS])
    case 'admins':
      return isOneOf(principal, [ADMINS])
    case undefined:
      return false
  }
}

/** Whether a call is about users, and short. */
export const isUserCall = (path: string): boolean => path.startsWith(USERS)
