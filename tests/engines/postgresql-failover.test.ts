// limit: 240 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { postgresql as engine } from '../../infra/engines/postgresql/index.ts'
import { layoutOf, unitOf } from '../../infra/engines/postgresql/layout.ts'
import { descends, endIn, type Lineage } from '../../infra/engines/postgresql/lineage.ts'
import { psql } from '../../infra/engines/postgresql/psql.ts'
import type { NodeContext } from '../../infra/engines/engine.ts'
import { account, clientOf, type EngineWorld, engineWorld } from '../support/engine-world.ts'
import { serverProcesses } from '../support/server-processes.ts'
import { until } from '../support/until.ts'

const test = suite('PostgreSQL when nodes are lost')
const withinMs = 30_000
const [A, B, C] = [0, 1, 2] as const
const client = clientOf(engine)
let world: EngineWorld | undefined

const built = (): EngineWorld => {
  if (world === undefined) throw new Error('BUG: the world is built first')
  return world
}
const node = (i: number): NodeContext => ({ ...built().node(i), common: { cpu: 1, ramGb: 1, volumeGib: 1 } })
const member = (i: number) => node(i).member
const to = (i: number) => built().connection(i)
const reads = (i: number, ...values: readonly number[]): Promise<unknown> =>
  until(async () => String(await client.read(to(i))) === String(values), { withinMs })
const onVolume = (i: number, script: string): Promise<string> =>
  node(i).host.run(['sh', '-c', script, 'on-volume', layoutOf(node(i).host).data])

test.before(async () => {
  world = await engineWorld(engine, '0198d0f1')
  for (const i of [A, B, C]) await engine.install(node(i))
  await engine.bootstrap(node(A))
  await engine.createAccount(node(A), account)
  for (const i of [B, C]) await engine.join(node(i), member(A))
  await client.write(to(A), 1)
  for (const i of [B, C]) await reads(i, 1)
})
test.after(async () => {
  await world?.remove()
})

test('a fenced server that somebody starts by hand takes no writes', async () => {
  await engine.fence(node(A))
  await node(A).host.start(unitOf(layoutOf(node(A).host)))
  await until(async () => (await engine.probe(node(A))).role === 'replica', { withinMs })
  assert.match(String(await client.write(to(A), 9).catch((error: unknown) => error)), /read-only/)
  await engine.fence(node(A))
  await engine.unfence(node(A))
  assert.is((await engine.probe(node(A))).role, 'primary')
})

test('a fence that was cut off after any step is made whole by the next', async () => {
  for (const step of [': > "${1%/*}/etc/fenced"', ': > "${1%/*}/etc/fenced"; : > "$1/standby.signal"']) {
    await onVolume(A, step)
    await engine.fence(node(A))
    assert.equal(await serverProcesses(node(A).host), [])
    assert.is(await onVolume(A, 'ls "$1/standby.signal" >/dev/null && echo yes'), 'yes\n')
    await engine.unfence(node(A))
    assert.is((await engine.probe(node(A))).role, 'primary')
  }
  await until(async () => (await engine.probe(node(A))).streaming.length === 2, { withinMs })
})

test('a reader who holds up the replay does not hold up a promotion', async () => {
  await engine.stop(node(C))
  const reader = await client.stay(to(B))
  try {
    await client.ask(to(A), 'begin; create table held (n int); insert into held values (1); commit')
    await until(async () => (await client.ask(to(B), `select to_regclass('held') is not null`)) === 't', { withinMs })
    const holding = client.ask(to(B), 'begin; select * from held; select pg_sleep(60)').then(() => 'held', () => 'ended')
    const locks = `select count(*) from pg_locks where relation = 'held'::regclass and granted`
    await until(async () => (await client.ask(to(B), locks)) !== '0', { withinMs })
    await client.ask(to(A), 'drop table held')
    const waits = `select count(*) from pg_stat_activity where backend_type = 'startup' and wait_event_type = 'Lock'`
    await until(async () => (await psql(node(B), waits)).trim() === '1', { withinMs })
    await engine.fence(node(A))
    await engine.standing(node(B))
    await engine.promote(node(B))
    assert.is(await holding, 'ended')
    await client.write(to(B), 2)
  } finally {
    await reader.close()
  }
})

test('what cannot be rewound is copied', async () => {
  await client.write(to(B), 3)
  await onVolume(A, 'cd "$1" && : > pg_wal/garbage && chmod 600 global/pg_control && truncate -s 100 global/pg_control')
  assert.is(await engine.rejoin(node(A), node(B)), 'copied')
  await reads(A, 1, 2, 3)
})

test('a replica that was away for too long costs the primary no more than its share, and is copied', async () => {
  const slot = `select coalesce(wal_status, '') from pg_replication_slots where slot_name = 'db_c'`
  assert.is((await psql(node(B), slot)).trim(), 'reserved')
  for (let i = 0; i < 12; i++) await psql(node(B), 'create table fill (n int); drop table fill; select pg_switch_wal()')
  await psql(node(B), 'checkpoint')
  await until(async () => (await psql(node(B), slot)).trim() === 'lost', { withinMs })
  assert.is(await engine.rejoin(node(C), node(B)), 'copied')
  await reads(C, 1, 2, 3)
  assert.is((await psql(node(B), slot)).trim(), 'reserved')
})

test('a primary from before may be rewound from as well', async () => {
  await psql(node(B), 'revoke all on function pg_catalog.pg_read_binary_file(text) from ccx_replication')
  for (const i of [A, C]) await engine.standing(node(i))
  await client.write(to(B), 99)
  await engine.fence(node(B))
  await engine.promote(node(A))
  await psql(node(A), 'revoke all on function pg_catalog.pg_ls_dir(text, boolean, boolean) from ccx_replication')
  await client.write(to(A), 4)
  assert.is(await engine.rejoin(node(B), node(A)), 'rewound')
  await reads(B, 1, 2, 3, 4)
})

test('one history descends from another by the names of the promotions', () => {
  const of = (timeline: number, history: string, system = '7'): Lineage => ({ system, timeline, history })
  const second = '1\t0/3000148\tno recovery target specified\n\n# promotion a\n'
  const other = '1\t0/3000148\tno recovery target specified\n\n# promotion b\n'
  const unnamed = '1\t0/3000148\tno recovery target specified\n'
  const third = `${second}\n2\tA/40000A0\tno recovery target specified\n\n# promotion c\n`
  const asked: readonly (readonly [Lineage, Lineage, boolean])[] = [
    [of(3, third), of(1, ''), true],
    [of(3, third), of(2, second), true],
    [of(3, third), of(3, third), true],
    [of(2, second), of(1, '', '8'), false],
    [of(2, second), of(2, other), false],
    [of(3, third), of(2, other), false],
    [of(3, third), of(2, unnamed), false],
    [of(2, second), of(2, unnamed), false],
    [of(2, second), of(3, third), false],
  ]
  for (const [one, from, expected] of asked) assert.is(descends(one, from), expected, JSON.stringify([one, from]))
  assert.equal([1, 2, 3].map((timeline) => endIn(of(3, third), timeline)), [0x3000148, 10 * 2 ** 32 + 0x40000a0, undefined])
})

test.run()
