// limit: 240 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dirname } from 'node:path'
import { engines } from '../../infra/engines/index.ts'
import type { Engine, Lease, Look, NodeContext, Session } from '../../infra/engines/engine.ts'
import { cutPower } from '../../infra/providers/process-host/units.ts'
import { account, clientOf, type EngineWorld, engineWorld } from '../support/engine-world.ts'
import { freezing } from '../support/freezing.ts'
import { until } from '../support/until.ts'

const LOOK_MS = 5_000
const withinMs = 20_000
const [A, B] = [0, 1] as const

const facts = suite('the lease of a primary')
const ending: (() => Promise<void>)[] = []
facts.after(async () => {
  for (const end of ending.toReversed()) await end()
})

const leases = (engine: Engine): void => {
  const test = (fact: string, shows: () => Promise<void>) => facts(`${engine.name}: ${fact}`, shows)
  const client = clientOf(engine)
  const lease: Lease = { epoch: 1, ttlMs: 4_000, replicas: ['db-b'] }
  let built: EngineWorld | undefined
  let value = 0
  let watched: Session | undefined

  const node = (i: number): NodeContext => {
    if (built === undefined) throw new Error('BUG: the world is built first')
    return { ...built.node(i), members: [built.node(A).member, built.node(B).member] }
  }
  const opened = (i: number): Session => {
    const session = engine.session({ ...node(i), signal: new AbortController().signal })
    ending.push(session.close)
    return session
  }
  const session = (): Session => (watched ??= opened(A))
  const folder = (i: number): string => dirname(node(i).host.dataDir)
  const isWritten = (i: number = A): Promise<boolean> => {
    if (built === undefined) throw new Error('BUG: the world is built first')
    value += 1
    return client.write(built.connection(i), value).then(() => true, () => false)
  }
  const look = (): Promise<Look> => session().look(LOOK_MS)
  const isSeen = (what: string, seen: (one: Look) => boolean): Promise<unknown> =>
    until(async () => seen(await look()), { withinMs, what })
  const renew = async (one: Session = session()): Promise<void> => {
    await one.look(LOOK_MS)
    await one.renewLease(lease)
  }
  /** As long as `work` goes on, somebody sees to it. */
  const renewedWhile = async <T>(work: () => Promise<T>): Promise<T> => {
    let over = false
    const renewing = until(async () => over || (await renew().then(() => false, () => false)), { withinMs: 60_000, everyMs: 500 })
    try {
      return await work()
    } finally {
      over = true
      await renewing
    }
  }
  const uptimeMs = async (): Promise<number> => (await look()).uptimeMs

  test('a machine without a server is looked at', async () => {
    const here = await engineWorld(engine, '0198d0af')
    built = here
    ending.push(here.remove)
    for (const i of [A, B]) await engine.install(node(i))
    const { role, server, fenced, guarded } = await look()
    assert.equal({ role, server, fenced, guarded }, { role: 'down', server: 'ended', fenced: false, guarded: false })
  })

  test('a look tells all that a probe does, and how the replicas do', async () => {
    await engine.bootstrap(node(A))
    await engine.createAccount(node(A), account)
    await engine.join(node(B), node(A).member)
    await isSeen('a reply', ({ replyAgesMs }) => String(Object.keys(replyAgesMs)) === 'db-b')
    const primary = await look()
    const replica = await opened(B).look(LOOK_MS)
    for (const [i, one] of [[A, primary], [B, replica]] as const) {
      const { role, readOnly, lagBytes, streaming } = await engine.probe(node(i))
      const told = { role: one.role, readOnly: one.readOnly, lagBytes: one.lagBytes, streaming: one.streaming }
      assert.equal(told, { role, readOnly, lagBytes, streaming })
      assert.is(one.server, 'answers')
      assert.is(one.timeline, 1)
    }
    // A server at rest writes a little now and then.
    const hasAll = async () => ((await opened(B).look(LOOK_MS)).positionBytes ?? 0) >= (primary.positionBytes ?? Infinity)
    await until(hasAll, { withinMs: 10_000, what: 'the position of the primary' })
    assert.equal(Object.keys(primary.replyAgesMs), ['db-b'])
    assert.ok(primary.uptimeMs > 0)
  })

  test('where nobody has ever given a lease, a primary is started without one', async () => {
    await engine.stop(node(A))
    assert.is((await look()).server, 'ended')
    await engine.start(node(A))
    assert.ok(await isWritten())
  })

  test('a lease that is renewed lets it take writes, and somebody guards it', async () => {
    for (const _ of ['once', 'twice']) await engine.keepLease(node(A), lease)
    await isSeen('the guard', ({ guarded }) => guarded)
    await renew()
    assert.ok(await isWritten())
  })

  test('without renewals it goes on while it hears all its replicas', async () => {
    const from = await uptimeMs()
    await until(async () => (await isWritten()) && (await uptimeMs()) > from + 3 * lease.ttlMs, { withinMs: 60_000 })
    assert.is((await look()).role, 'primary')
  })

  test('a server that stands still answers no look, and its lease is not renewed', async () => {
    await renew()
    await freezing(folder(A), 'servers', async () => {
      assert.is(await session().renewLease(lease).then(() => 'renewed', () => 'not'), 'not')
      assert.is(await session().look(500).then(() => 'answered', () => 'silent'), 'silent')
      assert.is(await session().look(500).then(() => 'answered', () => 'silent'), 'silent')
    })
    await isSeen('the server', ({ server }) => server === 'answers')
    await renew()
  })

  test('a server that is killed is down on a machine that answers, and is started while it has its lease', async () => {
    await renew()
    await freezing(folder(A), 'servers', async (kill) => kill())
    await isSeen('the end', ({ server }) => server === 'ended')
    await renewedWhile(() => engine.start(node(A)))
    assert.ok(await isWritten())
  })

  test('a primary that is started waits until somebody gives it a lease', async () => {
    await engine.stop(node(A))
    const from = await uptimeMs()
    await until(async () => (await uptimeMs()) > from + lease.ttlMs, { withinMs })
    const started = engine.start(node(A))
    await isSeen('that it waits', ({ server }) => server === 'waits-for-lease')
    assert.not.ok(await isWritten())
    await renewedWhile(() => started)
    assert.ok(await isWritten())
  })

  test('who starts a primary can give it the lease, but not once it may not have it', async () => {
    await engine.stop(node(A))
    const from = await uptimeMs()
    await until(async () => (await uptimeMs()) > from + lease.ttlMs, { withinMs })
    const refused = { ...node(A), lease: { ...lease, mayBeGiven: async () => false } }
    assert.instance(await engine.start(refused).catch((error: unknown) => error), Error)
    assert.is((await look()).server, 'ended')
    await engine.start({ ...node(A), lease: { ...lease, mayBeGiven: async () => true } })
    await renew()
    assert.ok(await isWritten())
  })

  test('a machine that keeps a lease needs it, also where nobody has written down that it does', async () => {
    await engine.stop(node(A))
    const from = await uptimeMs()
    await until(async () => (await uptimeMs()) > from + lease.ttlMs, { withinMs })
    await engine.start({ ...node(A), lease: { epoch: 1, ttlMs: null, replicas: [], mayBeGiven: async () => true } })
    await renew()
    assert.ok(await isWritten())
    assert.ok((await look()).guarded)
  })

  test('after the power was cut it waits again, and is back as soon as it has a lease', async () => {
    await renew()
    await cutPower(folder(A))
    const before = await session().look(LOOK_MS).catch(() => undefined)
    assert.is.not(before?.server, 'answers')
    const from = await until(async () => uptimeMs().catch(() => 0), { withinMs })
    await until(async () => (await uptimeMs()) > from + lease.ttlMs, { withinMs })
    await built?.machines.provider.boot('db-a')
    await isSeen('that it waits', ({ server }) => server === 'waits-for-lease')
    await renewedWhile(() => isSeen('the primary', ({ role, guarded }) => role === 'primary' && guarded))
    assert.ok(await isWritten())
  })

  test('a machine that stood still for longer than its lease takes no writes when it goes on', async () => {
    await renew()
    const from = await uptimeMs()
    await freezing(folder(A), 'everything', async () => {
      const clock = opened(B)
      await until(async () => (await clock.look(LOOK_MS)).uptimeMs > from + lease.ttlMs, { withinMs })
    })
    await isSeen('the end', ({ role, fenced }) => role !== 'primary' && fenced)
    assert.not.ok(await isWritten())
    await engine.unfence({ ...node(A), lease: { ...lease, mayBeGiven: async () => true } })
    await renew()
    await isSeen('the replica', ({ streaming }) => String(streaming) === 'db-b')
    assert.ok(await isWritten())
  })

  test('once a replica is not heard and nobody renews it, it takes no writes any more, however it is started', async () => {
    await renew()
    const from = await uptimeMs()
    await engine.stop(node(B))
    let lastMs = 0
    const isOver = async (): Promise<boolean> => {
      const one = await look()
      if (await isWritten()) lastMs = one.uptimeMs
      return one.fenced && one.role !== 'primary'
    }
    await until(isOver, { withinMs })
    // An instant of the machine's, from before the last write was begun.
    assert.ok(lastMs <= from + lease.ttlMs + 1_000, `${lastMs - from} ms`)
    assert.instance(await engine.start(node(A)).catch((error: unknown) => error), Error)
    await cutPower(folder(A))
    await built?.machines.provider.boot('db-a')
    await isSeen('what it was made', ({ role, fenced }) => role === 'replica' && fenced)
    assert.not.ok(await isWritten())
  })

  test('where no lease is needed any more, everything is as if there never had been one', async () => {
    await engine.keepLease(node(A), null)
    await engine.unfence(node(A))
    const from = await uptimeMs()
    await until(async () => (await uptimeMs()) > from + lease.ttlMs + 1_000, { withinMs })
    assert.ok(await isWritten())
    assert.is((await look()).guarded, false)
  })

  test('a replica that is promoted has its lease before it takes writes', async () => {
    await engine.start(node(B))
    await engine.keepLease(node(B), { ...lease, replicas: ['db-a'] })
    await engine.stop(node(A))
    await engine.promote({ ...node(B), lease: { ...lease, epoch: 2, replicas: ['db-a'], mayBeGiven: async () => true } })
    const promoted = opened(B)
    await renew(promoted)
    assert.is((await promoted.look(LOOK_MS)).role, 'primary')
    assert.ok(await isWritten(B))
  })
}

for (const engine of engines) leases(engine)
facts.run()
