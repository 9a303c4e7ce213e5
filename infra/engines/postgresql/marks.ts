import { CannotServe, type ReachedNode } from '../engine.ts'
import { isName } from './accounts.ts'
import { REPLICATION_ROLE, SUPERUSER } from './layout.ts'
import { literal, psql } from './psql.ts'

/** A setting of a database or role that nothing reads: it tells by whom and for what that was made. */
const SETTING = 'ccx.made_by'

/** Names of this beginning are ours: groups of rights, and databases in the making. */
const OWN = /^(?:ccx_|pg_)/i

/** What is set when something is made, in the transaction that makes it. */
export const marked = (kind: 'database' | 'role', quotedName: string, mark: string): string =>
  `alter ${kind} ${quotedName} set ${SETTING} = ${literal(mark)};`

/**
 * By what mark a database or role was made.
 *
 * @returns undefined when there is none of this name, null when somebody else made it
 */
export const markOf = async (node: ReachedNode, kind: 'database' | 'role', of: string): Promise<string | null | undefined> => {
  const [table, column, set] =
    kind === 'database' ? ['pg_database', 'datname', 'setdatabase'] : ['pg_roles', 'rolname', 'setrole']
  const found = await psql(
    node,
    `select 'is ' || coalesce((
  select substr(one, length('${SETTING}=') + 1) from pg_db_role_setting s, unnest(s.setconfig) one
   where s.${set} = t.oid and 0 in (s.setrole, s.setdatabase) and one like '${SETTING}=%' limit 1), '')
 from ${table} t where ${column} = ${literal(of)}`,
  )
  const text = found.trim()
  if (text === '') return undefined
  return text === 'is' ? null : text.slice('is '.length)
}

/** SQL: the roles that were made here. */
export const MARKED_ROLES = `select setrole from pg_db_role_setting s, unnest(s.setconfig) one
 where s.setdatabase = 0 and one like '${SETTING}=%'`

/** @throws CannotServe for names that are ours, or that the server would cut off */
export const checkName = (text: string, what: 'user' | 'database'): void => {
  const reserved = what === 'user' ? [SUPERUSER, REPLICATION_ROLE] : ['postgres', 'template0', 'template1']
  if (!isName(text) || reserved.includes(text) || OWN.test(text)) {
    throw new CannotServe(`this name cannot be had for a ${what}`)
  }
}
