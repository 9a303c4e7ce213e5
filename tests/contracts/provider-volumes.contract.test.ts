import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CommandFailed } from '../../infra/host.ts'
import type { MachineSpec, Provider } from '../../infra/providers/provider.ts'
import { bench } from '../support/local-providers.ts'

const GIB = 1024 ** 3

type Ids = { readonly datastoreId: string; readonly networkId: string; readonly nodeId: string }

const machineSpec = (ids: Ids): MachineSpec => ({
  ...ids, name: 'db-1', region: 'here', zone: 'a', instance: { code: 'tiny', cpu: 1, ramGb: 1 },
})

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.unreachable('it does not fail'),
    (error: unknown) => error,
  )

const contract = (provider: Provider): void => {
  const test = suite<Ids>(`the volumes of ${provider.name}`)
  const up = async (ids: Ids): Promise<void> => {
    await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
    await provider.createMachine(machineSpec(ids))
    await provider.createVolume({ nodeId: ids.nodeId, datastoreId: ids.datastoreId, type: 'local', sizeGib: 1 })
    await provider.boot(ids.nodeId)
  }
  test.before.each((ids) => {
    Object.assign(ids, { datastoreId: randomUUID(), networkId: randomUUID(), nodeId: randomUUID() })
  })
  test.after.each(async ({ nodeId, networkId }) => {
    await provider.deleteMachine(nodeId)
    await provider.deleteNetwork(networkId)
  })

  test('a volume is what it was made as, and grows and changes its kind where it is', async (ids) => {
    await up(ids)
    const { nodeId } = ids
    assert.equal(await provider.volume(nodeId), { type: 'local', sizeGib: 1 })
    const host = await provider.host(nodeId)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    for (const sizeGib of [3, 3, 2]) await provider.growVolume(nodeId, sizeGib)
    assert.equal(await provider.volume(nodeId), { type: 'local', sizeGib: 3 })
    for (const kind of [{ type: 'fast', iops: 3000 }, { type: 'fast', iops: 3000 }]) await provider.changeVolume(nodeId, kind)
    assert.equal(await provider.volume(nodeId), { type: 'fast', sizeGib: 3, iops: 3000 })
    await provider.changeVolume(nodeId, { type: 'slow' })
    assert.equal(await provider.volume(nodeId), { type: 'slow', sizeGib: 3 })
    await provider.createVolume({ nodeId, datastoreId: ids.datastoreId, type: 'local', sizeGib: 1 })
    assert.equal(await provider.volume(nodeId), { type: 'slow', sizeGib: 3 })
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
  })

  test('what has no volume has none to grow or to change', async (ids) => {
    await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
    await provider.createMachine(machineSpec(ids))
    assert.is(await provider.volume(ids.nodeId), undefined)
    assert.instance(await failure(provider.growVolume(ids.nodeId, 2)), Error)
    assert.instance(await failure(provider.changeVolume(ids.nodeId, { type: 'fast' })), Error)
  })

  test('a machine tells how full its volume is, where that is limited', async (ids) => {
    await up(ids)
    const host = await provider.host(ids.nodeId)
    const usage = await host.diskUsage()
    if (!provider.capabilities.has('volume-size-limit')) return assert.is(usage, undefined)
    assert.ok(usage !== undefined && usage.totalBytes > 0.9 * GIB && usage.totalBytes <= GIB)
    await host.run(['fallocate', '-l', '512M', join(host.dataDir, 'half')])
    const after = await host.diskUsage()
    assert.ok(after !== undefined && after.usedBytes >= usage.usedBytes + GIB / 2)
  })

  if (provider.capabilities.has('volume-size-limit')) {
    test('a full volume grows while it is written to, by two workers at once, and again after a boot', async (ids) => {
      await up(ids)
      const { nodeId } = ids
      const host = await provider.host(nodeId)
      const fill = (mib: number) =>
        host.run(['dd', 'if=/dev/zero', 'of=big', 'bs=1M', `count=${mib}`, 'oflag=append', 'conv=notrunc'])
      assert.instance(await failure(fill(1100)), CommandFailed)
      const full = await host.diskUsage()
      assert.ok(full !== undefined && full.usedBytes > 0.99 * full.totalBytes)
      const grown = await Promise.allSettled([provider.growVolume(nodeId, 2), provider.growVolume(nodeId, 2)])
      assert.ok(grown.some(({ status }) => status === 'fulfilled'))
      await provider.growVolume(nodeId, 2)
      await fill(100)
      const { totalBytes = 0 } = (await host.diskUsage()) ?? {}
      assert.ok(totalBytes > 1.9 * GIB && totalBytes <= 2 * GIB, `${totalBytes} bytes`)
      await provider.halt(nodeId)
      await provider.growVolume(nodeId, 3)
      await provider.boot(nodeId)
      await fill(100)
      assert.ok(((await host.diskUsage())?.totalBytes ?? 0) > 2.9 * GIB)
    })
  }

  test.run()
}

const { providers, clear } = await bench()
// Asked before any suite is queued: uvu begins at the first pause.
const reasons = await Promise.all(providers.map((provider) => provider.unavailable()))
for (const [i, provider] of providers.entries()) {
  const reason = reasons[i]
  if (reason === undefined) contract(provider)
  else process.stdout.write(`SKIPPED the volumes of ${provider.name}: ${reason}\n`)
}

const last = suite('afterwards')
last('nothing is held', async () => {
  for (const [i, provider] of providers.entries()) if (reasons[i] === undefined) assert.equal(await provider.list(), [])
})
last.after(clear)
last.run()
