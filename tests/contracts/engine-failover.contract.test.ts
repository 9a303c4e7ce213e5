// limit: 300 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engines } from '../../infra/engines/index.ts'
import type { NodeContext } from '../../infra/engines/engine.ts'
import { account, clientOf, type EngineWorld, engineWorld, limited } from '../support/engine-world.ts'
import { serverProcesses, signalServer } from '../support/server-processes.ts'
import { until } from '../support/until.ts'

const withinMs = 30_000
const [A, B, C] = [0, 1, 2] as const

for (const engine of engines.filter(({ capabilities }) => capabilities.has('streaming-replication'))) {
  const test = suite(`the loss of nodes of the engine ${engine.name}`)
  const client = clientOf(engine)
  let world: EngineWorld | undefined
  const built = (): EngineWorld => {
    if (world === undefined) throw new Error('BUG: the world is built first')
    return world
  }
  const node = (i: number, change: Partial<NodeContext> = {}): NodeContext => ({ ...built().node(i), ...change })
  const member = (i: number) => node(i).member
  const write = (i: number, value: number): Promise<void> => client.write(built().connection(i), value)
  const rows = async (i: number): Promise<string> => String(await client.read(built().connection(i)))
  const reads = (i: number, ...values: readonly number[]): Promise<unknown> =>
    until(async () => (await rows(i)) === String(values), { withinMs })
  const roleOf = async (i: number): Promise<string> => (await engine.probe(node(i))).role
  const streamed = (i: number, ...names: readonly string[]): Promise<unknown> =>
    until(async () => String((await engine.probe(node(i))).streaming) === String(names), { withinMs })
  const failed = (work: Promise<unknown>): Promise<boolean> => work.then(() => false, () => true)

  test.before(async () => {
    world = await engineWorld(engine, '0198d0f0')
    for (const i of [A, B, C]) await engine.install(node(i))
    await engine.bootstrap(node(A))
    await engine.createAccount(node(A), account)
    for (const i of [B, C]) await engine.join(node(i), member(A))
    await write(A, 1)
    for (const i of [B, C]) await reads(i, 1)
  })
  test.after(async () => {
    await world?.remove()
  })

  test('a replica hears its primary while that answers, and tells how much it has received', async () => {
    const before = await engine.hears(node(B), member(A))
    assert.ok(before.answers)
    await write(A, 2)
    await reads(B, 1, 2)
    assert.ok((await engine.hears(node(B), member(A))).receivedBytes > before.receivedBytes)
    await signalServer(node(A).host, 'SIGSTOP')
    assert.is((await engine.hears(node(B), member(A))).answers, false)
    await signalServer(node(A).host, 'SIGCONT')
    assert.ok((await engine.hears(node(B), member(A))).answers)
  })

  test('where a replica stands is final, although the primary goes on writing', async () => {
    const first = await engine.standing(node(B))
    await write(A, 3)
    await reads(C, 1, 2, 3)
    assert.equal(await engine.standing(node(B)), first)
    assert.is(await rows(B), '1,2')
    assert.ok((await engine.standing(node(C))).positionBytes > first.positionBytes)
    for (const i of [B, C]) await engine.configure(node(i), member(A))
    for (const i of [B, C]) await reads(i, 1, 2, 3)
    assert.ok(await failed(engine.standing(node(A))))
  })

  test('a server that was killed is unfenced as the primary it was', async () => {
    await signalServer(node(A).host, 'SIGKILL')
    await until(async () => (await serverProcesses(node(A).host)).length === 0, { withinMs })
    await engine.fence(node(A))
    for (const _ of ['once', 'twice']) await engine.unfence(node(A))
    assert.is(await roleOf(A), 'primary')
    await streamed(A, 'db-b', 'db-c')
  })

  test('a replica that was fenced is a replica when it is unfenced', async () => {
    await engine.fence(node(C))
    assert.is(await roleOf(C), 'down')
    await engine.unfence(node(C))
    await streamed(A, 'db-b', 'db-c')
  })

  test('a frozen primary is fenced: nothing of it is left, and no verb starts it as a primary', async () => {
    for (const i of [B, C]) await engine.standing(node(i))
    await write(A, 99)
    await signalServer(node(A).host, 'SIGSTOP')
    for (const _ of ['once', 'twice']) await engine.fence(node(A))
    assert.equal(await serverProcesses(node(A).host), [])
    for (const verb of [
      () => engine.start(node(A)),
      () => engine.configure(node(A), member(A)),
      () => engine.applyParameters(node(A), member(A), { restart: true }),
      () => engine.bootstrap(node(A)),
      () => engine.promote(node(A)),
      () => engine.follow(node(A), member(A)),
      () => engine.join(node(A), member(B)),
    ]) {
      assert.ok(await failed(verb()))
      assert.is(await roleOf(A), 'down')
    }
    await built().machines.provider.boot('db-a')
    assert.is(await roleOf(A), 'down')
  })

  test('the replica that is promoted takes writes, and the other follows it with what it has', async () => {
    const { positionBytes } = await engine.standing(node(B))
    const behind = await engine.standing(node(C))
    const first = await engine.promote(node(B))
    assert.equal(await engine.promote(node(B)), first)
    const { heldBytes } = first
    assert.ok(heldBytes !== null && heldBytes <= positionBytes && heldBytes > positionBytes - 16_384)
    assert.ok(behind.positionBytes <= positionBytes)
    await write(B, 4)
    await engine.configure(node(C), member(B))
    await reads(C, 1, 2, 3, 4)
    assert.ok((await engine.standing(node(C))).positionBytes > heldBytes)
    assert.is(await engine.rejoin(node(C), node(B)), 'as-it-was')
  })

  test('the fenced primary comes back as a replica without what only it had', async () => {
    assert.is(await engine.rejoin(node(A), node(B)), 'rewound')
    await write(B, 5)
    await reads(A, 1, 2, 3, 4, 5)
    assert.is(await roleOf(A), 'replica')
    assert.is(await engine.rejoin(node(A), node(B)), 'as-it-was')
    await streamed(B, 'db-a', 'db-c')
  })

  test('what was cut off anywhere is made good by the next rejoin', async () => {
    for (const i of [A, C]) await engine.standing(node(i))
    await write(B, 98)
    await signalServer(node(B).host, 'SIGKILL')
    await engine.fence(node(B))
    await engine.promote(node(A))
    await write(A, 6)
    for (const limitMs of [100, 400, 900, 1_500]) await engine.rejoin(limited(node(B), limitMs), node(A)).catch(() => {})
    await engine.rejoin(node(B), node(A))
    await engine.rejoin(node(C), node(A))
    for (const i of [B, C]) await reads(i, 1, 2, 3, 4, 5, 6)
    await streamed(A, 'db-b', 'db-c')
  })

  test('a replica that was away, an empty machine and another that was promoted rejoin too', async () => {
    await engine.stop(node(B))
    await engine.erase(node(C).host)
    await engine.install(node(C))
    await write(A, 7)
    assert.is(await engine.rejoin(node(B), node(A)), 'as-it-was')
    assert.is(await engine.rejoin(node(C), node(A)), 'copied')
    await streamed(A, 'db-b', 'db-c')
    await engine.promote(node(B))
    await write(B, 97)
    assert.is(await engine.rejoin(node(B), node(A)), 'copied')
    for (const i of [B, C]) await reads(i, 1, 2, 3, 4, 5, 6, 7)
  })

  test('two that were promoted without each other are told apart', async () => {
    for (const i of [B, C]) await engine.standing(node(i))
    await engine.fence(node(A))
    await engine.promote(node(B))
    await write(B, 96)
    await engine.fence(node(B))
    await engine.promote(node(C))
    await write(C, 8)
    assert.is(await engine.rejoin(node(B), node(C)), 'copied')
    await engine.rejoin(node(A), node(C))
    for (const i of [A, B]) await reads(i, 1, 2, 3, 4, 5, 6, 7, 8)
  })

  if (engine.capabilities.has('synchronous-replication')) {
    test('what is acknowledged is on a replica; without one it waits; turned off it goes on', async () => {
      const synchronous = { synchronous: true }
      for (const i of [A, B, C]) await engine.configure(node(i, synchronous), member(C))
      await write(C, 9)
      await engine.stop(node(A))
      await engine.fence(node(C))
      await engine.standing(node(B))
      await engine.promote(node(B, synchronous))
      await reads(B, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      let isAcknowledged = false
      const writing = write(B, 10).then(() => (isAcknowledged = true))
      for (let look = 0; look < 20; look++) assert.is(await roleOf(B), 'primary')
      assert.not.ok(isAcknowledged)
      await engine.configure(node(B), member(B))
      await writing
      for (const i of [A, C]) await engine.rejoin(node(i), node(B))
      for (const i of [A, C]) await reads(i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    })

    test('a replica that rejoins follows, and confirms nothing before everybody knows of it', async () => {
      const synchronous = { synchronous: true }
      await engine.configure(node(B, synchronous), member(B))
      await engine.fence(node(A))
      await engine.fence(node(C))
      let isAcknowledged = false
      const writing = write(B, 11).then(() => (isAcknowledged = true))
      await engine.rejoin(node(A, synchronous), node(B), async () => {
        await reads(A, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
        assert.equal((await engine.probe(node(B))).streaming, [])
        assert.not.ok(isAcknowledged)
      })
      await writing
      await streamed(B, 'db-a')
      const stopped = await failed(engine.rejoin(node(C), node(B), () => Promise.reject(new Error('it is fenced anew'))))
      assert.ok(stopped)
      assert.equal((await engine.probe(node(B))).streaming, ['db-a'])
      assert.is(await engine.rejoin(node(C), node(B), async () => undefined), 'as-it-was')
      await streamed(B, 'db-a', 'db-c')
      await engine.configure(node(B), member(B))
    })
  }

  test.run()
}
