import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Occupied } from '../../infra/controller-store/controller-store.ts'
import { SLOTS, slotOf } from '../../infra/controller-store/slots.ts'
import { clusterOf, controllerStores } from '../support/controller-stores.ts'
import { until } from '../support/until.ts'

const noon = '2026-07-01T12:00:00.000Z'

for (const { name, start } of controllerStores) {
  const test = suite(`who may take writes, in the controller's store on ${name}`)
  const server = await start()
  const store = server.store()
  await store.migrate()
  const one = server.process()
  const another = server.process()

  test.after(async () => {
    await one.kill()
    await another.kill()
    await store.close()
    await server.stop()
  })

  /** A cluster of its own for each test. */
  const registered = async (datastoreId: string): Promise<readonly [string, string]> => {
    await store.registerCluster(clusterOf(datastoreId), noon)
    return [`${datastoreId}-a`, `${datastoreId}-b`]
  }

  /** As one says who began to rejoin just now. */
  const rejoined = async (datastoreId: string, nodeId: string): Promise<boolean> =>
    store.rejoined(datastoreId, nodeId, (await store.standing(datastoreId))?.fenced[nodeId] ?? null)

  test('nobody is the primary until somebody claims it, and the newest epoch goes before all others', async () => {
    const [a, b] = await registered('claims')
    assert.equal(await store.standing('claims'), { epoch: 0, primaryId: null, fenced: {} })
    assert.is(await store.claimPromotion('claims', 3, a), true)
    assert.is(await store.claimPromotion('claims', 3, a), true)
    assert.is(await store.claimPromotion('claims', 3, b), false)
    assert.is(await store.claimPromotion('claims', 2, b), false)
    assert.equal(await store.standing('claims'), { epoch: 3, primaryId: a, fenced: {} })
    assert.is(await store.claimPromotion('claims', 4, b), true)
    assert.is(await store.claimPromotion('claims', 3, a), false)
    assert.equal(await store.standing('claims'), { epoch: 4, primaryId: b, fenced: {} })
  })

  test('what a promoted node had is known until another is promoted, and better once it has been', async () => {
    const [a, b] = await registered('needed')
    const needed = async () => (await store.standing('needed'))?.neededBytes
    await store.claimPromotion('needed', 3, a)
    assert.is(await needed(), undefined)
    await store.claimPromotion('needed', 4, b, 2 ** 40)
    assert.is(await needed(), 2 ** 40)
    await store.promoted('needed', 4, b, 2 ** 40 - 8)
    await store.claimPromotion('needed', 4, b, 2 ** 40)
    assert.is(await needed(), 2 ** 40 - 8)
    await store.registerCluster(clusterOf('needed'), noon)
    await store.fence('needed', b, 5)
    await store.claimPromotion('needed', 3, a, 1)
    await store.promoted('needed', 3, a, 1)
    assert.is(await needed(), 2 ** 40 - 8)
    await store.claimPromotion('needed', 5, a)
    assert.is(await needed(), 2 ** 40 - 8)
    await store.promoted('needed', 4, b, 1)
    await store.promoted('needed', 5, a, 7)
    assert.is(await needed(), 7)
  })

  test('jobs from before there were epochs may promote one after the other, until an epoch has decided', async () => {
    const [a, b] = await registered('ancient')
    assert.equal([await store.claimPromotion('ancient', 0, a), await store.claimPromotion('ancient', 0, b)], [true, true])
    assert.is((await store.standing('ancient'))?.primaryId, b)
    assert.is(await store.claimPromotion('ancient', 1, a), true)
    assert.is(await store.claimPromotion('ancient', 0, b), false)
  })

  test('a host stays told to be lost until it is told to be well after that', async () => {
    const [a] = await registered('told')
    const toldLostAt = async () => (await store.hosts('told')).map((host) => host.toldLostAt)
    assert.equal(await toldLostAt(), [null, null])
    const [first, second] = ['2026-07-01T12:00:05.123Z', '2026-07-01T12:00:09.456Z']
    await store.toldLost(a, first)
    await store.toldLost(a, second)
    await store.toldWell(a, first)
    await store.registerCluster(clusterOf('told'), noon)
    assert.equal(await toldLostAt(), [second, null])
    await store.toldWell(a, second)
    assert.equal(await toldLostAt(), [null, null])
  })

  test('nothing is decided about a cluster that is not registered', async () => {
    assert.is(await store.standing('nowhere'), undefined)
    assert.equal(
      [
        await store.claimPromotion('nowhere', 1, 'x'), await store.fence('nowhere', 'x', 1),
        await store.unfence('nowhere', 'x', 1), await store.adoptPrimary('nowhere', 'x'),
      ],
      [false, false, false, false],
    )
  })

  test('a fence is written down once and stays, and who is fenced may not be promoted', async () => {
    const [a, b] = await registered('fences')
    await store.claimPromotion('fences', 1, a)
    assert.equal([await store.fence('fences', a, 2), await store.fence('fences', a, 2)], [true, true])
    assert.equal(await store.standing('fences'), { epoch: 2, primaryId: a, fenced: { [a]: 2 } })
    assert.ok((await store.fencedNodes()).has(a))
    assert.is(await store.claimPromotion('fences', 2, a), false)
    assert.is(await store.claimPromotion('fences', 3, a), false)
    assert.is(await store.claimPromotion('fences', 2, b), true)
    assert.equal(await store.standing('fences'), { epoch: 2, primaryId: b, fenced: { [a]: 2 } })
    // Again by the same job, and by one of before.
    assert.equal([await store.fence('fences', a, 2), await store.fence('fences', b, 2), await store.fence('fences', b, 1)], [
      true, false, false,
    ])
    await rejoined('fences', a)
    assert.equal(await store.standing('fences'), { epoch: 2, primaryId: b, fenced: {} })
    assert.not((await store.fencedNodes()).has(a))
  })

  test('a fence is taken back only while nobody else has been promoted, and then nobody is any more', async () => {
    const [a, b] = await registered('back')
    await store.claimPromotion('back', 1, a)
    await store.fence('back', a, 2)
    assert.equal([await store.unfence('back', a, 1), await store.unfence('back', a, 2), await store.unfence('back', a, 2)], [
      false, true, true,
    ])
    assert.equal(await store.standing('back'), { epoch: 2, primaryId: a, fenced: {} })
    assert.equal([await store.claimPromotion('back', 2, b), await store.fence('back', a, 2)], [false, false])
    await store.fence('back', a, 3)
    await store.claimPromotion('back', 3, b)
    assert.is(await store.unfence('back', a, 3), false)
    assert.equal(await store.standing('back'), { epoch: 3, primaryId: b, fenced: { [a]: 3 } })
  })

  test('of two processes that race for an epoch exactly one promotes', async () => {
    const [a, b] = await registered('race')
    for (let epoch = 1; epoch <= 25; epoch++) {
      const asked = await Promise.all([
        one.ask({ ask: 'claim', datastoreId: 'race', epoch, nodeId: a }),
        another.ask({ ask: 'claim', datastoreId: 'race', epoch, nodeId: b }),
      ])
      assert.is(asked.filter((won) => won === true).length, 1)
      assert.is((await store.standing('race'))?.primaryId, asked[0] === true ? a : b)
    }
  })

  test('of two processes, one that promotes and one that takes the fence back, exactly one does', async () => {
    const [a, b] = await registered('undone')
    for (let epoch = 1; epoch <= 25; epoch++) {
      await rejoined('undone', a)
      await store.claimPromotion('undone', 2 * epoch - 1, a)
      assert.is(await store.fence('undone', a, 2 * epoch), true)
      const [promoted, unfenced] = await Promise.all([
        one.ask({ ask: 'claim', datastoreId: 'undone', epoch: 2 * epoch, nodeId: b }),
        another.ask({ ask: 'unfence', datastoreId: 'undone', epoch: 2 * epoch, nodeId: a }),
      ])
      const fenced = promoted === true ? { [a]: 2 * epoch } : {}
      const primaryId = promoted === true ? b : a
      assert.is(unfenced, promoted !== true)
      assert.equal(await store.standing('undone'), { epoch: 2 * epoch, primaryId, fenced })
    }
  })

  test('a process with an older epoch neither fences nor promotes beside one with a newer', async () => {
    const [a, b] = await registered('older')
    for (let epoch = 2; epoch <= 40; epoch += 2) {
      await rejoined('older', a)
      await Promise.all([
        one.ask({ ask: 'fence', datastoreId: 'older', epoch: epoch - 1, nodeId: b }),
        another.ask({ ask: 'claim', datastoreId: 'older', epoch, nodeId: a }),
      ])
      assert.equal(
        await Promise.all([
          one.ask({ ask: 'fence', datastoreId: 'older', epoch: epoch - 1, nodeId: a }),
          one.ask({ ask: 'claim', datastoreId: 'older', epoch: epoch - 1, nodeId: b }),
        ]),
        [false, false],
      )
      assert.is((await store.standing('older'))?.primaryId, a)
      await rejoined('older', b)
    }
  })

  test('who the primary is can be told where nobody has, and once', async () => {
    const [a, b] = await registered('adopted')
    assert.equal([await store.adoptPrimary('adopted', a), await store.adoptPrimary('adopted', a)], [true, true])
    assert.is(await store.adoptPrimary('adopted', b), false)
    assert.equal(await store.standing('adopted'), { epoch: 0, primaryId: a, fenced: {} })
  })

  test('a cluster that is registered anew keeps who may take writes, of the hosts that stay', async () => {
    const [a, b] = await registered('kept')
    await store.fence('kept', a, 4)
    await store.claimPromotion('kept', 4, b)
    await store.leased(b, 6_000)
    await store.joins(b)
    const choice = { synchronous: true, repairAfterSeconds: 60 }
    await store.registerCluster({ ...clusterOf('kept'), ...choice, epoch: 9 }, noon)
    assert.equal(await store.standing('kept'), { epoch: 4, primaryId: b, fenced: { [a]: 4 } })
    const [, host] = await store.hosts('kept')
    assert.equal([host?.leaseTtlMs, host?.joined, host?.fencedEpoch], [6_000, true, null])
    const listed = (await store.clusters()).find(({ datastoreId }) => datastoreId === 'kept')
    assert.equal(listed, { ...clusterOf('kept'), ...choice })
    const without = { ...clusterOf('kept'), nodes: clusterOf('kept').nodes.slice(1) }
    await store.registerCluster(without, noon)
    assert.equal(await store.standing('kept'), { epoch: 4, primaryId: b, fenced: {} })
    await store.forgetCluster('kept')
    assert.is(await store.standing('kept'), undefined)
  })

  test('a lease is kept with the names of those who are heard, until there is none', async () => {
    const [a, b] = await registered('heard')
    const kept = async () => (await store.hosts('heard')).map(({ leaseTtlMs, leaseReplicas }) => [leaseTtlMs, leaseReplicas])
    await store.leased(a, 6_000, ['db-b'])
    assert.equal(await kept(), [[6_000, ['db-b']], [null, undefined]])
    await store.leased(a, null)
    assert.equal(await kept(), [[null, undefined], [null, undefined]])
    await store.joins(b)
    await store.leaves(b)
    assert.equal((await store.hosts('heard')).map(({ joined }) => joined), [false, false])
  })

  test('a node that has rejoined is a member without a lease', async () => {
    const [a] = await registered('again')
    await store.leased(a, 6_000, ['db-b'])
    await store.fence('again', a, 1)
    await rejoined('again', a)
    const [host] = await store.hosts('again')
    assert.equal([host?.leaseTtlMs, host?.leaseReplicas, host?.joined, host?.fencedEpoch], [null, undefined, true, null])
  })

  test('whoever says late that a node has rejoined lifts no newer fence, and takes no lease from a primary', async () => {
    const [a, b] = await registered('tardy')
    await store.claimPromotion('tardy', 1, a)
    await store.fence('tardy', a, 2)
    await store.claimPromotion('tardy', 2, b)
    assert.equal([await store.rejoined('tardy', a, 2), await store.rejoined('tardy', a, 2)], [true, true])
    await store.fence('tardy', b, 3)
    await store.claimPromotion('tardy', 3, a)
    await store.leased(a, 6_000, ['db-b'])
    assert.is(await store.rejoined('tardy', a, 2), false)
    assert.is((await store.hosts('tardy'))[0]?.leaseTtlMs, 6_000)
    await rejoined('tardy', b)
    await store.fence('tardy', a, 4)
    await store.claimPromotion('tardy', 4, b)
    assert.equal([await store.rejoined('tardy', a, 2), await store.rejoined('tardy', a, null)], [false, false])
    assert.equal((await store.standing('tardy'))?.fenced, { [a]: 4 })
    assert.is(await store.rejoined('tardy', a, 4), true)
  })

  test('the clusters of some slots are listed with what they stand at, and no others', async () => {
    const [a, b] = await registered('seen')
    await store.fence('seen', a, 2)
    const all = await store.watched(Array.from({ length: SLOTS }, (_, slot) => slot))
    assert.equal(all.map(({ cluster }) => cluster.datastoreId), (await store.clusters()).map((it) => it.datastoreId).toSorted())
    const listed = (await store.watched([slotOf('seen')])).find(({ cluster }) => cluster.datastoreId === 'seen')
    assert.equal(listed?.cluster, clusterOf('seen'))
    assert.equal(listed?.standing, { epoch: 2, primaryId: null, fenced: { [a]: 2 } })
    assert.equal(listed?.hosts.map(({ nodeId }) => nodeId), [a, b])
    const others = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => slot !== slotOf('seen'))
    assert.not((await store.watched(others)).some(({ cluster }) => cluster.datastoreId === 'seen'))
    assert.equal(await store.watched([]), [])
  })

  test('the fleet is shared out, never a slot to two at once, and a dead controller’s part is taken over', async () => {
    type Held = { readonly owned: readonly number[]; readonly validUntilMs: number }
    const mine: { us: Held; other: Held } = { us: await store.renewSlots('us'), other: { owned: [], validUntilMs: 0 } }
    assert.is(mine.us.owned.length, SLOTS)
    const renewed = async (who: 'us' | 'other'): Promise<void> => {
      const before = mine
      mine[who] = await store.renewSlots(who)
      const { us, other } = before
      if (performance.now() >= Math.min(us.validUntilMs, other.validUntilMs)) return
      assert.equal(us.owned.filter((slot) => other.owned.includes(slot)), [])
    }
    await until(
      async () => {
        await renewed('us')
        await renewed('other')
        return mine.us.owned.length === SLOTS / 2 && mine.other.owned.length === SLOTS / 2
      },
      { withinMs: 20_000 },
    )
    await store.giveUpSlots('other')
    assert.is((await store.renewSlots('us')).owned.length, SLOTS)
    await store.giveUpSlots('us')
    await store.renewSlots('us', 'a process')
    await store.renewSlots('other')
    const live = (await store.controllers()).toSorted((a, b) => (a.controllerId < b.controllerId ? -1 : 1))
    assert.equal(live, [{ controllerId: 'other', process: null }, { controllerId: 'us', process: 'a process' }])
    // One that is killed gives nothing up.
    for (const who of ['us', 'other']) await store.giveUpSlots(who)
    assert.equal(await store.controllers(), [])
    assert.equal(await one.ask({ ask: 'renew', controllerId: 'killed' }), Array.from({ length: SLOTS }, (_, slot) => slot))
    await one.kill()
    assert.is((await store.renewSlots('us')).owned.length, 0)
    await until(async () => (await store.renewSlots('us')).owned.length === SLOTS, { withinMs: 20_000 })
  })

  test('a node is worked on by one at a time, and whoever waits too long is told so', async () => {
    assert.is(await another.ask({ ask: 'hold', nodeId: 'busy' }), true)
    const occupied = await store.exclusively('busy', async () => 'done', { waitMs: 50 }).catch((it: unknown) => it)
    assert.instance(occupied, Occupied)
    assert.is(await store.exclusively('free', async () => 'done', { waitMs: 50 }), 'done')
    const stop = new AbortController()
    const waiting = store.exclusively('busy', async () => 'done', { waitMs: 60_000, signal: stop.signal })
    stop.abort()
    assert.instance(await waiting.catch((it: unknown) => it), Error)
  })

  test('a process that dies leaves no node locked, and work within one process takes turns as well', async () => {
    const next = store.exclusively('busy', async () => 'done', { waitMs: 60_000 })
    await another.kill()
    assert.is(await next, 'done')
    const order: string[] = []
    const turn = (word: string) => async (): Promise<void> => {
      order.push(word)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(word)
    }
    await Promise.all(['a', 'b'].map((word) => store.exclusively('busy', turn(word), { waitMs: 60_000 })))
    assert.equal([order[0] === order[1], order[2] === order[3]], [true, true])
  })

  test.run()
}
