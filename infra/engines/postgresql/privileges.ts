import { z } from 'zod'
import { CannotServe, type MadeUser, type ReachedNode } from '../engine.ts'
import { MARKED_ROLES } from './marks.ts'
import { literal, name, psql } from './psql.ts'
import { roleIfAbsent } from './roles.ts'

/**
 * Rights are held by groups, four for each database, of which each is a member of the one before; a user is a member of one.
 * So a user's rights are changed without touching the database, and tables to come are granted to the groups once.
 */
const LEVELS = ['read', 'write', 'ddl', 'all'] as const
type Level = (typeof LEVELS)[number]

/** The same for whoever could connect because everybody could. */
const groupOf = (level: Level | 'open', oid: string): string => `ccx_${level}_${oid}`

/** SQL: what a group's name looks like. */
export const GROUPS = '^ccx_(open|read|write|ddl|all)_[0-9]+$'

/** Groups whose database is gone hold nothing any more. */
export const dropGroupsOfNone = `select format('drop role %I', rolname) from pg_roles
 where rolname ~ '${GROUPS}'
   and not exists (select from pg_database d where d.oid::text = substring(rolname from '[0-9]+$')) \\gexec
`

/**
 * Whoever may connect today because everybody may goes on doing so by a group; those who come later, and the users made
 * here, need to be let in. The server's own databases hold nothing of anybody's and stay as they are.
 */
export const closeToPublic = async (node: ReachedNode): Promise<void> => {
  const open = await psql(
    node,
    `select coalesce(jsonb_agg(jsonb_build_array(oid::text, datname)), '[]') from pg_database
 where not datistemplate and datname <> 'postgres' and exists (
  select from aclexplode(coalesce(datacl, acldefault('d', datdba))) a where a.grantee = 0 and a.privilege_type = 'CONNECT')`,
  )
  for (const [oid, found] of z.array(z.tuple([z.string(), z.string()])).parse(JSON.parse(open))) {
    const database = name(found)
    const group = groupOf('open', oid)
    await psql(
      node,
      `begin;
${roleIfAbsent(group)}
grant connect, temporary on database ${database} to ${group};
select format('grant ${group} to %I', rolname) from pg_roles
 where not rolsuper and rolname !~ '^pg_' and rolname !~ '${GROUPS}' and oid not in (${MARKED_ROLES}) \\gexec
revoke all on database ${database} from public;
commit;`,
    )
  }
}

const oidOf = async (node: ReachedNode, database: string): Promise<string> => {
  const oid = (await psql(node, `select oid from pg_database where datname = ${literal(database)} and datallowconn`)).trim()
  if (oid === '') throw new CannotServe('there is no such database to grant rights to')
  return oid
}

/** The groups of one database, with all the rights they have there. */
const groups = async (node: ReachedNode, database: string, oid: string, administrator: string): Promise<void> => {
  const [read, write, ddl, all] = LEVELS.map((level) => groupOf(level, oid))
  const quoted = name(database)
  await psql(
    node,
    `begin;
${LEVELS.map((level) => roleIfAbsent(groupOf(level, oid))).join('\n')}
grant ${read} to ${write};
grant ${write} to ${ddl};
grant ${ddl} to ${all};
grant connect, temporary on database ${quoted} to ${read};
grant create on database ${quoted} to ${ddl};
grant all on database ${quoted} to ${all};
commit;`,
  )
  const each = (rights: string, what: string, group: string | undefined): string =>
    `select format('grant ${rights} on ${what} %I to ${group}', nspname) from pg_namespace
 where nspname !~ '^pg_' and nspname <> 'information_schema' \\gexec\n`
  // Whoever may make tables makes them for the others too.
  const makers = `select r.rolname from pg_roles r where r.rolname = ${literal(administrator)}
    or r.oid = (select datdba from pg_database where datname = current_database())
    or (r.rolname !~ '${GROUPS}' and exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
        where m.member = r.oid and g.rolname in ('${ddl}', '${all}')))`
  const future = (rights: string, what: string, group: string | undefined): string =>
    `select format('alter default privileges for role %I grant ${rights} on ${what} to ${group}', rolname)
 from (${makers}) maker \\gexec\n`
  await psql(
    node,
    `begin;
${each('usage', 'schema', read)}${each('create', 'schema', ddl)}${each('all', 'schema', all)}
${each('select', 'all tables in schema', read)}${each('select', 'all sequences in schema', read)}
${each('insert, update, delete', 'all tables in schema', write)}${each('usage, update', 'all sequences in schema', write)}
${each('all', 'all tables in schema', all)}${each('all', 'all sequences in schema', all)}
${each('all', 'all routines in schema', all)}
${future('usage', 'schemas', read)}${future('create', 'schemas', ddl)}
${future('select', 'tables', read)}${future('select', 'sequences', read)}
${future('insert, update, delete', 'tables', write)}${future('usage, update', 'sequences', write)}
${future('all', 'tables', all)}${future('all', 'sequences', all)}${future('all', 'routines', all)}
commit;`,
    { database },
  )
}

/** Grants a user exactly these rights of those that are had here, now and on what is to come. */
export const grant = async (node: ReachedNode, { name: user, grants, administrator }: MadeUser): Promise<void> => {
  const wanted: { readonly group: string; readonly database: string; readonly oid: string }[] = []
  for (const { database, privilege } of grants) {
    const oid = await oidOf(node, database)
    wanted.push({ group: groupOf(privilege, oid), database, oid })
  }
  for (const { oid } of wanted) await psql(node, LEVELS.map((level) => roleIfAbsent(groupOf(level, oid))).join('\n'))
  const keep = [`''`, ...wanted.map(({ group }) => literal(group))].join(', ')
  await psql(
    node,
    `begin;
select format('revoke %I from %I', g.rolname, u.rolname) from pg_auth_members m
  join pg_roles g on g.oid = m.roleid join pg_roles u on u.oid = m.member
 where u.rolname = ${literal(user)} and g.rolname ~ '${GROUPS}' and g.rolname not in (${keep}) \\gexec
${wanted.map(({ group }) => `grant ${group} to ${name(user)};`).join('\n')}
commit;`,
  )
  // After he is a member: what he makes from here on is for the others too.
  for (const { database, oid } of wanted) await groups(node, database, oid, administrator)
}
