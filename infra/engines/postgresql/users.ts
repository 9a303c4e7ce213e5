import { z } from 'zod'
import { CannotServe, type Engine, type MadeUser, type ReachedNode } from '../engine.ts'
import { checkName, markOf, marked } from './marks.ts'
import { closeToPublic, grant } from './privileges.ts'
import { literal, name, psql } from './psql.ts'
import { roleIfAbsent } from './roles.ts'
import { scramVerifier } from './scram.ts'
import { eventually } from './server.ts'

const NOBODY = 'nologin password null'

type Login = MadeUser['logins'][number]

/** The server itself ends a login at its instant, whether or not anybody comes to take it away. */
const letIn = async ({ password, until }: Login): Promise<string> =>
  `login password ${literal(await scramVerifier(password))} valid until ${literal(until ?? 'infinity')}`

/**
 * A server has one password for each role, so a second login is a second role: a member of the first, which it becomes as it
 * connects. What it makes is the first one's, and so is what it may do.
 */
export const putUser: Engine['putUser'] = async (node, user) => {
  const { name: first, second, as, logins, mark } = user
  for (const one of [first, second]) {
    checkName(one, 'user')
    const found = await markOf(node, 'role', one)
    if (found !== undefined && found !== mark) throw new CannotServe('there is a user of this name already')
  }
  const [firstLogin, secondLogin] = (['first', 'second'] as const).map((slot) => logins.find((login) => login.slot === slot))
  const [quoted, other] = [name(first), name(second)]
  const rights = as === null ? '' : ` createrole createdb`
  const secondRole =
    secondLogin === undefined
      ? ''
      : `${roleIfAbsent(second)}
${marked('role', other, mark)}
grant ${quoted} to ${other};
alter role ${other} set role = ${literal(first)};
alter role ${other} ${await letIn(secondLogin)};`
  await psql(
    node,
    `begin;
${roleIfAbsent(first)}
${marked('role', quoted, mark)}
alter role ${quoted} ${firstLogin === undefined ? NOBODY : await letIn(firstLogin)}${rights};
${as === null ? '' : `grant ${name(as)} to ${quoted};`}
${secondRole}
commit;`,
  )
  await closeToPublic(node)
  await grant(node, user)
  if (firstLogin === undefined) await seeOut(node, first)
  if (secondLogin === undefined) await remove(node, second, first)
}

export const unmakeUser: Engine['unmakeUser'] = async (node, { name: first, second, administrator, mark }) => {
  for (const one of [second, first]) {
    if ((await markOf(node, 'role', one)) === mark) await remove(node, one, administrator)
  }
}

export const dropUser: Engine['dropUser'] = async (node, { logins, heir }) => {
  for (const one of logins.toReversed()) {
    checkName(one, 'user')
    if (one === heir) throw new CannotServe('the administrator is not deleted')
    await remove(node, one, heir)
  }
}

/** Ends the sessions of those who came under this name. */
const seeOut = async (node: ReachedNode, role: string): Promise<void> => {
  const sessions = `pg_stat_activity where usename = ${literal(role)}`
  const ended = Number(await psql(node, `select count(pg_terminate_backend(pid)) from ${sessions}`))
  if (ended > 0) node.note(`ended ${ended} session${ended === 1 ? '' : 's'} of a login that holds no more`)
  await eventually(node.signal, async () => (await psql(node, `select count(*) from ${sessions}`)).trim() === '0')
}

/** Removes a role, unless it is gone; nothing that it owns is lost. */
const remove = async (node: ReachedNode, role: string, heir: string): Promise<void> => {
  if ((await markOf(node, 'role', role)) === undefined) return
  await psql(node, `alter role ${name(role)} ${NOBODY};`)
  await seeOut(node, role)
  // What it owns or may do elsewhere is found only there.
  const places = await psql(
    node,
    `select coalesce(jsonb_agg(distinct d.datname), '[]') from pg_shdepend s join pg_database d on d.oid = s.dbid
 where s.refclassid = 'pg_authid'::regclass and s.refobjid = (select oid from pg_roles where rolname = ${literal(role)})`,
  )
  for (const database of new Set(['postgres', ...z.array(z.string()).parse(JSON.parse(places))])) {
    const sql = `begin;\nreassign owned by ${name(role)} to ${name(heir)};\ndrop owned by ${name(role)};\ncommit;`
    await psql(node, sql, { database })
  }
  await psql(node, `drop role if exists ${name(role)};`)
}
