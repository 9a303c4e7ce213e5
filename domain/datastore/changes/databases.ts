import { reject } from '../../kernel/decider.ts'
import type { Sealed } from '../../kernel/sealed.ts'
import type { DatabasePlan } from '../access.ts'
import type { Rule } from './rule.ts'

export type CreateDatabase = { readonly database: DatabasePlan }
/** It may be one that the tenant made by himself, of which the specification knows nothing. */
export type DropDatabase = { readonly databaseId: string; readonly name: Sealed }

export const createDatabase: Rule<CreateDatabase, 'database-exists' | 'user-not-found'> = {
  changed: ({ spec, nodes }, { database }) => ({
    spec: { ...spec, databases: [...(spec.databases ?? []), database] },
    nodes,
  }),
  refusal: ({ spec }, { database: { databaseId, owner } }) => {
    if (spec.databases?.some((one) => one.databaseId === databaseId)) {
      return reject('database-exists', 'the datastore has a database of this name already')
    }
    const isOwned = owner === null || spec.users?.some(({ userId }) => userId === owner.userId)
    return isOwned === true ? undefined : reject('user-not-found', 'the datastore has no user of the name of the owner')
  },
}

/** With all that is in it, and with what anybody may do there. */
export const dropDatabase: Rule<DropDatabase, never> = {
  changed: ({ spec, nodes }, { databaseId }) => {
    const { databases, users, ...rest } = spec
    const others = databases?.filter((one) => one.databaseId !== databaseId)
    const granted = users?.map((user) => ({
      ...user,
      grants: user.grants.filter((grant) => grant.databaseId !== databaseId),
    }))
    return {
      spec: {
        ...rest,
        ...(others === undefined ? {} : { databases: others }),
        ...(granted === undefined ? {} : { users: granted }),
      },
      nodes,
    }
  },
  refusal: () => undefined,
}
