import type { DatabasePlan, Login, UserPlan } from '../domain/datastore/access.ts'
import type { Change } from '../domain/datastore/changes/index.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import type { AccessRow, AccessStatus } from './access-row.ts'
import { projection } from './projection.ts'

type Database = AccessRow['databases'][number]
type User = AccessRow['users'][number]

/** One row per datastore that is not deleted. */
export const databaseAccess = projection<AccessRow>({
  name: 'database_access',
  version: 1,
  table: 'database_access',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    admin: 'text',
    first_database: 'text',
    admin_vault_id: 'text',
    databases: 'json',
    users: 'json',
    ends_at: 'time',
  },

  types: ['DatastoreCreated', 'DeploymentRetried', 'DatastoreDeleted', 'JobQueued', 'ChangeAbandoned', 'DatastoreChanged'],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DeploymentRetried':
      case 'DatastoreDeleted':
        return [data.datastoreId]
      case 'JobQueued':
        return data.change !== undefined && isAbout(data.change) ? [data.datastoreId] : []
      case 'ChangeAbandoned':
      case 'DatastoreChanged':
        return isAbout(data.change) ? [data.datastoreId] : []
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'DatastoreCreated' || type === 'DeploymentRetried') return created(data.datastoreId, data.spec)
    if (row === undefined) return undefined
    switch (type) {
      case 'DatastoreDeleted':
        return undefined
      case 'JobQueued':
        return data.change === undefined ? row : queued(row, data.change)
      case 'ChangeAbandoned':
        return abandoned(row, data.change)
      case 'DatastoreChanged':
        return withEnd(changed(row, data.change))
      default:
        return row
    }
  },
})

const isAbout = ({ kind }: Change): boolean => /-(?:database|user|admin)$/.test(kind)

const created = (datastoreId: string, { ownerId, account, databases = [], users = [] }: DatastoreSpec): AccessRow =>
  withEnd({
    datastore_id: datastoreId,
    owner_id: ownerId,
    admin: account.username,
    first_database: account.database,
    admin_vault_id: account.vaultId ?? null,
    databases: databases.map((database) => databaseOf(database, 'created')),
    users: users.map((user) => userOf(user, 'created')),
    ends_at: null,
  })

const databaseOf = ({ databaseId, name, owner }: DatabasePlan, status: AccessStatus): Database => ({
  database_id: databaseId,
  name,
  owner: owner?.name ?? null,
  status,
})

const loginsOf = (logins: readonly Login[]): User['logins'] =>
  logins.map(({ slot, vaultId, until }) => ({ slot, vault_id: vaultId, until }))

const grantsOf = (grants: UserPlan['grants']): User['grants'] =>
  grants.map(({ databaseId, database, privilege }) => ({ database_id: databaseId, database, privilege }))

const userOf = ({ userId, name, second, admin, grants, logins }: UserPlan, status: AccessStatus): User => ({
  user_id: userId,
  name,
  second: second.name,
  admin,
  grants: grantsOf(grants),
  logins: loginsOf(logins),
  status,
})

const withEnd = (row: AccessRow): AccessRow => {
  const [first] = row.users.flatMap(({ logins }) => logins.flatMap(({ until }) => until ?? [])).toSorted()
  return { ...row, ends_at: first ?? null }
}

/** With the status of those changed that have this id and one of these. */
const turned = <T extends { readonly status: AccessStatus }>(
  list: readonly T[],
  isMeant: (one: T) => boolean,
  from: AccessStatus,
  to: AccessStatus,
): readonly T[] => list.map((one) => (isMeant(one) && one.status === from ? { ...one, status: to } : one))

/** One that is being dropped may already have a successor of its name, which is still to come. */
const without = <T extends { readonly status: AccessStatus }>(
  list: readonly T[],
  isMeant: (one: T) => boolean,
  isGone: (status: AccessStatus) => boolean,
): readonly T[] => list.filter((one) => !(isMeant(one) && isGone(one.status)))

const idOf = (change: { readonly databaseId: string }) => (one: Database) => one.database_id === change.databaseId
const userIs = (userId: string) => (one: User) => one.user_id === userId

const queued = (row: AccessRow, change: Change): AccessRow => {
  switch (change.kind) {
    case 'create-database':
      return { ...row, databases: [...row.databases, databaseOf(change.database, 'creating')] }
    case 'create-user':
      return { ...row, users: [...row.users, userOf(change.user, 'creating')] }
    case 'drop-database':
      return { ...row, databases: turned(row.databases, idOf(change), 'created', 'dropping') }
    case 'drop-user':
      return { ...row, users: turned(row.users, userIs(change.userId), 'created', 'dropping') }
    default:
      return row
  }
}

const abandoned = (row: AccessRow, change: Change): AccessRow => {
  switch (change.kind) {
    case 'create-database':
      return { ...row, databases: without(row.databases, idOf(change.database), (status) => status === 'creating') }
    case 'create-user':
      return { ...row, users: without(row.users, userIs(change.user.userId), (status) => status === 'creating') }
    case 'drop-database':
      return { ...row, databases: turned(row.databases, idOf(change), 'dropping', 'created') }
    case 'drop-user':
      return { ...row, users: turned(row.users, userIs(change.userId), 'dropping', 'created') }
    default:
      return row
  }
}

const changed = (row: AccessRow, change: Change): AccessRow => {
  switch (change.kind) {
    case 'create-database':
      return { ...row, databases: turned(row.databases, idOf(change.database), 'creating', 'created') }
    case 'create-user':
      return { ...row, users: turned(row.users, userIs(change.user.userId), 'creating', 'created') }
    case 'drop-database': {
      const stays = ({ database_id }: { readonly database_id: string }) => database_id !== change.databaseId
      const users = row.users.map((user) => ({ ...user, grants: user.grants.filter(stays) }))
      return { ...row, users, databases: without(row.databases, idOf(change), (status) => status !== 'creating') }
    }
    case 'drop-user': {
      const gone = row.users.find((user) => userIs(change.userId)(user) && user.status !== 'creating')
      const databases = row.databases.map((one) => (one.owner === gone?.name ? { ...one, owner: null } : one))
      return { ...row, databases, users: without(row.users, userIs(change.userId), (status) => status !== 'creating') }
    }
    case 'change-user': {
      const { userId, to: { grants, logins } } = change
      const to = {
        ...(grants === undefined ? {} : { grants: grantsOf(grants) }),
        ...(logins === undefined ? {} : { logins: loginsOf(logins) }),
      }
      return { ...row, users: row.users.map((user) => (user.user_id === userId ? { ...user, ...to } : user)) }
    }
    case 'change-admin':
      return { ...row, admin_vault_id: change.vaultId }
    default:
      return row
  }
}
