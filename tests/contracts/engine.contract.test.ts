import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dirname } from 'node:path'
import { engines } from '../../infra/engines/index.ts'
import type { NodeContext } from '../../infra/engines/engine.ts'
import { cutPower } from '../../infra/providers/process-host/units.ts'
import { account, clientOf, type EngineWorld, engineWorld, limited, secrets } from '../support/engine-world.ts'
import type { Connection } from '../support/local-machines.ts'
import { until } from '../support/until.ts'

for (const engine of engines) {
  const test = suite(`the engine ${engine.name}`)
  let world: EngineWorld | undefined
  const built = (): EngineWorld => {
    if (world === undefined) throw new Error('BUG: the world is built first')
    return world
  }
  const node = (i: number): NodeContext => built().node(i)
  const client = () => clientOf(engine)
  const connection = (i: number, change: Partial<Connection> = {}): Connection => ({ ...built().connection(i), ...change })
  const refused = async (change: Partial<Connection>): Promise<string> =>
    client().read(connection(0, change)).then(() => 'let in', (error: unknown) => String(error))
  const twice = async (verb: () => Promise<unknown>): Promise<void> => {
    await verb()
    await verb()
  }
  const readsOn = (i: number, values: readonly number[]): Promise<unknown> =>
    until(async () => String(await client().read(connection(i))) === String(values), { withinMs: 20_000 })

  test.before(async () => {
    world = await engineWorld(engine, '0198d0aa')
  })
  test.after(async () => {
    await world?.remove()
  })

  test('a machine without a server is down', async () => {
    assert.equal(await engine.probe(node(0)), { role: 'down', readOnly: true, lagBytes: null, streaming: [] })
  })

  test('a version that the machine has not is refused for good', async () => {
    const error = await engine.install({ ...node(0), version: '9.6' }).catch((it: unknown) => it)
    assert.is(error instanceof Error ? error.name : '', 'CannotServe')
  })

  test('the first member takes writes, installed and bootstrapped twice', async () => {
    for (const i of [0, 1, 2]) await twice(() => engine.install(node(i)))
    await twice(() => engine.bootstrap(node(0)))
    assert.equal(await engine.probe(node(0)), { role: 'primary', readOnly: false, lagBytes: null, streaming: [] })
  })

  test("the tenant's account can be made twice, and its password changed", async () => {
    await engine.createAccount(node(0), { ...account, password: 'an older one' })
    await twice(() => engine.createAccount(node(0), account))
    await client().write(connection(0), 1)
    assert.equal(await client().read(connection(0)), [1])
  })

  test("a wrong password, a wrong name and the engine's own accounts are refused", async () => {
    assert.match(await refused({ password: 'an older one' }), /password authentication failed|denied/i)
    assert.match(await refused({ hostname: 'else.ccx.test' }), /certificate|verif/i)
    assert.not.equal(await refused({ username: 'postgres', password: secrets.superuserPassword }), 'let in')
  })

  test('names of its own are not given to a tenant', async () => {
    const error = await engine.createAccount(node(0), { ...account, username: 'postgres' }).catch((it: unknown) => it)
    assert.is(error instanceof Error ? error.name : '', 'CannotServe')
  })

  test('a replica streams, joined twice, and reads what was written', async () => {
    await twice(() => engine.join(node(1), node(0).member))
    await client().write(connection(0), 2)
    await readsOn(1, [1, 2])
    const { role, readOnly, lagBytes } = await engine.probe(node(1))
    assert.equal({ role, readOnly, known: lagBytes !== null }, { role: 'replica', readOnly: true, known: true })
    assert.equal((await engine.probe(node(0))).streaming, ['db-b'])
  })

  test('a replica takes no writes', async () => {
    assert.match(String(await client().write(connection(1), 9).catch((error: unknown) => error)), /read-only/)
  })

  test('a join that is cut off anywhere is made good by the next', async () => {
    for (const limitMs of [60, 200, 500]) {
      await engine.join(limited(node(2), limitMs), node(0).member).catch(() => {})
    }
    await engine.join(node(2), node(0).member)
    await readsOn(2, [1, 2])
    assert.equal((await engine.probe(node(0))).streaming, ['db-b', 'db-c'])
  })

  test('stop ends the server and start brings it back, each twice', async () => {
    await twice(() => engine.stop(node(2)))
    assert.is((await engine.probe(node(2))).role, 'down')
    await twice(() => engine.start(node(2)))
    await until(async () => (await engine.probe(node(0))).streaming.includes('db-c'), { withinMs: 20_000 })
    assert.is((await engine.probe(node(2))).role, 'replica')
  })

  test('a stopped server stays down after a boot of its machine', async () => {
    await engine.stop(node(2))
    await world?.machines.provider.boot('db-c')
    assert.is((await engine.probe(node(2))).role, 'down')
    await engine.start(node(2))
  })

  test('an erased machine can be forgotten, both twice, and its volume is empty', async () => {
    await twice(() => engine.erase(node(2).host))
    await twice(() => engine.forget(node(0), node(2).member))
    assert.is((await engine.probe(node(2))).role, 'down')
    assert.is(await node(2).host.run(['find', node(2).host.dataDir, '-mindepth', '1']), '')
    await until(async () => String((await engine.probe(node(0))).streaming) === 'db-b', { withinMs: 20_000 })
  })

  test('an erased machine joins anew', async () => {
    await engine.install(node(2))
    await engine.join(node(2), node(0).member)
    await readsOn(2, [1, 2])
  })

  test('a replica cannot have all that a primary has written while that runs, or went without it', async () => {
    const refusal = async (i: number): Promise<string> =>
      engine.catchUp(node(i), node(0)).then(() => 'it has', (error: unknown) => (error instanceof Error ? error.name : ''))
    assert.is(await refusal(1), 'CannotServe')
    await engine.stop(node(2))
    await engine.stop(node(0))
    await engine.start(node(2))
    assert.is(await refusal(2), 'CannotServe')
    await twice(() => engine.catchUp(node(1), node(0)))
    await engine.start(node(0))
    await until(async () => (await engine.probe(node(0))).streaming.length === 2, { withinMs: 20_000 })
  })

  test('a primary that runs is made no replica', async () => {
    const refused = await engine.follow(node(0), node(1).member).then(() => false, () => true)
    assert.ok(refused)
    assert.is((await engine.probe(node(0))).role, 'primary')
  })

  test('a promoted replica takes writes, promoted twice', async () => {
    await engine.stop(node(0))
    await twice(() => engine.catchUp(node(1), node(0)))
    await twice(() => engine.promote(node(1)))
    const { role, readOnly } = await engine.probe(node(1))
    assert.equal({ role, readOnly }, { role: 'primary', readOnly: false })
    await client().write(connection(1), 3)
    assert.equal(await client().read(connection(1)), [1, 2, 3])
  })

  test('the former primary follows with the data it has, cut off anywhere; the others follow too', async () => {
    for (const limitMs of [30, 100, 300]) {
      await engine.follow(limited(node(0), limitMs), node(1).member).catch(() => {})
    }
    await twice(() => engine.follow(node(0), node(1).member))
    await twice(() => engine.configure(node(2), node(1).member))
    await until(async () => String((await engine.probe(node(1))).streaming) === 'db-a,db-c', { withinMs: 20_000 })
    for (const i of [0, 2]) {
      await readsOn(i, [1, 2, 3])
      assert.is((await engine.probe(node(i))).role, 'replica')
    }
  })

  test('a machine that lost its power comes back with every acknowledged write', async () => {
    for (let value = 4; value < 8; value++) await client().write(connection(1), value)
    await cutPower(dirname(node(1).host.dataDir))
    assert.is((await engine.probe(node(1))).role, 'down')
    await world?.machines.provider.boot('db-b')
    await until(async () => (await engine.probe(node(1))).role === 'primary', { withinMs: 20_000 })
    assert.equal(await client().read(connection(1)), [1, 2, 3, 4, 5, 6, 7])
  })

  test.run()
}
