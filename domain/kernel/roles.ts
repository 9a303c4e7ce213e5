/** What someone is in an organisation, or a client of it; in his own scope everyone is its owner. */
export type Role = 'owner' | 'admin' | 'developer' | 'viewer' | 'auditor'

/**
 * What a call asks of the one who makes it. `self`: it concerns himself, whatever his role; `audit`: reading what happened,
 * and lists; `look`: reading everything but passwords; `operate`: making and changing
 * what is there, and its passwords; `administer`: deleting it, and saying who and what may come in or is told; `own`: the
 * organisation itself.
 */
export type Need = 'self' | 'audit' | 'look' | 'operate' | 'administer' | 'own'

/** Each may do all that those after it may. */
export const ROLES = ['owner', 'admin', 'developer', 'viewer', 'auditor'] as const satisfies readonly Role[]

const RANK: Readonly<Record<Role, number>> = { auditor: 1, viewer: 2, developer: 3, admin: 4, owner: 5 }
const LEAST: Readonly<Record<Need, number>> = { self: 0, audit: 1, look: 2, operate: 3, administer: 4, own: 5 }

/** Whether a role is enough for what is asked. */
export const may = (role: Role, need: Need): boolean => RANK[role] >= LEAST[need]

/** Whether one role has all that the other has. */
export const isAtLeast = (role: Role, other: Role): boolean => RANK[role] >= RANK[other]

/** The lesser of two roles. */
export const lesser = (role: Role, other: Role): Role => (isAtLeast(role, other) ? other : role)
