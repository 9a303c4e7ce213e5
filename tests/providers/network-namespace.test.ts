import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Unit } from '../../infra/host.ts'
import { namespaceOf as namespaceNamed } from '../../infra/providers/network-namespace/machine.ts'
import { bridgeOf as bridgeNamed, placed } from '../../infra/providers/network-namespace/network.ts'
import { bench } from '../support/local-providers.ts'
import { until } from '../support/until.ts'

const instance = { code: 'tiny', cpu: 1, ramGb: 1 }
const sleeper: Unit = {
  name: 'sleeper',
  argv: ['sh', '-c', 'echo $$ > pid; exec sleep 1000'],
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 5_000,
  reloadSignal: 'SIGHUP',
}

const { providers, folder, clear } = await bench()
const namespaceOf = (nodeId: string) => namespaceNamed(placed(join(folder, 'netns'), nodeId))
const bridgeOf = (networkId: string) => bridgeNamed(placed(join(folder, 'netns'), networkId))
const provider = providers.find(({ name }) => name === 'network-namespace')
if (provider === undefined) throw new Error('BUG: the provider is not registered')
const reason = await provider.unavailable()

const test = suite('network-namespace')

const ip = (...args: readonly string[]): void => void execFileSync('ip', args)
const up = async (networkId: string) => {
  const [datastoreId, nodeId] = [randomUUID(), randomUUID()]
  await provider.createNetwork({ networkId, datastoreId, region: 'here' })
  await provider.createMachine({ nodeId, datastoreId, networkId, name: 'db-1', region: 'here', zone: 'a', instance })
  await provider.createVolume({ nodeId, datastoreId, type: 'local', sizeGib: 1 })
  await provider.boot(nodeId)
  return { nodeId, host: await provider.host(nodeId) }
}

if (reason === undefined) {
  test('a reboot takes bridges, namespaces and mounts away, and a boot of the machine brings them back', async () => {
    const networkId = randomUUID()
    const { nodeId, host } = await up(networkId)
    await host.start(sleeper)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    // The file is there a moment before the pid is in it, and a kill of 0 would be one of this very process.
    const pidOf = async () => Number(await host.read(join(host.dataDir, 'pid'))) || undefined
    const pid = await until(pidOf, { withinMs: 10_000 })
    process.kill(pid, 'SIGKILL')
    await until(async () => !(await host.running(sleeper)), { withinMs: 10_000 })
    ip('netns', 'delete', namespaceOf(nodeId))
    ip('link', 'delete', 'dev', bridgeOf(networkId))
    if (provider.capabilities.has('volume-size-limit')) execFileSync('umount', [host.dataDir])
    await provider.boot(nodeId)
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
    assert.ok(await host.running(sleeper))
    assert.match(await host.run(['ip', '-4', '-o', 'address', 'show', 'dev', 'eth0']), host.address)
  })

  test('machines of one network reach each other, and no other network, even on a machine that forwards', async () => {
    const networkId = randomUUID()
    const [one, two, far] = [await up(networkId), await up(networkId), await up(randomUUID())]
    const refused = async (from: typeof one, to: typeof one): Promise<boolean> => {
      const script = `exec 2>&1; (echo > /dev/tcp/${to.host.address}/9) || true`
      const said = await from.host.run(['timeout', '1', 'bash', '-c', script]).catch(() => 'no answer')
      return said.includes('refused')
    }
    assert.ok(await refused(one, two))
    assert.not(await refused(one, far))
    const forwarding = `/proc/sys/net/ipv4/conf/${bridgeOf(networkId)}/forwarding`
    assert.is(readFileSync(forwarding, 'utf8').trim(), '0')
  })

  test('a namespace that was cut off in its making is made anew', async () => {
    const networkId = randomUUID()
    const { nodeId, host } = await up(networkId)
    ip('netns', 'delete', namespaceOf(nodeId))
    writeFileSync(`/run/netns/${namespaceOf(nodeId)}`, '')
    await provider.boot(nodeId)
    assert.match(await host.run(['ip', '-4', '-o', 'address', 'show', 'dev', 'eth0']), host.address)
  })

  test('programs of a machine have no privilege', async () => {
    const { host } = await up(randomUUID())
    const status = await host.run(['cat', '/proc/self/status'])
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.match(status, new RegExp(`${set}:\\s+0000000000000000`))
    }
    assert.match(status, /NoNewPrivs:\s+1/)
  })

  test('two installations keep machines and networks of the same ids apart', async () => {
    const [networkId, nodeId, datastoreId] = [randomUUID(), randomUUID(), randomUUID()]
    const two = await bench()
    try {
      const beside = two.providers.find(({ name }) => name === provider.name) ?? provider
      for (const one of [provider, beside]) {
        await one.createNetwork({ networkId, datastoreId, region: 'here' })
        await one.createMachine({ nodeId, datastoreId, networkId, name: 'db-1', region: 'here', zone: 'a', instance })
        await one.createVolume({ nodeId, datastoreId, type: 'local', sizeGib: 1 })
        await one.boot(nodeId)
      }
      await beside.deleteMachine(nodeId)
      await beside.deleteNetwork(networkId)
      assert.is((await (await provider.host(nodeId)).run(['echo', 'here'])).trim(), 'here')
    } finally {
      await two.clear()
    }
  })
} else {
  process.stdout.write(`SKIPPED provider ${provider.name}: ${reason}\n`)
}

test.after(clear)
test.run()
