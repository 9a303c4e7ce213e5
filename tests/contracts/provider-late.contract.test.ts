import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CannotProvide, type Provider } from '../../infra/providers/provider.ts'
import { bench } from '../support/local-providers.ts'
import { until } from '../support/until.ts'

const withinMs = 20_000
const { providers, clear } = await bench()
// Asked before any suite is queued: uvu begins at the first pause.
const reasons = await Promise.all(providers.map((provider) => provider.unavailable()))

const idsOf = () => ({ datastoreId: randomUUID(), networkId: randomUUID(), nodeId: randomUUID() })
type Ids = ReturnType<typeof idsOf>

const instance = { code: 'tiny', cpu: 1, ramGb: 1 }
const verbsOf = (provider: Provider, ids: Ids) => {
  const { nodeId, networkId, datastoreId } = ids
  const place = { region: 'here', zone: 'a' }
  return {
    network: () => provider.createNetwork({ networkId, datastoreId, region: place.region }),
    machine: () => provider.createMachine({ ...ids, ...place, name: 'db-1', instance }),
    volume: () => provider.createVolume({ nodeId, datastoreId, type: 'local', sizeGib: 1 }),
    address: () => provider.allocateAddress(nodeId),
    boot: () => provider.boot(nodeId),
    resize: () => provider.resize(nodeId, { code: 'small', cpu: 2, ramGb: 2 }),
    kinds: async () => (await provider.list(datastoreId)).map(({ kind }) => kind).toSorted(),
  }
}

const contract = (provider: Provider): void => {
  const test = suite(`a provider whose orders come late: ${provider.name}`)

  test('what was deleted is not made again', async () => {
    const ids = idsOf()
    const { network, machine, volume, address, boot, resize, kinds } = verbsOf(provider, ids)
    for (const make of [network, machine, volume, address, boot]) await make()
    assert.equal(await kinds(), ['address', 'machine', 'network', 'volume'])
    await provider.deleteMachine(ids.nodeId)
    for (const make of [machine, volume, address, boot, resize]) {
      assert.instance(await make().catch((error: unknown) => error), CannotProvide)
    }
    assert.equal(await kinds(), ['network'])
    await provider.deleteNetwork(ids.networkId)
    assert.instance(await network().catch((error: unknown) => error), CannotProvide)
    assert.equal(await kinds(), [])
  })

  test('of making and deleting at once, deleting wins', async () => {
    const ids = idsOf()
    await verbsOf(provider, ids).network()
    for (let turn = 0; turn < 10; turn++) {
      const node = { ...ids, nodeId: randomUUID() }
      const { machine, volume, kinds } = verbsOf(provider, node)
      const making = machine().then(volume).catch(() => undefined)
      // From an ever later moment of the making on.
      for (let ticks = 0; ticks < turn * 4; ticks++) await new Promise((resolve) => setImmediate(resolve))
      // A delete that met the making may fail; a worker repeats it. One that has succeeded is not repeated.
      await until(() => provider.deleteMachine(node.nodeId).then(() => true), { withinMs })
      await making
      assert.equal(await kinds(), ['network'], `turn ${turn}`)
    }
    await provider.deleteNetwork(ids.networkId)
  })

  test.run()
}

for (const [i, provider] of providers.entries()) {
  const reason = reasons[i]
  if (reason === undefined) contract(provider)
  else process.stdout.write(`SKIPPED provider ${provider.name}: ${reason}\n`)
}

const last = suite('afterwards')
last('nothing is held', async () => {
  for (const [i, provider] of providers.entries()) if (reasons[i] === undefined) assert.equal(await provider.list(), [])
})
last.after(clear)
last.run()
