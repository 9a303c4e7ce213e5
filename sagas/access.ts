import type { DatabasePlan, UserPlan } from '../domain/datastore/access.ts'
import { changed } from '../domain/datastore/changes/index.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import type { DatabaseRef, Order, UserRef } from '../domain/job/orders.ts'
import { type Facts, ONLY, type Step } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'

/** The specification as it is once the job has finished. Jobs of this kind begin on what was there before. */
export const specAfter = ({ input: { spec, nodes, change } }: Facts): DatastoreSpec =>
  change === undefined ? spec : changed({ spec, nodes }, change).spec

const databaseRef = ({ account }: DatastoreSpec, { name, owner, mark }: DatabasePlan): DatabaseRef => ({
  name,
  owner: owner === null ? { administrator: account.username } : owner.name,
  mark,
})

const userRef = ({ account }: DatastoreSpec, { name, second, admin, grants, logins, mark }: UserPlan): UserRef => ({
  name,
  second: second.name,
  as: admin ? account.username : null,
  administrator: account.username,
  grants: grants.map(({ database, privilege }) => ({ database, privilege })),
  logins,
  mark,
})

/** On the node that takes writes. */
const at = (facts: Facts, nodeId: string) => ({ cluster: clusterOf(facts), nodeId })

export const putDatabase = (facts: Facts, nodeId: string, database: DatabasePlan): Order => ({
  subject: 'cmon.put-database',
  body: { ...at(facts, nodeId), database: databaseRef(facts.input.spec, database) },
})

export const unmakeDatabase = (facts: Facts, nodeId: string, database: DatabasePlan): Order => ({
  subject: 'cmon.unmake-database',
  body: { ...at(facts, nodeId), database: databaseRef(facts.input.spec, database) },
})

export const putUser = (facts: Facts, nodeId: string, user: UserPlan): Order => ({
  subject: 'cmon.put-user',
  body: { ...at(facts, nodeId), user: userRef(facts.input.spec, user) },
})

export const unmakeUser = (facts: Facts, nodeId: string, user: UserPlan): Order => ({
  subject: 'cmon.unmake-user',
  body: { ...at(facts, nodeId), user: userRef(facts.input.spec, user) },
})

const keyOf = (id: string): string => `${ONLY}/${id}`

const found = <T>(list: readonly T[] | undefined, idOf: (one: T) => string, key: string): T => {
  const one = list?.find((each) => keyOf(idOf(each)) === key)
  if (one === undefined) throw new Error(`BUG: a step has no order ${key}`)
  return one
}

/**
 * All databases and users of a datastore that is being deployed, on its primary; what they leave goes with its data. Owners
 * come before what they own, and that before the rights to it.
 */
export const accessSteps = (
  { databases = [], users = [] }: DatastoreSpec,
  primaryOf: (facts: Facts) => string,
): readonly Step[] => {
  const user = (key: string): UserPlan => found(users, ({ userId }) => userId, key)
  const granted = users.filter(({ grants }) => grants.length > 0)
  const limits = { timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000 }
  const steps: readonly Step[] = [
    {
      name: 'users',
      title: 'Create the users',
      keys: () => users.map(({ userId }) => keyOf(userId)),
      does: (facts, key) => putUser(facts, primaryOf(facts), { ...user(key), grants: [] }),
      undo: (facts, key) => unmakeUser(facts, primaryOf(facts), user(key)),
      ...limits,
    },
    {
      name: 'databases',
      title: 'Create the databases',
      keys: () => databases.map(({ databaseId }) => keyOf(databaseId)),
      does: (facts, key) =>
        putDatabase(facts, primaryOf(facts), found(databases, ({ databaseId }) => databaseId, key)),
      undo: (facts, key) =>
        unmakeDatabase(facts, primaryOf(facts), found(databases, ({ databaseId }) => databaseId, key)),
      ...limits,
    },
    {
      name: 'privileges',
      title: 'Grant the users their privileges',
      keys: () => granted.map(({ userId }) => keyOf(userId)),
      does: (facts, key) => putUser(facts, primaryOf(facts), user(key)),
      undo: (facts, key) => putUser(facts, primaryOf(facts), { ...user(key), grants: [] }),
      ...limits,
    },
  ]
  return steps.filter((step) => (step.name === 'databases' ? databases : step.name === 'users' ? users : granted).length > 0)
}
