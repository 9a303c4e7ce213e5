// limit: 300 s
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import {
  authorityOf, create, datastoreOf, endedJob, order, remove, removed, started, trusted, withSql,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { testPrograms } from '../support/programs.ts'
import { until } from '../support/until.ts'

const test = suite('databases and users')
const USERDB = '/api/userdb/api/v1'
const withinMs = 60_000

const Databases = z.array(
  z.object({
    database_name: z.string(), database_owner: z.string(), database_size: z.int(), number_of_tables: z.int(), status: z.string(),
    managed: z.boolean(),
  }),
)
const User = z.object({
  user_name: z.string(), grants: z.string(), host_allow: z.literal('%'), auth_plugin: z.string(), login_name: z.string(),
  status: z.string(), database_password: z.string().optional(), previous_login_until: z.string().nullable(),
})
const Connections = z.object({
  host: z.string(), port: z.int(), user: z.string(), password: z.string().nullable(), database: z.string(),
  connections: z.array(z.object({ name: z.string(), text: z.string() })),
})

let here: RunningInstance
let uuid = ''
let ca = ''
let folder = ''

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccx-access-'))
  here = await startInstance({ separate: true })
  const made = await create(here.api, order({ name: 'inhabited', size: 2 }))
  uuid = z.object({ uuid: z.string() }).parse(made.body).uuid
  await started(here.api, uuid)
  await trusted(here.api, uuid)
  ca = await authorityOf(here.api, uuid)
  await writeFile(join(folder, 'ca.pem'), ca)
})
test.after(async () => {
  await here.down()
  await rm(folder, { recursive: true, force: true })
})

const ask = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', verb: string, json?: z.core.util.JSONType) => {
  const { status, body } = await here.api(`${USERDB}/${verb}`, { method, ...(json === undefined ? {} : { json }) })
  return { status, body }
}
const databases = async () => Databases.parse((await ask('GET', `databases/${uuid}`)).body)
const users = async () => z.array(User).parse((await ask('GET', `users/${uuid}`)).body)

const connections = async (query: Readonly<Record<string, string>>) => {
  const { status, body } = await here.api(`/api/v1/datastores/${uuid}/connections?${new URLSearchParams(query).toString()}`)
  assert.is(status, 200, JSON.stringify(body))
  return Connections.parse(body)
}

/** Connects with the very string that the assistant gives; only the address comes from the embedded name server. */
const byUri = async (query: Readonly<Record<string, string>>, statement: string): Promise<string> => {
  const { host, connections: strings } = await connections({ ...query, password: 'true' })
  const [address = ''] = await addressesOf({ port: here.dnsPort }, host)
  const uri = strings.find(({ name }) => name === 'uri')?.text ?? ''
  const psql = (await testPrograms('postgres')).bin('psql')
  const env = { PGHOSTADDR: address, HOME: folder, LC_ALL: 'C.UTF-8' }
  return promisify(execFile)(psql, ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', uri, '-c', statement], { env, cwd: folder }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => String(error),
  )
}

const hostile = `O'Brien "ü" $x/@:?#%`
let shownOnce = ''

test('a database and a user are made, and seen at once by whoever reads them back', async () => {
  const made = await ask('POST', `database/${uuid}`, { database_name: 'shop' })
  assert.is(made.status, 201, JSON.stringify(made.body))
  const user = await ask('POST', `user/${uuid}`, {
    database_username: hostile, database_name: 'shop', database_privileges: 'ddl', database_host: '%',
  })
  assert.is(user.status, 201, JSON.stringify(user.body))
  shownOnce = User.parse(user.body).database_password ?? ''
  assert.match(shownOnce, /^[\w-]{32}$/)
  assert.equal((await databases()).map(({ database_name, status }) => [database_name, status]), [
    ['ccxdb', 'created'], ['shop', 'created'],
  ])
  assert.equal((await users()).map(({ user_name, grants }) => [user_name, grants]), [
    ['ccxadmin', 'CREATEDB,CREATEROLE;ccxdb:ALL PRIVILEGES,GRANT OPTION;shop:ALL PRIVILEGES,GRANT OPTION'],
    [hostile, 'shop:SELECT,INSERT,UPDATE,DELETE,CREATE'],
  ])
})

test('the string that psql is given works, whatever is in the name, and lets nobody into another database', async () => {
  const as = { user: hostile, database: 'shop' }
  assert.is(await byUri(as, 'create table orders (n int); insert into orders values (1); select current_user'), hostile)
  assert.match(await byUri({ user: hostile }, 'select 1'), /permission denied for database/)
  const [, shop] = await databases()
  assert.is(shop?.number_of_tables, 1)
  assert.ok((shop?.database_size ?? 0) > 1_000_000)
})

test('what the assistant says for Node works, also for the replicas, with the name of the server checked', async () => {
  for (const endpoint of ['primary', 'replica'] as const) {
    const { host, port, user, password, database } = await connections({
      user: hostile, database: 'shop', endpoint, password: 'true',
    })
    const [address = ''] = await addressesOf({ port: here.dnsPort }, host)
    await until(async () => {
      const ssl = { ca, servername: host }
      const client = new pg.Client({ host: address, port, user, password: password ?? '', database, ssl })
      await client.connect()
      try {
        return (await client.query('select n from orders')).rows.length === 1
      } finally {
        await client.end()
      }
    }, { withinMs, what: `the row on the ${endpoint}` })
  }
  const hidden = await connections({ user: hostile })
  assert.is(hidden.password, null)
  assert.not.match(JSON.stringify(hidden), new RegExp(shownOnce))
})

test('a login is rotated under an application that goes on, and the old one ends when it is told to', async () => {
  const before = await connections({ user: hostile, database: 'shop', password: 'true' })
  const [address = ''] = await addressesOf({ port: here.dnsPort }, before.host)
  const session = new pg.Client({
    host: address, port: before.port, user: before.user, password: before.password ?? '', database: 'shop',
    ssl: { ca, servername: before.host },
  })
  session.on('error', () => undefined)
  await session.connect()
  const rotated = await ask('POST', `user/${uuid}/rotate`, { database_username: hostile, grace_seconds: 3_600 })
  assert.is(rotated.status, 200, JSON.stringify(rotated.body))
  const next = User.parse(rotated.body)
  assert.is.not(next.login_name, hostile)
  assert.is.not(next.database_password, shownOnce)
  assert.ok(next.previous_login_until)
  assert.is((await session.query('insert into orders values (2)')).rowCount, 1)
  assert.is(await byUri({ user: hostile, database: 'shop' }, 'insert into orders values (3); select current_user'), hostile)
  const again = await ask('POST', `user/${uuid}/rotate`, { database_username: hostile })
  assert.is(again.status, 409)
  assert.is((await ask('POST', `user/${uuid}/end-rotation`, { database_username: hostile })).status, 200)
  await until(() => session.query('select 1').then(() => false, () => true), { withinMs, what: 'the old session being ended' })
  await session.end().catch(() => undefined)
  assert.is(await byUri({ user: hostile, database: 'shop' }, 'select count(*) from orders'), '3')
  assert.equal((await users()).map(({ user_name, previous_login_until }) => [user_name, previous_login_until]), [
    ['ccxadmin', null], [hostile, null],
  ])
})

test('an old login ends by itself: the server lets nobody in, then a job takes it away', async () => {
  const rotated = await ask('POST', `user/${uuid}/rotate`, { database_username: hostile, grace_seconds: 60 })
  assert.is(rotated.status, 200, JSON.stringify(rotated.body))
  await until(async () => (await users()).every(({ previous_login_until }) => previous_login_until === null), {
    withinMs: 100_000, what: 'the end of the old login',
  })
  assert.is((await endedJob(here.api, uuid, 'JOB_TYPE_CHANGE_USER')).status, 'JOB_STATUS_FINISHED')
  assert.is(await byUri({ user: hostile, database: 'shop' }, 'select count(*) from orders'), '3')
})

test('privileges are changed, and what the user may do with them', async () => {
  const { status } = await ask('PUT', `user/${uuid}/privileges`, {
    database_username: hostile, database_privileges: [{ database_name: 'shop', privilege: 'read' }],
  })
  assert.is(status, 200)
  assert.is(await byUri({ user: hostile, database: 'shop' }, 'select count(*) from orders'), '3')
  const refusal = await byUri({ user: hostile, database: 'shop' }, 'create table more (n int)')
  assert.match(refusal, /permission denied/)
})

test("the administrator's password is changed, and shown as it is now", async () => {
  const before = (await datastoreOf(here.api, uuid)).db_account.database_password
  assert.is((await ask('PUT', `user/${uuid}/password`, { database_username: 'ccxadmin' })).status, 200)
  const after = (await datastoreOf(here.api, uuid)).db_account.database_password
  assert.ok(after !== null && after !== before)
  await withSql(here, here.api, uuid, async (sql) => assert.is(await sql('select 1', { host: `${uuid}.ccx.test` }), '1'))
})

test('what was made by SQL is shown too, and can be dropped, with sessions open in it', async () => {
  await withSql(here, here.api, uuid, async (sql) => {
    await sql('create database by_hand', { host: `${uuid}.ccx.test` })
    await sql("create role by_hand login password 'by-hand-password'", { host: `${uuid}.ccx.test` })
  })
  assert.ok((await databases()).some(({ database_name, managed }) => database_name === 'by_hand' && !managed))
  const taken = { database_username: 'by_hand', database_password: 'other-password' }
  assert.is((await ask('POST', `user/${uuid}`, taken)).status, 409)
  assert.is((await ask('POST', `database/${uuid}`, { database_name: 'by_hand' })).status, 409)
  assert.is((await ask('DELETE', `database/${uuid}`, { database_name: 'by_hand' })).status, 200)
  assert.is((await ask('DELETE', `user/${uuid}`, { database_username: 'by_hand', database_host: '%' })).status, 200)
  assert.not((await databases()).some(({ database_name }) => database_name === 'by_hand'))
  assert.not((await users()).some(({ user_name }) => user_name === 'by_hand'))
})

test('all of it goes again, and none of it was written down in the open', async () => {
  const dropped = await ask('DELETE', `database/${uuid}`, { database_name: 'shop' })
  assert.equal(dropped, { status: 200, body: { database_name: 'shop', status: 'dropped' } })
  assert.is((await ask('DELETE', `user/${uuid}`, { database_username: hostile })).status, 200)
  assert.equal((await databases()).map(({ database_name }) => database_name), ['ccxdb'])
  assert.equal((await users()).map(({ user_name }) => user_name), ['ccxadmin'])
  assert.is((await remove(here.api, uuid)).status, 200)
  await removed(here.api, uuid)
})

test.run()
