import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engines } from '../../infra/engines/index.ts'
import { CannotServe, type Engine, type MadeUser } from '../../infra/engines/engine.ts'
import { account, clientOf, type EngineWorld, engineWorld } from '../support/engine-world.ts'
import type { Connection } from '../support/local-machines.ts'
import { until } from '../support/until.ts'

const withinMs = 20_000
const A_DAY_MS = 86_400_000

const suites = suite('databases and users')
const ending: (() => Promise<void>)[] = []
suites.after(async () => {
  for (const end of ending.toReversed()) await end()
})

const refused = async (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'it was done',
    (error: unknown) => (error instanceof CannotServe ? error.message : `another: ${String(error)}`),
  )

const facts = (engine: Engine): void => {
  const test = (fact: string, shows: () => Promise<void>) => suites(`${engine.name}: ${fact}`, shows)
  const client = clientOf(engine)
  let built: EngineWorld | undefined
  const world = (): EngineWorld => {
    if (built === undefined) throw new Error('BUG: the world is built first')
    return built
  }
  const node = () => world().node(0)
  const as = (username: string, password: string, database = account.database): Connection => ({
    ...world().connection(0), username, password, database,
  })
  const asAdmin = (statements: string, database = account.database) =>
    client.ask(as(account.username, account.password, database), statements)
  const answer = (connection: Connection, statements: string): Promise<string> =>
    client.ask(connection, statements).catch((error: unknown) => String(error))

  const user = (name: string, differing: Partial<MadeUser> = {}): MadeUser => ({
    name,
    second: `${name.slice(0, 20)}_b`,
    as: null,
    administrator: account.username,
    grants: [],
    logins: [{ slot: 'first', password: `password of ${name.length}`, until: null }],
    mark: `mark of ${name}`,
    ...differing,
  })
  const loginOf = ({ name, logins }: MadeUser, database?: string): Connection => as(name, logins[0]?.password ?? '', database)
  const database = (name: string, owner = account.username, mark = `mark-${name.length}`) => ({ name, owner, mark })
  const twice = async (verb: () => Promise<void>): Promise<void> => {
    await verb()
    await verb()
  }

  test('begin with the first database and its administrator', async () => {
    const here = await engineWorld(engine, '0198d0ae')
    built = here
    ending.push(here.remove)
    await engine.install(here.node(0))
    await engine.bootstrap({ ...here.node(0), members: [here.node(0).member] })
    await engine.createAccount(here.node(0), account)
    await asAdmin('create database by_hand')
    await asAdmin("create role by_hand login password 'by-hand-1'")
    const { databases, users } = await engine.inhabitants(node())
    const known = databases.map(({ name, owner, tables }) => [name, owner, tables])
    assert.equal(known, [['by_hand', 'ccxadmin', 0], ['ccxdb', 'ccxadmin', 0]])
    assert.ok((databases[1]?.sizeBytes ?? 0) > 1_000_000)
    assert.equal(users, [
      { name: 'by_hand', grants: 'by_hand:CONNECT;ccxdb:CONNECT', authPlugin: 'scram-sha-256' },
      {
        name: 'ccxadmin', authPlugin: 'scram-sha-256',
        grants: 'CREATEDB,CREATEROLE;by_hand:ALL PRIVILEGES,GRANT OPTION;ccxdb:ALL PRIVILEGES,GRANT OPTION',
      },
    ])
  })

  const hostile = [`o'Brien "x"`, 'ünïcødé 数据', 'ä'.repeat(31), 'a'.repeat(63), '$$; drop table t; --', '\\c \\! id %I {}']

  test('names may be any that fit, whatever is in them', async () => {
    for (const name of hostile) {
      await twice(() => engine.putDatabase(node(), database(name)))
      const one = user(name, { grants: [{ database: name, privilege: 'ddl' }] })
      await twice(() => engine.putUser(node(), one))
      assert.is(await answer(loginOf(one, name), 'create table mine (x int); select current_user'), name)
    }
    const { databases } = await engine.inhabitants(node())
    assert.equal(databases.map((one) => one.name).toSorted(), ['by_hand', 'ccxdb', ...hostile].toSorted())
    for (const { name, tables } of databases) if (hostile.includes(name)) assert.is(tables, 1, name)
    for (const name of hostile) {
      await twice(() => engine.dropUser(node(), { logins: [name, user(name).second], heir: account.username }))
      await engine.closeDatabase(node(), name)
      await twice(() => engine.dropDatabase(node(), name))
    }
    const left = await engine.inhabitants(node())
    assert.equal(left.databases.map(({ name }) => name), ['by_hand', 'ccxdb'])
    assert.equal(left.users.map(({ name }) => name), ['by_hand', 'ccxadmin'])
  })

  test('no name is had that is too long or the system’s own', async () => {
    for (const name of ['', 'a'.repeat(64), 'ä'.repeat(32), 'a\0b', 'pg_monitor', 'CCX_x']) {
      assert.match(await refused(engine.putUser(node(), user(name))), /cannot be had/, name)
      assert.match(await refused(engine.putDatabase(node(), database(name))), /cannot be had/, name)
      assert.match(await refused(engine.dropDatabase(node(), name)), /cannot be had/, name)
    }
  })

  test('what somebody made by himself is neither taken over nor taken back', async () => {
    assert.match(await refused(engine.putDatabase(node(), database('by_hand'))), /already/)
    assert.match(await refused(engine.putUser(node(), user('by_hand'))), /already/)
    await engine.unmakeDatabase(node(), database('by_hand'))
    await engine.unmakeUser(node(), user('by_hand'))
    const { databases, users } = await engine.inhabitants(node())
    assert.ok(databases.some(({ name }) => name === 'by_hand') && users.some(({ name }) => name === 'by_hand'))
    assert.is(await answer(as('by_hand', 'by-hand-1'), 'select 1'), '1')
  })

  test('what was made is taken back without a trace, also half made', async () => {
    await engine.putUser(node(), user('passing'))
    await engine.putDatabase(node(), database('passing', 'passing', 'mark-p'))
    await twice(() => engine.unmakeDatabase(node(), database('passing', 'passing', 'mark-p')))
    await twice(() => engine.unmakeUser(node(), user('passing')))
    const { databases, users } = await engine.inhabitants(node())
    assert.not([...databases, ...users].some(({ name }) => name === 'passing'))
  })

  test('a database belongs to the user who is named, who must be there', async () => {
    await engine.putUser(node(), user('owner'))
    await engine.putDatabase(node(), database('owned', 'owner'))
    assert.is(await answer(loginOf(user('owner'), 'owned'), 'create table t (x int); insert into t values (7); table t'), '7')
    assert.match(await refused(engine.putDatabase(node(), database('unowned', 'nobody'))), /no such user/)
  })

  test('each privilege is enforced, on tables there are and on those to come', async () => {
    await asAdmin('create table before (x int); insert into before values (1)')
    const levels = ['read', 'write', 'ddl', 'all'] as const
    for (const privilege of levels) await engine.putUser(node(), user(privilege, { grants: [{ database: 'ccxdb', privilege }] }))
    await answer(loginOf(user('ddl')), 'create table by_ddl (x int); insert into by_ddl values (1)')
    await asAdmin('create schema later; create table later.after (x int); insert into later.after values (1)')
    const may = async (privilege: string, statement: string): Promise<boolean> =>
      !/permission denied|must be owner/.test(await answer(loginOf(user(privilege)), statement))
    for (const table of ['before', 'later.after', 'by_ddl']) {
      assert.equal(await Promise.all(levels.map((one) => may(one, `select * from ${table}`))), [true, true, true, true], table)
      const write = `begin; insert into ${table} values (2); update ${table} set x = 3; delete from ${table}; rollback`
      assert.equal(await Promise.all(levels.map((one) => may(one, write))), [false, true, true, true], table)
      const truncate = `begin; truncate ${table}; rollback`
      assert.equal(await Promise.all(levels.map((one) => may(one, truncate))), [false, false, table === 'by_ddl', true], table)
    }
    const made = await Promise.all(levels.map((one) => may(one, `begin; create table made_${one} (x int); rollback`)))
    assert.equal(made, [false, false, true, true])
    const { users } = await engine.inhabitants(node())
    assert.equal(users.filter(({ name }) => levels.some((one) => one === name)).map(({ name, grants }) => [name, grants]), [
      ['all', 'ccxdb:ALL PRIVILEGES'], ['ddl', 'ccxdb:SELECT,INSERT,UPDATE,DELETE,CREATE'], ['read', 'ccxdb:SELECT'],
      ['write', 'ccxdb:SELECT,INSERT,UPDATE,DELETE'],
    ])
  })

  test('privileges are taken back, and nobody is let into a database that was not granted to him', async () => {
    await engine.putUser(node(), user('all', { grants: [{ database: 'ccxdb', privilege: 'read' }] }))
    assert.match(await answer(loginOf(user('all')), 'delete from before'), /permission denied/)
    assert.is(await answer(loginOf(user('all')), 'select x from before'), '1')
    await engine.putUser(node(), user('all'))
    for (const name of ['ccxdb', 'owned', 'by_hand']) {
      assert.match(await answer(loginOf(user('all'), name), 'select 1'), /permission denied for database/, name)
    }
    assert.is(await answer(as('by_hand', 'by-hand-1'), 'select 1'), '1', 'who could connect before still can')
  })

  test('a user may make neither users nor databases, an administrator may do both', async () => {
    const grants = [{ database: 'ccxdb', privilege: 'all' }] as const
    await engine.putUser(node(), user('plain', { grants }))
    for (const statement of ['create role r', 'create database d', `grant ${account.username} to plain`, 'set role ccxadmin']) {
      assert.match(await answer(loginOf(user('plain')), statement), /permission denied|must have admin option|must be superuser/)
    }
    await engine.putUser(node(), user('boss', { as: account.username }))
    assert.is(await answer(loginOf(user('boss')), 'create role r; drop role r; select count(*) from before'), '1')
    assert.match(await answer(loginOf(user('boss')), 'alter role boss superuser'), /permission denied|must be superuser/)
  })

  test('a second login holds beside the first, makes what is the first one’s, and outlives it', async () => {
    const old = { slot: 'first', password: 'old-password', until: new Date(Date.now() + A_DAY_MS).toISOString() } as const
    const next = { slot: 'second', password: 'next-password', until: null } as const
    const grants = [{ database: 'ccxdb', privilege: 'ddl' }] as const
    await engine.putUser(node(), user('rot', { grants, logins: [{ ...old, until: null }] }))
    assert.is(await answer(as('rot', 'old-password'), 'create table kept_by_rot (x int); select 1'), '1')
    await twice(() => engine.putUser(node(), user('rot', { grants, logins: [old, next] })))
    assert.is(await answer(as('rot', 'old-password'), 'select current_user'), 'rot')
    const again = 'drop table kept_by_rot; create table kept_by_rot (x int); select current_user'
    assert.is(await answer(as('rot_b', 'next-password'), again), 'rot')
    const stays = await client.stay(as('rot', 'old-password'))
    await stays.serverSide()
    await twice(() => engine.putUser(node(), user('rot', { grants, logins: [next] })))
    await until(() => stays.serverSide().then(() => false, () => true), { withinMs, what: 'the old session being ended' })
    await stays.close().catch(() => undefined)
    assert.match(await answer(as('rot', 'old-password'), 'select 1'), /authentication failed|not permitted to log in/)
    assert.is(await answer(as('rot_b', 'next-password'), 'insert into kept_by_rot values (1); select 1'), '1')
    const third = { slot: 'first', password: 'third-password', until: null } as const
    await engine.putUser(node(), user('rot', { grants, logins: [third] }))
    assert.is(await answer(as('rot', 'third-password'), 'select count(*) from kept_by_rot'), '1')
    assert.match(await answer(as('rot_b', 'next-password'), 'select 1'), /authentication failed/)
  })

  test('a login ends by itself when its time is up, though nobody comes to end it', async () => {
    const logins = [{ slot: 'first', password: 'over-password', until: new Date(Date.now() - 1_000).toISOString() }] as const
    await engine.putUser(node(), user('over', { logins }))
    assert.match(await answer(as('over', 'over-password', 'owned'), 'select 1'), /authentication failed/)
  })

  test('what a user owned is the administrator’s once he is deleted, and his sessions are ended', async () => {
    const maker = user('maker', { grants: [{ database: 'ccxdb', privilege: 'ddl' }] })
    await engine.putUser(node(), maker)
    await engine.putDatabase(node(), database('of_maker', 'maker'))
    await answer(loginOf(maker), 'create table precious (x int); insert into precious values (42)')
    await answer(loginOf(maker, 'of_maker'), 'create table there_too (x int)')
    const stays = await client.stay(loginOf(maker))
    await twice(() => engine.dropUser(node(), { logins: ['maker', 'maker_b'], heir: account.username }))
    await until(() => stays.serverSide().then(() => false, () => true), { withinMs, what: 'his session being ended' })
    await stays.close().catch(() => undefined)
    assert.is(await asAdmin('select x from precious; drop table precious'), '42')
    assert.is(await asAdmin('drop table there_too; select 1', 'of_maker'), '1')
    assert.match(await refused(engine.dropUser(node(), { logins: [account.username], heir: account.username })), /not deleted/)
  })

  test('a database is dropped although sessions are open in it, which are told to go first', async () => {
    await engine.putUser(node(), user('guest', { grants: [{ database: 'of_maker', privilege: 'read' }] }))
    const stays = await client.stay(loginOf(user('guest'), 'of_maker'))
    const lines: string[] = []
    const noting = { ...node(), note: (line: string) => void lines.push(line) }
    await engine.closeDatabase(noting, 'of_maker')
    assert.match(lines.join('\n'), /^1 open session: .*\nended 1 session because the database is dropped$/)
    await until(() => stays.serverSide().then(() => false, () => true), { withinMs, what: 'the session being ended' })
    await stays.close().catch(() => undefined)
    assert.match(await answer(loginOf(user('guest'), 'of_maker'), 'select 1'), /not currently accepting connections/)
    await engine.openDatabase(node(), 'of_maker')
    assert.is(await answer(loginOf(user('guest'), 'of_maker'), 'select 1'), '1')
    await engine.closeDatabase(node(), 'of_maker')
    await engine.dropDatabase(node(), 'of_maker')
    assert.not((await engine.inhabitants(node())).databases.some(({ name }) => name === 'of_maker'))
    assert.match(await refused(engine.closeDatabase(node(), 'of_maker')), /no such database/)
    const gone = user('guest', { grants: [{ database: 'of_maker', privilege: 'read' }] })
    assert.match(await refused(engine.putUser(node(), gone)), /no such database/)
  })

  test("the administrator's password is another one from one instant to the next", async () => {
    await twice(() => engine.setPassword(node(), { username: account.username, password: 'another-1' }))
    assert.match(await asAdmin('select 1').catch(String), /authentication failed/)
    assert.is(await answer(as(account.username, 'another-1'), 'select 1'), '1')
  })
}

for (const engine of engines) facts(engine)
suites.run()
