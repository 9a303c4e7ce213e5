/** Who makes a call. Without a login: nobody in particular. */
export type Principal = { readonly login: string | undefined; readonly groups: readonly string[] }

export const ADMINS = '$admins'
export const OPERATORS = '$ops'
/** In a list of roles: everyone. */
export const EVERYONE = '$all'

export const NOBODY: Principal = { login: undefined, groups: [] }

/** Where there are no users, everyone is the system itself. */
export const SYSTEM: Principal = { login: 'system', groups: [ADMINS] }

/** Whether a principal is one of those whom a list of logins and groups names. */
export const isOneOf = ({ login, groups }: Principal, roles: readonly string[]): boolean =>
  roles.some((role) => role === EVERYONE || role === login || groups.includes(role))

export const isAdmin = (principal: Principal): boolean => isOneOf(principal, [ADMINS])
