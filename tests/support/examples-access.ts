import type { DatabasePlan, UserPlan } from '../../domain/datastore/access.ts'
import { FIRST_DATABASE } from '../../domain/datastore/access.ts'
import type { Shape } from '../../domain/datastore/changes/index.ts'
import { sealed } from './personal-data.ts'

/** A database of that name, the administrator's. */
export const exampleDatabase = (name: string, owner: UserPlan | null = null): DatabasePlan => ({
  databaseId: `dab_${name}`,
  name: sealed(name),
  owner: owner === null ? null : { userId: owner.userId, name: owner.name },
  mark: `mark_${name}`,
})

/** A user of that name who may read the first database and write into `databases`. */
export const exampleUser = (name: string, databases: readonly DatabasePlan[] = []): UserPlan => ({
  userId: `usr_${name}`,
  name: sealed(name),
  second: { userId: `usr_${name}_b`, name: sealed(`${name}_b`) },
  admin: false,
  grants: [
    { databaseId: FIRST_DATABASE, database: sealed('ccxdb'), privilege: 'read' },
    ...databases.map(({ databaseId, name: database }) => ({ databaseId, database, privilege: 'write' }) as const),
  ],
  logins: [{ slot: 'first', vaultId: `vlt_${name}`, until: null }],
  mark: `mark_${name}`,
})

export const ada = exampleUser('ada')
export const shop = exampleDatabase('shop', ada)
export const bob: UserPlan = { ...exampleUser('bob', [shop]), admin: true }

/** The same datastore with databases and users in it. */
export const inhabited = ({ spec, nodes }: Shape): Shape => ({
  spec: { ...spec, databases: [shop, exampleDatabase('stock')], users: [ada, bob] },
  nodes,
})
