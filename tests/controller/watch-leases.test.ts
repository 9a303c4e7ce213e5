import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchBegun as begun } from '../support/watch-begun.ts'

const test = suite('the leases that the watch gives')

test('a lease names a replica once it follows, and one that leaves no more', async () => {
  const scene = await begun()
  const kept = async () => (await scene.store.hosts('dst_1'))[0]?.leaseReplicas
  scene.change(scene.a, { leaseReplicas: ['db-c'] })
  scene.the(scene.a).streaming = ['db-c']
  await scene.pass(5_000)
  assert.equal([scene.done.at(-1), await kept()], [`renew ${scene.a} db-c`, ['db-c']])
  scene.the(scene.a).streaming = ['db-b', 'db-c']
  await scene.pass(5_000)
  assert.equal([scene.done.at(-1), await kept()], [`renew ${scene.a} db-b+db-c`, ['db-b', 'db-c']])
  assert.ok(scene.done.includes(`keep ${scene.a} db-b+db-c`))
  scene.change(scene.b, { joined: false })
  await scene.pass(5_000)
  assert.equal([scene.done.at(-1), await kept()], [`renew ${scene.a} db-c`, ['db-c']])
  assert.ok(scene.done.includes(`keep ${scene.a} db-c`))
  await scene.finish()
})

test('the terms of a lease are not changed while somebody works on the node, and it is renewed as it is', async () => {
  const scene = await begun()
  scene.locks.add(scene.a)
  scene.change(scene.b, { joined: false })
  await scene.pass(5_000)
  assert.not(scene.done.includes(`keep ${scene.a} db-c`))
  assert.is(scene.done.at(-1), `renew ${scene.a} db-c`)
  assert.equal((await scene.store.hosts('dst_1'))[0]?.leaseReplicas, ['db-b', 'db-c'])
  scene.locks.delete(scene.a)
  await scene.pass(3_000)
  assert.ok(scene.done.includes(`keep ${scene.a} db-c`))
  assert.equal((await scene.store.hosts('dst_1'))[0]?.leaseReplicas, ['db-c'])
  await scene.finish()
})

test('a lease that is to be longer is so on record before it is given for longer, and a shorter one after', async () => {
  const scene = await begun()
  await scene.finish()
  const limits = { intervalMs: 1_000, lookTimeoutMs: 1_000, leaseTtlMs: 30_000 }
  const record = async () => (await scene.store.hosts('dst_1'))[0]?.leaseTtlMs
  const turn = async (name: string, leaseTtlMs: number): Promise<void> => {
    scene.given.length = 0
    scene.locks.add(scene.a)
    scene.control(name, { limits: { ...limits, leaseTtlMs } })
    await scene.pass(10_000)
    assert.equal([...new Set(scene.given)], [6_000])
    scene.locks.delete(scene.a)
    await scene.pass(5_000)
    assert.equal([scene.given.at(-1), await record()], [leaseTtlMs, leaseTtlMs])
    const ended = scene.end(name)
    await scene.pass(10_000)
    await ended
  }
  await turn('longer', 30_000)
  await turn('shorter', 6_000)
})

test.run()
