import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchedCluster, watchScene } from '../support/watch-scene.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const test = suite('controllers that share a fleet')

const ids = Array.from({ length: 20 }, (_, n) => `dst_${n}`)

/** Two controllers that have shared twenty datastores for a while, and who renews which lease. */
const shared = async ({ isGone = () => false }: { readonly isGone?: (controllerId: string) => boolean } = {}) => {
  const { clock, pass } = virtualClock()
  const scene = watchScene(clock)
  for (const id of ids) scene.begin(watchedCluster(id, ['db-a', 'db-b']))
  const byWhom: { readonly controllerId: string; readonly datastoreId: string; readonly atMs: number }[] = []
  const alive = new Set(['one', 'two'])
  for (const controllerId of alive) {
    scene.control(controllerId, {
      neighbours: { self: controllerId, isGone },
      store: {
        ...scene.store,
        renewSlots: (...own) => (alive.has(own[0]) ? scene.store.renewSlots(...own) : Promise.reject(new Error('it is dead'))),
      },
      nodes: {
        ...scene.nodes,
        engine: (cluster) => {
          const engine = scene.nodes.engine()
          return {
            ...engine,
            session: (node) => {
              const session = engine.session(node)
              const renewLease = async (lease: Parameters<typeof session.renewLease>[0]): Promise<void> => {
                byWhom.push({ controllerId, datastoreId: cluster.datastoreId, atMs: clock.monotonicMs() })
                await session.renewLease(lease)
              }
              return { ...session, renewLease }
            },
          }
        },
      },
    })
  }
  await pass(20_000)
  const ownersOf = (sinceMs: number): ReadonlyMap<string, ReadonlySet<string>> =>
    new Map(
      [...Map.groupBy(byWhom.filter(({ atMs }) => atMs >= sinceMs), ({ datastoreId }) => datastoreId)]
        .map(([id, renewals]) => [id, new Set(renewals.map(({ controllerId }) => controllerId))]),
    )
  const finish = async (): Promise<void> => {
    const ended = Promise.all(['one', 'two'].map((id) => scene.end(id)))
    await pass(10_000)
    await ended
  }
  return { scene, clock, pass, alive, ownersOf, finish }
}

test('every datastore is acted on by one of them, and each has its share', async () => {
  const { pass, clock, ownersOf, finish } = await shared()
  const sinceMs = clock.monotonicMs()
  await pass(10_000)
  const owners = ownersOf(sinceMs)
  assert.is(owners.size, ids.length)
  for (const [, who] of owners) assert.is(who.size, 1)
  assert.is(new Set([...owners.values()].flatMap((who) => [...who])).size, 2)
  await finish()
})

test('what a dead one watched is watched by the other within seconds, and never by both', async () => {
  const { pass, clock, alive, ownersOf, finish } = await shared()
  alive.delete('one')
  await pass(9_000)
  const sinceMs = clock.monotonicMs()
  await pass(3_000)
  const owners = ownersOf(sinceMs)
  assert.is(owners.size, ids.length)
  for (const [, who] of owners) assert.equal([...who], ['two'])
  await finish()
})

test('what one watched whose process is seen to be gone is watched by the other at once', async () => {
  const gone = new Set<string>()
  const { pass, clock, alive, ownersOf, finish } = await shared({ isGone: (one) => gone.has(one) })
  alive.delete('one')
  gone.add('one')
  await pass(2_500)
  const sinceMs = clock.monotonicMs()
  await pass(1_500)
  const owners = ownersOf(sinceMs)
  assert.is(owners.size, ids.length)
  for (const [, who] of owners) assert.ok(who.has('two'))
  await finish()
})

test('one that ends gives its part up at once', async () => {
  const { scene, pass, clock, ownersOf, finish } = await shared()
  const ended = scene.end('one')
  await pass(3_500)
  await ended
  const sinceMs = clock.monotonicMs()
  await pass(2_500)
  const owners = ownersOf(sinceMs)
  assert.is(owners.size, ids.length)
  for (const [, who] of owners) assert.equal([...who], ['two'])
  await finish()
})

test.run()
