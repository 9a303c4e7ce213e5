import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { AccessRow, AccessStatus } from '../projections/access-row.ts'

/** What the servers say of their databases and users, by the names they go by. */
export type Observed = {
  readonly databases: readonly {
    readonly name: string
    readonly owner: string
    readonly sizeBytes: number
    readonly tables: number | null
  }[]
  readonly users: readonly { readonly name: string; readonly grants: string; readonly authPlugin: string }[]
}

/** Asks the servers; undefined when none of them answers soon. */
export type Observe = (datastoreId: string) => Promise<Observed | undefined>

export type DatabaseEntry = {
  readonly name: string
  readonly owner: string
  readonly sizeBytes: number
  readonly tables: number
  /** `missing`: it was made here, and is not there any more. */
  readonly status: AccessStatus | 'missing'
  readonly managed: boolean
}

export type UserEntry = {
  readonly name: string
  readonly grants: string
  readonly authPlugin: string
  readonly status: AccessStatus | 'missing'
  readonly managed: boolean
  readonly admin: boolean
  /** The name to log in with. */
  readonly login: string
  /** Names the password in the vault; null: it is not kept, or not under such a name. */
  readonly vaultId: string | null
  /** Until when the login before holds as well. */
  readonly previousUntil: string | null
  readonly privileges: readonly { readonly database: string; readonly privilege: 'read' | 'write' | 'ddl' | 'all' }[]
}

/** The same row with every name open. */
const opened = async (open: PersonalData['open'], row: AccessRow): Promise<ReadonlyMap<string, string>> => {
  const sealed = [
    ...row.databases.flatMap(({ name, owner }) => (owner === null ? [name] : [name, owner])),
    ...row.users.flatMap(({ name, second, grants }) => [name, second, ...grants.map(({ database }) => database)]),
  ]
  const texts = await open(sealed)
  return new Map(sealed.map((token, n) => [token, texts[n] ?? '']))
}

const statusOf = (status: AccessStatus, isThere: boolean | undefined): AccessStatus | 'missing' =>
  status === 'created' && isThere === false ? 'missing' : status

/**
 * Every database of a datastore, those of its owner's own making too, by name.
 *
 * @param deployed whether the first one can be there yet
 */
export const databasesOf = async (
  open: PersonalData['open'],
  row: AccessRow,
  observed: Observed | undefined,
  deployed: boolean,
): Promise<readonly DatabaseEntry[]> => {
  const names = await opened(open, row)
  const plain = (token: string): string => names.get(token) ?? token
  const found = new Map(observed?.databases.map((database) => [database.name, database]))
  const first = { name: row.first_database, owner: row.admin, status: deployed ? 'created' : 'creating' } as const
  const planned = [
    first,
    ...row.databases.map(({ name, owner, status }) => ({
      name: plain(name),
      owner: owner === null ? row.admin : plain(owner),
      status,
    })),
  ]
  const known = new Set(planned.map(({ name }) => name))
  const ofHand = [...found.values()].filter(({ name }) => !known.has(name))
  return [
    ...planned.map(({ name, owner, status }) => {
      const seen = found.get(name)
      return {
        name,
        owner: seen?.owner ?? owner,
        sizeBytes: seen?.sizeBytes ?? 0,
        tables: seen?.tables ?? 0,
        status: statusOf(status, observed && seen !== undefined),
        managed: true,
      }
    }),
    ...ofHand.map(({ name, owner, sizeBytes, tables }) => ({
      name, owner, sizeBytes, tables: tables ?? 0, status: 'created' as const, managed: false,
    })),
  ]
}

const RIGHTS = {
  read: 'SELECT',
  write: 'SELECT,INSERT,UPDATE,DELETE',
  ddl: 'SELECT,INSERT,UPDATE,DELETE,CREATE',
  all: 'ALL PRIVILEGES',
} as const

/** Every user of a datastore, the administrator first, those of its owner's own making last. */
export const usersOf = async (
  open: PersonalData['open'],
  row: AccessRow,
  observed: Observed | undefined,
): Promise<readonly UserEntry[]> => {
  const names = await opened(open, row)
  const plain = (token: string): string => names.get(token) ?? token
  const found = new Map(observed?.users.map((user) => [user.name, user]))
  const plugin = observed?.users[0]?.authPlugin ?? ''
  const planned = row.users.map(({ name, second, admin, grants, logins, status }): UserEntry => {
    const privileges = grants.map(({ database, privilege }) => ({ database: plain(database), privilege }))
    const asked = privileges.map(({ database, privilege }) => `${database}:${RIGHTS[privilege]}`)
    // Of the two names that a user has, only those are seen that let somebody in.
    const seen = found.get(plain(name)) ?? found.get(plain(second))
    const current = logins.at(-1)
    return {
      name: plain(name),
      grants: seen?.grants ?? [...(admin ? ['CREATEDB,CREATEROLE'] : []), ...asked].join(';'),
      authPlugin: plugin,
      status: statusOf(status, observed && seen !== undefined),
      managed: true,
      admin,
      login: plain(current?.slot === 'second' ? second : name),
      vaultId: current?.vault_id ?? null,
      previousUntil: logins.find(({ until }) => until !== null)?.until ?? null,
      privileges,
    }
  })
  const admin = found.get(row.admin)
  const rest = { authPlugin: plugin, previousUntil: null, privileges: [], status: 'created' } as const
  const known = new Set([row.admin, ...row.users.flatMap(({ name, second }) => [plain(name), plain(second)])])
  return [
    {
      ...rest, name: row.admin, login: row.admin, admin: true, managed: true, vaultId: row.admin_vault_id,
      grants: admin?.grants ?? `CREATEDB,CREATEROLE;${row.first_database}:${RIGHTS.all},GRANT OPTION`,
    },
    ...planned,
    ...[...found.values()]
      .filter(({ name }) => !known.has(name))
      .map(({ name, grants }) => ({ ...rest, name, login: name, grants, admin: false, managed: false, vaultId: null })),
  ]
}
