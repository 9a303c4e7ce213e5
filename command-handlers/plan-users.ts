import type { z } from 'zod'
import { FIRST_DATABASE, type Grant, type Privilege, type UserPlan, currentLogin, loginName } from '../domain/datastore/access.ts'
import { accessNameRefusal, isReserved, passwordRefusal, secondName } from '../domain/datastore/access-names.ts'
import type { Change } from '../domain/datastore/changes/index.ts'
import { planned } from '../domain/datastore/datastore.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import { Refused } from '../domain/kernel/endpoint.ts'
import { later } from '../domain/kernel/time.ts'
import {
  type AccessEndpoints, accessId, jobIdOf, newPassword, type Planned, refuse, refused,
} from './access-tools.ts'
import type { createUserBody, passwordBody, privilegesBody, rotateBody } from './database-user-shapes.ts'
import { privilegeIn } from './database-user-shapes.ts'
import { databasePlan } from './databases.ts'
import type { Known } from './datastore-tools.ts'
import { derivedId } from './ids.ts'

type By<B> = B & { readonly commandId: string }
type Named = { readonly database_username: string }
type Plan<B> = (options: AccessEndpoints, state: Known, asked: By<B>) => Promise<Planned>

const vaultIdOf = (commandId: string): string => derivedId('vault', commandId)

/** Puts a password into the vault once the call is not refused; a repeat finds it there. */
const keeping = (
  { vault }: AccessEndpoints,
  { spec, datastoreId }: Known,
  { password, commandId }: { readonly password: string | undefined; readonly commandId: string },
): { readonly vaultId: string; readonly told: string | undefined; readonly prepare: () => Promise<void> } => {
  if (password !== undefined) refuse(passwordRefusal(password))
  const vaultId = vaultIdOf(commandId)
  const ref = { ownerId: spec.ownerId, subjectId: datastoreId, name: vaultId }
  const prepare = async (): Promise<void> => {
    const held = await vault.ensure(ref, async () => password ?? newPassword())
    if (password === undefined || held === password) return
    throw new Refused({ rejected: 'idempotency-key-reused', because: 'this idempotency key was used for another request' })
  }
  // Whoever has chosen it himself is not told it again.
  return { vaultId, prepare, told: password === undefined ? vaultId : undefined }
}

type Told = {
  readonly name: string
  readonly login: string
  readonly grants: readonly { readonly database: string; readonly privilege: Privilege }[]
  readonly admin: boolean
  readonly until: string | null
  /** To be told: names the password in the vault. */
  readonly vaultId: string | undefined
}

const RIGHTS = {
  read: 'SELECT',
  write: 'SELECT,INSERT,UPDATE,DELETE',
  ddl: 'SELECT,INSERT,UPDATE,DELETE,CREATE',
  all: 'ALL PRIVILEGES',
} as const satisfies Readonly<Record<Privilege, string>>

const answer = (status: number, { name, login, grants, admin, until, vaultId }: Told): Planned['answer'] => (done) => ({
  status,
  body: {
    user_name: name,
    grants: [
      ...(admin ? ['CREATEDB,CREATEROLE'] : []),
      ...grants.map(({ database, privilege }) => `${database}:${RIGHTS[privilege]}`),
    ].join(';'),
    host_allow: '%',
    auth_plugin: 'scram-sha-256',
    status: done ? 'created' : 'creating',
    login_name: login,
    previous_login_until: until,
    ...(vaultId === undefined ? {} : { vault_id: vaultId }),
  },
})

/** @throws Refused `database-not-found` for one that was not made here */
const grantOf = async (
  { personal }: AccessEndpoints,
  { spec, datastoreId }: { readonly spec: DatastoreSpec; readonly datastoreId: string },
  { database, privilege }: { readonly database: string; readonly privilege: Privilege },
): Promise<Grant> => {
  if (database === spec.account.database) {
    return { databaseId: FIRST_DATABASE, database: await personal.seal(spec.ownerId, database), privilege }
  }
  const databaseId = accessId('database', datastoreId, database)
  const known = spec.databases?.find((one) => one.databaseId === databaseId)
  if (known === undefined) {
    throw refused('database-not-found', 'database_name: the datastore has no database of this name that was made here')
  }
  return { databaseId, database: known.name, privilege }
}

export const planCreate: Plan<z.infer<typeof createUserBody>> = async (options, state, asked) => {
  const { personal } = options
  const { datastoreId } = state
  const { spec } = planned(state)
  const { database_username: name, commandId, create_admin_user: admin, own_database: own } = asked
  refuse(accessNameRefusal('user', name, { field: 'database_username', own: spec.account.username }))
  const database = asked.database_name ?? (own ? name : spec.account.database)
  if (own) refuse(accessNameRefusal('database', database, { field: 'database_name', own: spec.account.database }))
  const privilege = privilegeIn(asked.database_privileges ?? 'all', 'database_privileges')
  // What is his own needs no grant; an administrator has all that the first one has.
  const needsGrant = !own && !(admin && asked.database_name === undefined)
  const granted = needsGrant ? [{ database, privilege }] : []
  const grants = await Promise.all(granted.map((one) => grantOf(options, { spec, datastoreId }, one)))
  const { vaultId, told, prepare } = keeping(options, state, { password: asked.database_password, commandId })
  const second = secondName(name)
  const user: UserPlan = {
    userId: accessId('user', datastoreId, name),
    name: await personal.seal(spec.ownerId, name),
    second: { userId: accessId('user', datastoreId, second), name: await personal.seal(spec.ownerId, second) },
    admin,
    grants,
    logins: [{ slot: 'first', vaultId, until: null }],
    mark: derivedId('mark', commandId, 'user'),
  }
  const changes: Change[] = [{ kind: 'create-user', user }]
  if (own) {
    const withHim = { datastoreId, spec: { ...spec, users: [...(spec.users ?? []), user] } }
    const his = await databasePlan(options, withHim, { name: database, owner: name, commandId })
    changes.push({ kind: 'create-database', database: his })
  }
  return { changes, prepare, answer: answer(201, { name, login: name, grants: granted, admin, until: null, vaultId: told }) }
}

export const planDrop: Plan<Named> = async ({ personal, observe }, state, { database_username: name, commandId }) => {
  const { datastoreId, status } = state
  const { spec } = planned(state)
  if (isReserved('user', name, spec.account.username)) {
    throw refused('name-protected', 'database_username: this user belongs to the system, or is the datastore’s administrator')
  }
  const userId = accessId('user', datastoreId, name)
  const known = spec.users?.find((one) => one.userId === userId)
  if (known === undefined && !state.jobsSeen.has(jobIdOf(commandId, 'drop-user'))) {
    const seen = status === 'running' ? await observe(datastoreId) : { users: [] }
    if (seen === undefined) throw refused('access-unknown', 'the datastore could not be asked whether there is such a user')
    const isSecond = spec.users?.some(({ second }) => second.userId === userId)
    if (isSecond === true || !seen.users.some((one) => one.name === name)) throw noUser()
  }
  return {
    changes: [{ kind: 'drop-user', userId, name: known?.name ?? (await personal.seal(spec.ownerId, name)) }],
    answer: (done) => ({ status: 200, body: { user_name: name, status: done ? 'dropped' : 'dropping' } }),
  }
}

const noUser = (): Refused => refused('user-not-found', 'database_username: the datastore has no such user')

/** @throws Refused `user-not-found`, or `user-not-managed` for one who was made by SQL */
const userOf = async ({ observe }: AccessEndpoints, state: Known, name: string): Promise<UserPlan> => {
  const { datastoreId } = state
  const userId = accessId('user', datastoreId, name)
  const known = planned(state).spec.users?.find((one) => one.userId === userId)
  if (known !== undefined) return known
  const seen = state.status === 'running' ? await observe(datastoreId) : undefined
  if (seen?.users.some((one) => one.name === name) !== true) throw noUser()
  throw refused('user-not-managed', 'database_username: this user was made by SQL and is changed by SQL')
}

const plain = async (
  { personal }: AccessEndpoints,
  user: UserPlan,
  next: Partial<UserPlan>,
): Promise<Omit<Told, 'vaultId'>> => {
  const after = { ...user, ...next }
  const { grants, logins, admin } = after
  const texts = await personal.open([loginName(after, currentLogin(after)), user.name, ...grants.map(({ database }) => database)])
  const [login = '', name = '', ...databases] = texts
  return {
    name,
    login,
    admin,
    grants: grants.map(({ privilege }, n) => ({ database: databases[n] ?? '', privilege })),
    until: logins.find(({ until }) => until !== null)?.until ?? null,
  }
}

export const planPrivileges: Plan<z.infer<typeof privilegesBody>> = async (options, state, asked) => {
  const { datastoreId } = state
  const user = await userOf(options, state, asked.database_username)
  const { spec } = planned(state)
  const wanted = asked.database_privileges.map(({ database_name: database, privilege }, n) => ({
    database,
    privilege: privilegeIn(privilege, `database_privileges[${n}].privilege`),
  }))
  if (new Set(wanted.map(({ database }) => database)).size < wanted.length) {
    throw new Refused({ rejected: 'not-offered', because: 'database_privileges: a database is named twice' })
  }
  const grants = await Promise.all(wanted.map((one) => grantOf(options, { spec, datastoreId }, one)))
  const told = await plain(options, user, { grants })
  return {
    changes: [{ kind: 'change-user', userId: user.userId, to: { grants } }],
    answer: answer(200, { ...told, vaultId: undefined }),
  }
}

export const planPassword: Plan<z.infer<typeof passwordBody>> = async (options, state, asked) => {
  const { database_username: name, database_password: password, commandId } = asked
  const { account } = state.spec
  const isAdmin = name === account.username
  const user = isAdmin ? undefined : await userOf(options, state, name)
  const { vaultId, told, prepare } = keeping(options, state, { password, commandId })
  if (user === undefined) {
    const grants = [{ database: account.database, privilege: 'all' }] as const
    return {
      changes: [{ kind: 'change-admin', vaultId }],
      prepare,
      answer: answer(200, { name, login: name, grants, admin: true, until: null, vaultId: told }),
    }
  }
  // Whatever held before holds no more: that is what is wanted of a password that somebody else may know.
  const logins = [{ ...currentLogin(user), vaultId, until: null }]
  return {
    changes: [{ kind: 'change-user', userId: user.userId, to: { logins } }],
    prepare,
    answer: answer(200, { ...(await plain(options, user, { logins })), vaultId: told }),
  }
}

export const planRotation: Plan<z.infer<typeof rotateBody>> = async (options, state, asked) => {
  const { commandId, grace_seconds: graceSeconds } = asked
  if (asked.database_username === state.spec.account.username) {
    throw refused('name-protected', "database_username: the administrator's password is changed at once, and not rotated")
  }
  const user = await userOf(options, state, asked.database_username)
  const old = currentLogin(user)
  const running = user.logins.find(({ until }) => until !== null)
  const isRepeat = old.vaultId === vaultIdOf(commandId)
  if (running?.until != null && !isRepeat) {
    throw refused('rotation-at-work', `the login before holds until ${running.until}; it can be ended at once`)
  }
  const { vaultId, prepare } = keeping(options, state, { password: undefined, commandId })
  const logins = isRepeat
    ? user.logins
    : [
        { ...old, until: later(options.now(), graceSeconds * 1_000) },
        { slot: old.slot === 'first' ? 'second' : 'first', vaultId, until: null } as const,
      ]
  return {
    changes: [{ kind: 'change-user', userId: user.userId, to: { logins } }],
    prepare,
    answer: answer(200, { ...(await plain(options, user, { logins })), vaultId }),
  }
}

export const planEndOfRotation: Plan<Named> = async (options, state, { database_username: name }) => {
  const user = await userOf(options, state, name)
  const logins = [currentLogin(user)]
  return {
    changes: [{ kind: 'change-user', userId: user.userId, to: { logins } }],
    answer: answer(200, { ...(await plain(options, user, { logins })), vaultId: undefined }),
  }
}
