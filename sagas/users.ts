import type { UserPlan } from '../domain/datastore/access.ts'
import type { JobInput } from '../domain/datastore/messages.ts'
import type { DatastoreSpec } from '../domain/datastore/spec.ts'
import type { Order } from '../domain/job/orders.ts'
import type { Facts, Saga } from '../domain/job/saga.ts'
import { putUser, specAfter, unmakeUser } from './access.ts'
import { clusterOf } from './cluster.ts'
import { primaryOf } from './members.ts'

const limits = { timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500 } as const

/** A user who may log in, with all that he may do. */
export const createUser = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'create-user') throw new Error('BUG: a user to create is named')
  const { user } = change
  return {
    kind: 'create-user',
    title: 'Create a user',
    downtime: 'none',
    steps: [
      {
        name: 'create',
        title: 'Create the user and what he may do',
        does: (facts) => putUser(facts, primaryOf(facts), user),
        undo: (facts) => unmakeUser(facts, primaryOf(facts), user),
        ...limits,
      },
    ],
  }
}

const userIn = ({ users }: DatastoreSpec, userId: string): UserPlan => {
  const user = users?.find((one) => one.userId === userId)
  if (user === undefined) throw new Error('BUG: a user to change is there')
  return user
}

/** Other privileges, another password, or the end of one: the user becomes what he is to be, or what he was. */
export const changeUser = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'change-user') throw new Error('BUG: a user to change is named')
  const { userId } = change
  return {
    kind: 'change-user',
    title: 'Change a user',
    downtime: 'none',
    steps: [
      {
        name: 'change',
        title: 'Change what holds for the user',
        does: (facts) => putUser(facts, primaryOf(facts), userIn(specAfter(facts), userId)),
        undo: (facts) => putUser(facts, primaryOf(facts), userIn(facts.input.spec, userId)),
        ...limits,
      },
    ],
  }
}

/** Nothing that he made is lost by it: it becomes the administrator's. */
export const dropUser = ({ change, spec }: JobInput): Saga => {
  if (change?.kind !== 'drop-user') throw new Error('BUG: a user to drop is named')
  const planned = spec.users?.find(({ userId }) => userId === change.userId)
  const logins = planned === undefined ? [change.name] : [planned.name, planned.second.name]
  return {
    kind: 'drop-user',
    title: 'Delete a user',
    downtime: 'none',
    steps: [
      {
        name: 'drop',
        title: 'End his sessions and delete the user',
        irreversible: true,
        does: (facts) => ({
          subject: 'cmon.drop-user',
          body: { cluster: clusterOf(facts), nodeId: primaryOf(facts), logins, heir: spec.account.username },
        }),
        timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
      },
    ],
  }
}

const setAdmin = (facts: Facts, { account }: DatastoreSpec): Order => ({
  subject: 'cmon.set-admin',
  body: {
    cluster: clusterOf(facts),
    nodeId: primaryOf(facts),
    username: account.username,
    vaultId: account.vaultId ?? null,
  },
})

/** Another password for the administrator; the sessions he has stay. */
export const changeAdmin: Saga = {
  kind: 'change-admin',
  title: "Change the administrator's password",
  downtime: 'none',
  steps: [
    {
      name: 'change',
      title: 'Give the administrator his new password',
      does: (facts) => setAdmin(facts, specAfter(facts)),
      undo: (facts) => setAdmin(facts, facts.input.spec),
      ...limits,
    },
  ],
}
