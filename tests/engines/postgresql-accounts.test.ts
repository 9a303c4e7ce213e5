import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import type { NodeContext } from '../../infra/engines/engine.ts'
import { postgresql } from '../../infra/engines/postgresql/index.ts'
import { layoutOf, unitOf } from '../../infra/engines/postgresql/layout.ts'
import { psql } from '../../infra/engines/postgresql/psql.ts'
import { localMachines } from '../support/local-machines.ts'

const test = suite("a tenant's account on PostgreSQL")
const account = { username: 'Ada "the" Admin', password: "it's \\ a $ecret", database: 'a "db"' }

const machines = await localMachines('0198d0ab', ['postgres'])
// So long that its socket needs an abstract name.
const host = await machines.machine(`db-a-${'x'.repeat(70)}`)
const hostname = 'db-a.0198d0ab.ccx.test'
const member = { nodeId: 'db-a', name: 'db-a', hostname, address: host.address, port: 5432 }
const authority = await createAuthority('datastore')
const node: NodeContext = {
  host,
  member,
  members: [member],
  version: '15',
  parameters: {},
  instance: { cpu: 1, ramGb: 1 },
  common: { cpu: 1, ramGb: 1 },
  certificate: await issue(authority, {
    commonName: hostname,
    dnsNames: [hostname],
    addresses: [host.address],
    days: 1,
  }),
  secrets: { superuserPassword: 'superuser-1', replicationPassword: 'replication-1' },
  trusted: undefined,
  signal: AbortSignal.timeout(60_000),
  note: () => {},
  progress: () => {},
}

test.before(async () => {
  await postgresql.install(node)
  await postgresql.bootstrap(node)
  await postgresql.createAccount(node, account)
})
test.after(() => machines.remove())

const asTenant = async (sql: string, sslmode = 'require'): Promise<string> => {
  const { username, database, password } = account
  const env = { PGUSER: username, PGDATABASE: database, PGPASSWORD: password, PGSSLMODE: sslmode, LC_ALL: 'C.UTF-8' }
  const argv = ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', host.address, ...sql.split('; ').flatMap((it) => ['-c', it])]
  return promisify(execFile)(machines.programs.bin('psql'), argv, { env }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => String(error),
  )
}

test('names and passwords may hold quotes', async () => {
  assert.is(await asTenant('select current_user'), account.username)
})

test('it owns its database, makes roles and databases, and is no superuser', async () => {
  assert.is(await asTenant('create table t (x int); create role app login; create database more; select 1'), '1')
  assert.match(await asTenant('alter role app superuser'), /must be superuser|permission denied/)
})

test('it cannot run programs or touch files of the machine', async () => {
  for (const role of ['pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files']) {
    assert.match(await asTenant(`grant ${role} to "Ada ""the"" Admin"`), /must be superuser|permission denied/)
  }
  assert.match(await asTenant("copy t from program 'id'"), /permission denied|must be superuser/)
})

test('it cannot change our own roles', async () => {
  assert.match(await asTenant("alter role ccx_replication password 'mine'"), /must be superuser|permission denied/)
  assert.match(await asTenant("alter role postgres password 'mine'"), /must be superuser|permission denied/)
})

test('nobody connects without TLS', async () => {
  assert.match(await asTenant('select 1', 'disable'), /no pg_hba.conf entry/)
})

test('its password is kept as a scram verifier, and no log holds it', async () => {
  const kept = await psql(node, "select rolpassword from pg_authid where rolname like 'Ada%'")
  assert.match(kept, /^SCRAM-SHA-256\$4096:/)
  const log = await host.log(unitOf(layoutOf(host)), 1000)
  assert.match(log, /ready to accept connections/)
  assert.not.match(log, /ecret|SCRAM-SHA/)
})

test.run()
