import { reject } from '../../kernel/decider.ts'
import type { Sealed } from '../../kernel/sealed.ts'
import { FIRST_DATABASE, type UserPlan } from '../access.ts'
import type { DatastoreSpec } from '../spec.ts'
import type { Rule, Shape } from './rule.ts'

export type CreateUser = { readonly user: UserPlan }
/** What is left out stays as it is when the change's turn comes. */
export type ChangeUser = {
  readonly userId: string
  readonly to: Partial<Pick<UserPlan, 'grants' | 'logins'>>
}
/** It may be one that the tenant made by himself, of whom the specification knows nothing. */
export type DropUser = { readonly userId: string; readonly name: Sealed }
/** The administrator gets another password. */
export type ChangeAdmin = { readonly vaultId: string }

const noUser = () => reject('user-not-found', 'the datastore has no such user')

const namesOf = ({ userId, second }: UserPlan): readonly string[] => [userId, second.userId]

const grantsWithoutDatabase = (spec: DatastoreSpec, grants: UserPlan['grants']): boolean =>
  grants.some(
    ({ databaseId }) =>
      databaseId !== FIRST_DATABASE && spec.databases?.some((one) => one.databaseId === databaseId) !== true,
  )

const noDatabase = () => reject('database-not-found', 'the datastore has no such database')

export const createUser: Rule<CreateUser, 'user-exists' | 'database-not-found'> = {
  changed: ({ spec, nodes }, { user }) => ({ spec: { ...spec, users: [...(spec.users ?? []), user] }, nodes }),
  refusal: ({ spec }, { user }) => {
    const taken = new Set(spec.users?.flatMap(namesOf))
    if (namesOf(user).some((id) => taken.has(id))) {
      return reject('user-exists', 'the datastore has a user of this name already')
    }
    return grantsWithoutDatabase(spec, user.grants) ? noDatabase() : undefined
  },
}

const withUsers = ({ spec, nodes }: Shape, users: readonly UserPlan[] | undefined): Shape => ({
  spec: users === undefined ? spec : { ...spec, users },
  nodes,
})

export const changeUser: Rule<ChangeUser, 'user-not-found' | 'database-not-found'> = {
  changed: (shape, { userId, to }) =>
    withUsers(shape, shape.spec.users?.map((user) => (user.userId === userId ? { ...user, ...to } : user))),
  refusal: ({ spec }, { userId, to: { grants = [] } }) => {
    if (!spec.users?.some((user) => user.userId === userId)) return noUser()
    return grantsWithoutDatabase(spec, grants) ? noDatabase() : undefined
  },
}

/** What he owned becomes the administrator's. */
export const dropUser: Rule<DropUser, never> = {
  changed: (shape, { userId }) => {
    const { spec, nodes } = withUsers(shape, shape.spec.users?.filter((user) => user.userId !== userId))
    const databases = spec.databases?.map((one) => (one.owner?.userId === userId ? { ...one, owner: null } : one))
    return { spec: databases === undefined ? spec : { ...spec, databases }, nodes }
  },
  refusal: () => undefined,
}

export const changeAdmin: Rule<ChangeAdmin, never> = {
  changed: ({ spec, nodes }, { vaultId }) => ({ spec: { ...spec, account: { ...spec.account, vaultId } }, nodes }),
  refusal: () => undefined,
}
