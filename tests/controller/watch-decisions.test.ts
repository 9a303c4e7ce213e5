import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SETTLED_MS, watchBegun as begun } from '../support/watch-begun.ts'
import { watchedCluster, watchScene } from '../support/watch-scene.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const test = suite('what the watch does about what it sees')

const hostsOf = async ({ store }: Pick<Awaited<ReturnType<typeof begun>>, 'store'>): Promise<readonly string[]> =>
  (await store.hosts('dst_1')).map(({ nodeId, role, status }) => `${nodeId.slice(-1)} ${role} ${status}`)

test('a whole datastore is online, has no alarm, and its primary a lease that is renewed every second', async () => {
  const scene = await begun()
  assert.equal(await hostsOf(scene), ['a primary CmonHostOnline', 'b replica CmonHostOnline', 'c replica CmonHostOnline'])
  assert.equal(scene.open(), [])
  assert.equal(scene.done[0], `keep ${scene.a} db-b+db-c`)
  assert.is((await scene.store.hosts('dst_1'))[0]?.leaseTtlMs, 6_000)
  const before = scene.done.length
  await scene.pass(10_000)
  assert.equal(scene.done.slice(before), Array.from({ length: 10 }, () => `renew ${scene.a} db-b+db-c`))
  assert.equal(scene.told(), [])
  await scene.finish()
})

test('hosts are written when they change, and otherwise every five seconds', async () => {
  const scene = await begun()
  const before = scene.written.length
  await scene.pass(20_000)
  assert.is(scene.written.length - before, 3 * 4)
  await scene.finish()
})

test('a primary whose machine is silent is told to be lost within four seconds, and again every five', async () => {
  const scene = await begun()
  scene.the(scene.a).reachable = false
  await scene.pass(4_000)
  assert.equal(scene.told(), [`primary-unreachable ${scene.a}`])
  const [told] = scene.observed
  assert.ok(told?.kind === 'primary-unreachable')
  assert.equal([told.epoch, told.positionBytes], [1, 500])
  assert.ok(told.lastSeenAt < told.at)
  assert.ok(scene.open().includes(`HostUnreachable ${scene.a}`))
  await scene.pass(6_000)
  assert.is(scene.told().filter((one) => one === `primary-unreachable ${scene.a}`).length, 2)
  assert.equal(new Set(scene.observed.map(({ at }) => at)).size, scene.observed.length)
  await scene.finish()
})

test('a primary that only we cannot reach is an alarm, and not lost', async () => {
  const scene = await begun()
  scene.the(scene.a).cutFromUs = true
  await scene.pass(30_000)
  assert.equal(scene.told(), [])
  assert.equal(scene.open(), [`HostUnreachable ${scene.a}`])
  scene.the(scene.a).cutFromUs = false
  await scene.pass(3_000)
  assert.equal(scene.open(), [])
  await scene.finish()
})

test('when we reach nobody, no primary is told to be lost', async () => {
  const scene = await begun()
  for (const nodeId of [scene.a, scene.b, scene.c]) scene.the(nodeId).cutFromUs = true
  await scene.pass(30_000)
  assert.not(scene.told().some((one) => one.startsWith('primary-unreachable')))
  await scene.finish()
})

test('a dead server is started where it is within a second and a bit, and that is told once', async () => {
  const scene = await begun()
  scene.the(scene.a).server = 'ended'
  await scene.pass(1_500)
  assert.ok(scene.done.includes(`start ${scene.a}`))
  await scene.pass(10_000)
  assert.equal(scene.told(), [`server-restarted ${scene.a}`])
  assert.is(scene.done.filter((one) => one === `start ${scene.a}`).length, 1)
  await scene.finish()
})

test('a dead primary that does not come back where it is is told to be lost', async () => {
  const scene = await begun()
  Object.assign(scene.the(scene.a), { server: 'ended', starts: false })
  await scene.pass(3_000)
  assert.equal(scene.told(), [])
  await scene.pass(2_000)
  assert.equal(scene.told(), [`primary-unreachable ${scene.a}`])
  await scene.finish()
})

test('a server that was stopped on purpose, or fenced, meanwhile is not started', async () => {
  for (const change of [{ shutDown: true }, { fencedEpoch: 2 }]) {
    const scene = await begun()
    scene.change(scene.a, change)
    scene.the(scene.a).server = 'ended'
    await scene.pass(10_000)
    assert.not(scene.done.includes(`start ${scene.a}`))
    await scene.finish()
  }
})

test('a server that somebody works on is not started', async () => {
  const scene = await begun()
  scene.locks.add(scene.b)
  scene.the(scene.b).server = 'ended'
  await scene.pass(3_000)
  assert.not(scene.done.includes(`start ${scene.b}`))
  await scene.finish()
})

test('a node that is silent on purpose is no alarm and is told to nobody', async () => {
  const scene = await begun()
  scene.change(scene.b, { shutDown: true })
  await scene.pass(1_500)
  scene.the(scene.b).server = 'ended'
  await scene.pass(30_000)
  assert.equal([scene.open(), scene.told()], [[], []])
  assert.equal((await hostsOf(scene))[1], 'b unknown CmonHostShutDown')
  await scene.finish()
})

test('a fenced primary is renewed no lease from the moment on that it is written down', async () => {
  const scene = await begun()
  scene.change(scene.a, { fencedEpoch: 2 })
  const before = scene.done.length
  await scene.pass(10_000)
  assert.equal(scene.done.slice(before).filter((one) => one.startsWith('renew')), [])
  await scene.finish()
})

test('a primary that ended itself for want of a lease, and that nobody has taken the place of, is let begin again', async () => {
  const scene = await begun()
  Object.assign(scene.the(scene.a), { server: 'ended', fenced: true })
  await scene.pass(2_000)
  assert.ok(scene.done.includes(`unfence ${scene.a}`))
  assert.not(scene.done.includes(`start ${scene.a}`))
  await scene.finish()
})

test('a former primary that takes writes again is fenced at once, with an alarm', async () => {
  const scene = await begun()
  scene.promote('dst_1', scene.b)
  Object.assign(scene.the(scene.b), { role: 'primary', streaming: ['db-c'] })
  await scene.pass(3_000)
  assert.ok(scene.done.includes(`fence ${scene.a}`))
  assert.is(scene.the(scene.a).server, 'ended')
  assert.ok(scene.alarms.some(({ typeName, nodeId }) => typeName === 'SecondPrimary' && nodeId === scene.a))
  await scene.finish()
})

test('a fenced node whose machine answers is told to be back', async () => {
  const scene = await begun()
  scene.promote('dst_1', scene.b)
  scene.change(scene.a, { fencedEpoch: 2 })
  Object.assign(scene.the(scene.b), { role: 'primary', streaming: ['db-c'] })
  Object.assign(scene.the(scene.a), { server: 'ended', fenced: true })
  await scene.pass(4_500)
  assert.ok(scene.told().includes(`node-back ${scene.a}`))
  await scene.finish()
})

test('a replica whose machine is silent is told, with since when', async () => {
  const scene = await begun()
  scene.the(scene.b).reachable = false
  await scene.pass(14_000)
  const [told] = scene.observed
  assert.ok(told?.kind === 'node-silent')
  assert.equal([told.nodeId, told.machineAnswers], [scene.b, false])
  assert.ok(Date.parse(told.at) - Date.parse(told.since) >= 10_000)
  await scene.finish()
})

test('who was told to be lost and answers again is told to be well, once, also by another controller', async () => {
  const scene = await begun()
  scene.the(scene.b).reachable = false
  await scene.pass(14_000)
  assert.equal(scene.told(), [`node-silent ${scene.b}`])
  const first = scene.end('one')
  await scene.pass(10_000)
  await first
  scene.the(scene.b).reachable = true
  scene.control('two')
  await scene.pass(20_000)
  const [lost, well, ...more] = scene.observed
  assert.equal([well?.kind, more], ['node-well', []])
  assert.ok(lost !== undefined && well !== undefined && well.at > lost.at)
  assert.equal((await scene.store.hosts('dst_1')).map(({ toldLostAt }) => toldLostAt), [null, null, null])
  const ended = scene.end('two')
  await scene.pass(10_000)
  await ended
})

test('a controller that has never seen the lost primary tells how far it had come when another saw it', async () => {
  const scene = await begun()
  await scene.finish()
  scene.the(scene.a).reachable = false
  scene.control('two')
  await scene.pass(15_000)
  const [told] = scene.observed
  assert.equal(told?.kind === 'primary-unreachable' && told.positionBytes, 500)
  const ended = scene.end('two')
  await scene.pass(10_000)
  await ended
})

test('a primary that was told to be lost and answers again is told to be well', async () => {
  const scene = await begun()
  scene.the(scene.a).reachable = false
  await scene.pass(4_000)
  scene.the(scene.a).reachable = true
  await scene.pass(5_000)
  assert.equal(scene.told(), [`primary-unreachable ${scene.a}`, `node-well ${scene.a}`])
  await scene.finish()
})

test('a primary that a boot has made a replica is let begin again, and one that is about to lead is left alone', async () => {
  const scene = await begun()
  scene.the(scene.a).role = 'replica'
  await scene.pass(5_000)
  assert.not.ok(scene.done.some((one) => one === `start ${scene.a}` || one === `unfence ${scene.a}`))
  scene.the(scene.a).fenced = true
  await scene.pass(12_000)
  assert.is(scene.done.filter((one) => one === `unfence ${scene.a}`).length, 1)
  assert.not.ok(scene.done.includes(`start ${scene.a}`))
  await scene.finish()
})

test('a single node has no lease, and one that is left from before is taken away', async () => {
  const scene = await begun(['db-a'])
  assert.equal(scene.done, [])
  scene.the(scene.a).guarded = true
  await scene.pass(2_000)
  assert.equal(scene.done, [`keep ${scene.a} nothing`])
  await scene.finish()
})

test('who the primary is is written down where nobody has', async () => {
  const { clock, pass } = virtualClock()
  const scene = watchScene(clock)
  const cluster = watchedCluster('dst_1', ['db-a', 'db-b'])
  scene.begin(cluster)
  scene.put('dst_1-db-b')
  scene.control('one')
  await pass(SETTLED_MS)
  assert.is((await scene.store.standing('dst_1'))?.primaryId, 'dst_1-db-a')
  const ended = scene.end('one')
  await pass(10_000)
  await ended
})

test('while CMON DB is away nothing is renewed, started or told, and all goes on when it is back', async () => {
  const scene = await begun()
  scene.away(true)
  await scene.pass(5_500)
  const before = scene.done.length
  scene.the(scene.b).server = 'ended'
  await scene.pass(10_000)
  assert.equal(scene.done.slice(before), [])
  scene.away(false)
  await scene.pass(15_000)
  assert.ok(scene.done.includes(`start ${scene.b}`))
  assert.ok(scene.done.at(-1)?.startsWith('renew'))
  await scene.finish()
})

test('a datastore that is forgotten is not looked at any more', async () => {
  const scene = await begun()
  scene.forget('dst_1')
  await scene.pass(2_500)
  const before = scene.looks.count
  await scene.pass(5_000)
  assert.is(scene.looks.count, before)
  await scene.finish()
})

test.run()
