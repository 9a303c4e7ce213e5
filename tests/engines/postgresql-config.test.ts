import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Member } from '../../infra/engines/engine.ts'
import { conninfo, passfile, pgHba, pgIdent, postgresqlConf } from '../../infra/engines/postgresql/config.ts'
import { majorIn } from '../../infra/engines/postgresql/install.ts'
import { layoutOf, slotOf } from '../../infra/engines/postgresql/layout.ts'
import { neededIn } from '../../infra/engines/postgresql/needs.ts'
import { reasonsIn } from '../../infra/engines/postgresql/parameters.ts'
import { healthIn } from '../../infra/engines/postgresql/probe.ts'
import { scramVerifier } from '../../infra/engines/postgresql/scram.ts'
import { settingsFor } from '../../infra/engines/postgresql/settings.ts'

const test = suite('the configuration of PostgreSQL')

const member = (name: string, address: string): Member => ({
  nodeId: `nod-${name}`,
  name,
  hostname: `${name}.0198.ccx.test`,
  address,
  port: 5432,
})
const primary = member('db-a', '10.0.0.1')
const replica = member('db-b', '10.0.0.2')
const layout = layoutOf({ dataDir: '/data' })

test('a replica of a 2 GiB machine is configured so', () => {
  const text = postgresqlConf({
    layout,
    settings: settingsFor({ ramGb: 2 }, { ramGb: 2 }),
    parameters: {},
    member: replica,
    address: replica.address,
    upstream: primary,
  })
  assert.fixture(
    text,
    `data_directory = '/data/pgdata'
hba_file = '/data/etc/pg_hba.conf'
ident_file = '/data/etc/pg_ident.conf'
listen_addresses = '10.0.0.2'
port = 5432
unix_socket_directories = '/data/s'
unix_socket_permissions = '0700'
cluster_name = 'db-b'
ssl = 'on'
ssl_cert_file = '/data/tls/server.pem'
ssl_key_file = '/data/tls/server.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
wal_level = 'replica'
wal_log_hints = 'on'
hot_standby = 'on'
max_wal_senders = 20
max_replication_slots = 20
wal_retrieve_retry_interval = '500ms'
wal_receiver_status_interval = '1s'
wal_sender_timeout = '5s'
wal_receiver_timeout = '5s'
synchronous_standby_names = ''
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
datestyle = 'iso, mdy'
lc_messages = 'C.UTF-8'
lc_monetary = 'C.UTF-8'
lc_numeric = 'C.UTF-8'
lc_time = 'C.UTF-8'
default_text_search_config = 'pg_catalog.english'
max_connections = 100
shared_buffers = '512MB'
effective_cache_size = '1536MB'
work_mem = '20MB'
maintenance_work_mem = '128MB'
wal_keep_size = '256MB'
max_slot_wal_keep_size = '16384MB'
max_wal_size = '512MB'
primary_conninfo = 'host=''db-a.0198.ccx.test'' hostaddr=''10.0.0.1'' port=''5432'' user=''ccx_replication'' ` +
      `passfile=''/data/etc/replication.pgpass'' sslmode=''verify-full'' sslrootcert=''/data/tls/ca.crt'' ` +
      `application_name=''db-b'' connect_timeout=''5'' tcp_user_timeout=''5000'''
primary_slot_name = 'db_b'
`,
  )
})

test('a primary is told of no upstream', () => {
  const settings = settingsFor({ ramGb: 2 }, { ramGb: 2 })
  const given = { layout, settings, parameters: {}, member: primary, address: primary.address }
  const text = postgresqlConf({ ...given, upstream: undefined })
  assert.not.match(text, /primary_/)
})

test('what the tenant has chosen is set unless we set it ourselves, and cannot set anything beside it', () => {
  const parameters = {
    lock_timeout: '5', port: '1', shared_buffers: '1TB', search_path: "a'b\\c",
    'jit = off\nport': '1', jit: "on'\nport = '1",
  }
  const settings = settingsFor({ ramGb: 2 }, { ramGb: 2 })
  const given = { layout, settings, member: primary, address: primary.address, upstream: undefined }
  const plain = postgresqlConf({ ...given, parameters: {} }).split('\n')
  const added = postgresqlConf({ ...given, parameters }).split('\n').filter((line) => !plain.includes(line))
  assert.equal(added, ["lock_timeout = '5'", "search_path = 'a''b\\\\c'"])
})

test('a replica is left what it needs of what its primary had, and no more', () => {
  const told = `pg_control version number:            1300
max_connections setting:              400
max_worker_processes setting:         16
max_wal_senders setting:              20
max_prepared_xacts setting:           5
max_locks_per_xact setting:           64
`
  const given = { max_connections: 100, max_wal_senders: 20, max_worker_processes: '32' }
  assert.equal(neededIn(told, given), { max_connections: 400, max_prepared_transactions: 5 })
  assert.equal(neededIn('', given), {})
})

test('what a server said against its parameters is told without the names of files', () => {
  const said = `2026-01-01 12:00:00.000 UTC [7] LOG:  invalid value for parameter "jit": "x"
2026-01-01 12:00:00.000 UTC [7] FATAL:  configuration file "/data/etc/postgresql.conf" contains errors
`
  assert.is(reasonsIn(said), 'invalid value for parameter "jit": "x"')
  assert.is(reasonsIn('FATAL:  data directory "/data" has wrong ownership'), undefined)
})

test('only members replicate, our own roles are closed to others, and everybody comes with TLS and scram', () => {
  assert.fixture(
    pgHba([replica, primary], undefined),
    `local all postgres peer map=machine
hostssl replication,postgres ccx_replication 10.0.0.1/32 scram-sha-256
hostssl replication,postgres ccx_replication 10.0.0.2/32 scram-sha-256
hostssl replication,postgres ccx_replication samehost scram-sha-256
host all,replication postgres,ccx_replication all reject
hostssl all all all scram-sha-256
`,
  )
  assert.match(pgHba([member('db-c', 'fd00::1')], undefined), / fd00::1\/128 /)
})

test('tenants come from the trusted sources alone, and from nowhere while there is none', () => {
  const tenants = (trusted: readonly string[]) =>
    pgHba([primary], trusted).split('\n').filter((line) => line.startsWith('hostssl all'))
  assert.equal(tenants([]), [])
  assert.equal(tenants(['fd00:0:0:0:0:0:0:0/8', '10.1.0.0/16']), [
    'hostssl all all 10.1.0.0/16 scram-sha-256', 'hostssl all all fd00:0:0:0:0:0:0:0/8 scram-sha-256',
  ])
})

test("the machine's user is the superuser", () => assert.is(pgIdent('nobody'), 'machine "nobody" postgres\n'))

test('a passfile and a connection string keep what they are given, whatever it holds', () => {
  assert.is(passfile('a:b\\c'), '*:*:*:ccx_replication:a\\:b\\\\c\n')
  assert.is(conninfo({ sslrootcert: "/it's \\here" }), "sslrootcert='/it\\'s \\\\here'")
})

test('settings follow the memory', () => {
  const of = (ramGb: number): readonly unknown[] => {
    const s = settingsFor({ ramGb }, { ramGb })
    return [s.max_connections, s.shared_buffers, s.effective_cache_size, s.work_mem, s.maintenance_work_mem]
  }
  assert.equal(of(0.0625), [100, '16MB', '48MB', '1MB', '16MB'])
  assert.equal(of(0.5), [100, '128MB', '384MB', '5MB', '32MB'])
  assert.equal(of(4), [200, '1024MB', '3072MB', '20MB', '256MB'])
  assert.equal(of(8), [200, '2048MB', '6144MB', '40MB', '512MB'])
  assert.equal(of(16), [400, '4096MB', '12288MB', '40MB', '1024MB'])
  assert.equal(of(32), [800, '8192MB', '24576MB', '40MB', '2047MB'])
  assert.equal(of(64), [1000, '16384MB', '49152MB', '65MB', '2047MB'])
})

test('what is kept for a replica that is away is a tenth of the volume at most', () => {
  const of = (volumeGib: number): unknown =>
    settingsFor({ ramGb: 2 }, { ramGb: 2, volumeGib }).max_slot_wal_keep_size
  assert.equal([1, 80, 1000].map(of), ['102MB', '8192MB', '16384MB'])
})

test('one of the other members must have what is acknowledged, where that is asked for', () => {
  const text = postgresqlConf({
    layout, settings: {}, parameters: {}, member: replica, address: replica.address, upstream: undefined,
    confirming: [primary, member('db-"c', '10.0.0.3')],
  })
  assert.ok(text.split('\n').includes(`synchronous_standby_names = 'ANY 1 ("db-a", "db-""c")'`))
})

test('all members allow for the connections of the datastore', () => {
  const of = (...sizes: Parameters<typeof settingsFor>): readonly unknown[] => {
    const s = settingsFor(...sizes)
    return [s.max_connections, s.shared_buffers, s.work_mem]
  }
  assert.equal(of({ ramGb: 16 }, { ramGb: 2 }), [100, '4096MB', '163MB'])
  assert.equal(of({ ramGb: 2 }, { ramGb: 16 }), [400, '512MB', '5MB'])
})

test('a socket too deep for its folder gets an abstract name', () => {
  assert.is(layoutOf({ dataDir: `/${'d'.repeat(89)}` }).socket, `/${'d'.repeat(89)}/s`)
  const deep = layoutOf({ dataDir: `/${'d'.repeat(120)}/nod-7/volume` }).socket
  assert.match(deep, /^@d+\/nod-7\/volume$/)
  assert.ok(Buffer.byteLength(`${deep}/.s.PGSQL.5432`) <= 107)
})

test("a slot's name knows no dash", () => assert.is(slotOf({ name: 'db-X1' }), 'db_x1'))

test('the server derives the same keys from the password as the verifier holds', async () => {
  // The example of RFC 7677, section 3: user "user", password "pencil".
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const verifier = await scramVerifier('pencil', salt)
  assert.is(
    verifier,
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$' +
      'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})

test('a password that clients might spell in two ways is refused', async () => {
  const error = await scramVerifier('Å').catch((it: unknown) => it)
  assert.is(error instanceof Error ? error.name : '', 'CannotServe')
})

test('the probe reads a primary, a replica, and who of the members streams', () => {
  const primarySeen = '{"replica":false,"readOnly":false,"lagBytes":null,"streaming":["db-b","pg_basebackup"],"drifted":[]}\n'
  assert.equal(healthIn(primarySeen, ['db-a', 'db-b']), {
    role: 'primary',
    readOnly: false,
    lagBytes: null,
    streaming: ['db-b'],
  })
  const replicaSeen = '{"replica": true, "readOnly": true, "lagBytes": -24, "streaming": [], "drifted": ["jit"]}\n'
  assert.equal(healthIn(replicaSeen, []), { role: 'replica', readOnly: true, lagBytes: 0, streaming: [], drifted: ['jit'] })
})

test('the major version is read from what the program says of itself', () => {
  assert.is(majorIn('postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'), '15')
  assert.is(majorIn(''), undefined)
})

test.run()
