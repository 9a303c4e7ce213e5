import { CannotServe, type Engine, type ReachedNode } from '../engine.ts'
import { checkName, markOf, marked } from './marks.ts'
import { dropGroupsOfNone } from './privileges.ts'
import { literal, name, psql } from './psql.ts'
import { eventually } from './server.ts'

/** How long the sessions of a database that goes may take to end by themselves. */
const LEAVE_MS = 5_000

/** What a database is called until it is whole. */
export const MAKING_PREFIX = 'ccx_making_'
const making = (mark: string): string => name(`${MAKING_PREFIX}${mark}`)

/**
 * No statement makes a database and marks it at once, so it is made under a name that nobody uses, and gets its own with the
 * mark.
 */
export const putDatabase: Engine['putDatabase'] = async (node, { name: wanted, owner, mark }) => {
  checkName(wanted, 'database')
  const found = await markOf(node, 'database', wanted)
  if (found === mark) return
  if (found !== undefined) throw new CannotServe('there is a database of this name already')
  if ((await psql(node, `select 1 from pg_roles where rolname = ${literal(owner)}`)).trim() === '') {
    throw new CannotServe('there is no such user to own it')
  }
  await psql(
    node,
    `drop database if exists ${making(mark)} with (force);
create database ${making(mark)} owner ${name(owner)} template template0;
begin;
alter database ${making(mark)} rename to ${name(wanted)};
${marked('database', name(wanted), mark)}
revoke all on database ${name(wanted)} from public;
commit;`,
  )
}

export const unmakeDatabase: Engine['unmakeDatabase'] = async (node, { name: wanted, mark }) => {
  await psql(node, `drop database if exists ${making(mark)} with (force);`)
  if ((await markOf(node, 'database', wanted)) === mark) await dropDatabase(node, wanted)
}

const SESSIONS = (database: string): string =>
  `pg_stat_activity where datname = ${literal(database)} and backend_type = 'client backend'`

const sessionsIn = async (node: ReachedNode, database: string): Promise<number> =>
  Number(await psql(node, `select count(*) from ${SESSIONS(database)}`))

export const closeDatabase: Engine['closeDatabase'] = async (node, database) => {
  checkName(database, 'database')
  if ((await markOf(node, 'database', database)) === undefined) throw new CannotServe('there is no such database')
  const held = `select count(*) from pg_prepared_xacts where database = ${literal(database)}`
  if (Number(await psql(node, held)) > 0) throw new CannotServe('it holds prepared transactions: end them first')
  await psql(node, `alter database ${name(database)} allow_connections false;`)
  const open = await sessionsIn(node, database)
  if (open === 0) return
  node.note(`${open} open session${open === 1 ? '' : 's'}: what has not ended in ${LEAVE_MS / 1_000} s is ended`)
  const late = AbortSignal.timeout(LEAVE_MS)
  await eventually(AbortSignal.any([node.signal, late]), async () => (await sessionsIn(node, database)) === 0).catch(
    (error: unknown) => {
      if (!late.aborted || node.signal.aborted) throw error
    },
  )
  const ended = Number(await psql(node, `select count(pg_terminate_backend(pid)) from ${SESSIONS(database)}`))
  if (ended > 0) node.note(`ended ${ended} session${ended === 1 ? '' : 's'} because the database is dropped`)
  await eventually(node.signal, async () => (await sessionsIn(node, database)) === 0)
}

export const openDatabase: Engine['openDatabase'] = async (node, database) => {
  if ((await markOf(node, 'database', database)) === undefined) return
  await psql(node, `alter database ${name(database)} allow_connections true;`)
}

/** The groups that hold the rights to it go with it. */
export const dropDatabase: Engine['dropDatabase'] = async (node, database) => {
  checkName(database, 'database')
  await psql(node, `drop database if exists ${name(database)} with (force);\n${dropGroupsOfNone}`, { timeoutMs: 110_000 })
}
