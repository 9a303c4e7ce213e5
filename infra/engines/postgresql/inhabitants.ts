import { z } from 'zod'
import type { Engine, ReachedNode } from '../engine.ts'
import { MAKING_PREFIX } from './databases.ts'
import { GROUPS } from './privileges.ts'
import { literal, psql } from './psql.ts'

/** So many databases are looked into at once. */
const AT_ONCE = 4
/** In more the tables are not counted: each costs a connection. */
const COUNTED_MAX = 50

const Seen = z.object({
  databases: z.array(z.object({ name: z.string(), owner: z.string(), sizeBytes: z.number(), isOpen: z.boolean() })),
  users: z.array(z.object({ name: z.string(), grants: z.string() })),
})

const rightsHere = (): string => {
  const holds = (level: string): string =>
    `exists (select from pg_roles g where g.rolname = 'ccx_${level}_' || d.oid and pg_has_role(r.oid, g.oid, 'member'))`
  return `case when d.datdba = r.oid then 'ALL PRIVILEGES,GRANT OPTION'
      when ${holds('all')} then 'ALL PRIVILEGES'
      when ${holds('ddl')} then 'SELECT,INSERT,UPDATE,DELETE,CREATE'
      when ${holds('write')} then 'SELECT,INSERT,UPDATE,DELETE'
      when ${holds('read')} then 'SELECT'
      when has_database_privilege(r.oid, d.oid, 'CREATE') then 'CONNECT,CREATE'
      when has_database_privilege(r.oid, d.oid, 'CONNECT') then 'CONNECT' end`
}

const QUESTION = `with d as (
  select oid, datname, datdba, datallowconn from pg_database
   where not datistemplate and datname <> 'postgres' and not starts_with(datname, ${literal(MAKING_PREFIX)})
), r as (
  select oid, rolname, rolcreaterole, rolcreatedb from pg_roles
   where rolcanlogin and not rolsuper and not rolreplication and rolname !~ '^pg_' and rolname !~ '${GROUPS}'
     and not starts_with(rolname, 'ccx_')
)
select jsonb_build_object(
  'databases', coalesce((select jsonb_agg(jsonb_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba),
     'sizeBytes', pg_database_size(d.oid), 'isOpen', d.datallowconn) order by d.datname) from d), '[]'),
  'users', coalesce((select jsonb_agg(jsonb_build_object('name', r.rolname, 'grants', concat_ws(';',
     nullif(concat_ws(',', case when r.rolcreatedb then 'CREATEDB' end, case when r.rolcreaterole then 'CREATEROLE' end), ''),
     (select string_agg(d.datname || ':' || h.rights, ';' order by d.datname)
        from d, lateral (select ${rightsHere()} as rights) h where h.rights is not null))) order by r.rolname) from r), '[]'))`

const TABLES = `select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

/** Asks one question of the server, and one of each database. */
export const inhabitants: Engine['inhabitants'] = async (node) => {
  const { databases, users } = Seen.parse(JSON.parse(await psql(node, QUESTION)))
  const counted = new Map<string, number>()
  const waiting = databases.filter(({ isOpen }) => isOpen).slice(0, COUNTED_MAX).values()
  const inTurn = async (): Promise<void> => {
    for (const { name } of waiting) counted.set(name, await tablesIn(node, name))
  }
  // A database that goes meanwhile is no reason not to tell of the others.
  await Promise.allSettled(Array.from({ length: AT_ONCE }, inTurn))
  return {
    databases: databases.map(({ name, owner, sizeBytes }) => ({ name, owner, sizeBytes, tables: counted.get(name) ?? null })),
    users: users.map((user) => ({ ...user, authPlugin: 'scram-sha-256' })),
  }
}

const tablesIn = async (node: ReachedNode, database: string): Promise<number> => Number(await psql(node, TABLES, { database }))
