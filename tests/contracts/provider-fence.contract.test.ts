import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bootEveryMachine } from '../../infra/deployer/boot-all.ts'
import { HostUnreachable, type Host, type Unit } from '../../infra/host.ts'
import type { Provider } from '../../infra/providers/provider.ts'
import { bench, localProviders, type Bench } from '../support/local-providers.ts'
import { keptLog } from '../support/log.ts'
import { testPrograms } from '../support/programs.ts'
import { until } from '../support/until.ts'

type Ids = { readonly datastoreId: string; readonly networkId: string; readonly nodeId: string; readonly otherId: string }

const withinMs = 10_000
const sleeper: Unit = {
  name: 'sleeper', argv: ['sleep', '1000'], stopSignal: 'SIGTERM', stopTimeoutMs: 5_000, reloadSignal: 'SIGHUP',
}

/**
 * A server or a client of one connection: keeps what it gets in `got`, and sends what is put into `say`, which it removes.
 * At once (TCP_NODELAY): with a direction cut, nothing tells it that the last was received.
 */
const TALK = `use IO::Socket::INET; use IO::Select; my ($role, $address) = @ARGV; my $it;
if ($role eq 'listen') {
  $it = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 7777, Listen => 1, ReuseAddr => 1)->accept;
} else { until ($it) { $it = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 7777, Timeout => 1) } }
setsockopt($it, 6, 1, 1); $it->blocking(0); open(my $got, '>>', 'got');
while (1) {
  if (IO::Select->new($it)->can_read(0.02)) { sysread($it, my $words, 65536) or exit; syswrite($got, $words) }
  if (open(my $say, '<', 'say')) { unlink 'say'; syswrite($it, join('', <$say>)) }
}`
const talker = (role: 'listen' | 'connect', address: string): Unit =>
  ({ ...sleeper, name: 'talker', argv: ['perl', '-e', TALK, role, address] })

/** As their operator sees them, not as they are reached. */
const programsOf = (nodeId: string): readonly number[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${nodeId}\0`)
    } catch {
      return false
    }
  })

const sleepersOf = (nodeId: string): readonly number[] =>
  programsOf(nodeId).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep')
    } catch {
      return false
    }
  })

const lost = async (promise: Promise<unknown>): Promise<void> =>
  assert.instance(await promise.then(() => 'it does not fail', (error: unknown) => error), HostUnreachable)

const everyCall = (host: Host): readonly (() => Promise<unknown>)[] => [
  () => host.run(['true']),
  () => host.write(join(host.dataDir, 'file'), 'text', 0o600),
  () => host.read(join(host.dataDir, 'file')),
  () => host.diskUsage(),
  () => host.start({ ...sleeper, name: 'another' }),
  () => host.stop(sleeper),
  () => host.reload(sleeper),
  () => host.running(sleeper),
  () => host.log(sleeper, 1),
]

const contract = (provider: Provider, { folder }: Bench, binDirs: readonly string[]): void => {
  const test = suite<Ids>(`a lost machine of ${provider.name}`)
  const make = async ({ datastoreId, networkId }: Ids, nodeId: string): Promise<void> => {
    const place = { region: 'here', zone: 'a' }
    await provider.createNetwork({ networkId, datastoreId, ...place })
    const instance = { code: 'tiny', cpu: 1, ramGb: 1 }
    await provider.createMachine({ nodeId, datastoreId, networkId, name: nodeId, ...place, instance })
    await provider.createVolume({ nodeId, datastoreId, type: 'local', sizeGib: 1 })
  }
  const up = async (ids: Ids, nodeId = ids.nodeId): Promise<Host> => {
    await make(ids, nodeId)
    await provider.boot(nodeId)
    return provider.host(nodeId)
  }
  const power = async (nodeId: string) => (await provider.find(nodeId))?.power
  const { linkFaults } = provider

  test.before.each((ids) => {
    Object.assign(ids, {
      datastoreId: randomUUID(), networkId: randomUUID(), nodeId: randomUUID(), otherId: randomUUID(),
    })
  })
  test.after.each(async ({ nodeId, otherId, networkId }) => {
    for (const id of [nodeId, otherId]) await provider.deleteMachine(id)
    await provider.deleteNetwork(networkId)
  })

  test('its provider tells whether a machine is on, and nobody reaches one that is off or gone', async (ids) => {
    const { nodeId } = ids
    await make(ids, nodeId)
    const host = await provider.host(nodeId)
    assert.is(await power(nodeId), 'off')
    await lost(host.run(['true']))
    await provider.boot(nodeId)
    assert.is(await power(nodeId), 'on')
    await host.run(['true'])
    await provider.halt(nodeId)
    assert.is(await power(nodeId), 'off')
    for (const call of everyCall(host)) await lost(call())
    await provider.boot(nodeId)
    await provider.deleteMachine(nodeId)
    for (const call of everyCall(host)) await lost(call())
  })

  test('a fenced machine is off at once with all it runs, what is frozen too, and a fence may be repeated', async (ids) => {
    const { nodeId } = ids
    const host = await up(ids)
    await host.start(sleeper)
    const session = host.run(['sh', '-c', 'sleep 2000; :'], { timeoutMs: 60_000 })
    const ended = lost(session)
    await until(() => programsOf(nodeId).length > 2, { withinMs })
    for (const pid of programsOf(nodeId)) process.kill(pid, 'SIGSTOP')
    await Promise.all([provider.fence(nodeId), provider.fence(nodeId)])
    assert.equal(programsOf(nodeId), [])
    await ended
    await provider.fence(nodeId)
    const { power: state, staysOff } = (await provider.find(nodeId)) ?? {}
    assert.equal([state, staysOff], ['off', true])
    for (const call of everyCall(host)) await lost(call())
    const kinds = (await provider.list(ids.datastoreId)).map(({ kind }) => kind).toSorted()
    assert.equal(kinds, ['machine', 'network', 'volume'])
  })

  test('the boot after a fence starts nothing that was enabled, and takes commands; the next is like any other', async (ids) => {
    const { nodeId } = ids
    const host = await up(ids)
    await host.start(sleeper)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    await provider.fence(nodeId)
    // Through whatever else is done to it before.
    await provider.halt(nodeId)
    await provider.boot(nodeId)
    assert.is(await power(nodeId), 'on')
    assert.is((await provider.find(nodeId))?.staysOff, undefined)
    assert.not(await host.running(sleeper))
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
    await provider.boot(nodeId)
    assert.equal(programsOf(nodeId), [])
    await host.start(sleeper)
    await provider.halt(nodeId)
    await provider.boot(nodeId)
    assert.ok(await host.running(sleeper))
  })

  test('a machine that was off when it was fenced starts nothing either', async (ids) => {
    const { nodeId } = ids
    const host = await up(ids)
    await host.start(sleeper)
    await provider.halt(nodeId)
    await provider.fence(nodeId)
    await provider.resize(nodeId, { code: 'small', cpu: 2, ramGb: 2 })
    assert.not(await host.running(sleeper))
    assert.equal(programsOf(nodeId), [])
  })

  test('a control plane that starts leaves a fenced machine off', async (ids) => {
    const { nodeId } = ids
    const host = await up(ids)
    await host.start(sleeper)
    await provider.fence(nodeId)
    const again = localProviders(folder, binDirs).filter(({ name }) => name === provider.name)
    await bootEveryMachine({ providers: again, log: keptLog().log })
    assert.is(await power(nodeId), 'off')
    assert.equal(programsOf(nodeId), [])
  })

  test('to fence what is not there does nothing', async ({ nodeId }) => {
    await provider.fence(nodeId)
    assert.is(await provider.find(nodeId), undefined)
  })

  test('nothing that was enabled lives through a fence, whoever starts and boots at that moment', async (ids) => {
    const { nodeId } = ids
    const host = await up(ids)
    for (let turn = 0; turn < 8; turn++) {
      await host.start(sleeper)
      const others = [provider.boot(nodeId), host.start(sleeper), provider.boot(nodeId)]
      const settled = Promise.allSettled(others)
      for (let ticks = 0; ticks < turn * 6; ticks++) await new Promise((resolve) => setImmediate(resolve))
      await provider.fence(nodeId)
      const runs = sleepersOf(nodeId)
      if ((await power(nodeId)) === 'off') assert.equal(runs, [], `turn ${turn}`)
      const [, started] = await settled
      // One that began when a boot had brought the machine back is of after the fence; no other ends well.
      if (started?.status !== 'fulfilled') assert.equal(sleepersOf(nodeId), [], `turn ${turn}, afterwards`)
      await provider.boot(nodeId)
      await host.stop(sleeper)
    }
  })

  if (linkFaults !== undefined) {
    test('nobody reaches a machine whose link is cut, sessions break off, and it runs on until it is fenced', async (ids) => {
      const { nodeId } = ids
      const host = await up(ids)
      await host.start(sleeper)
      const directions = provider.capabilities.has('one-way-faults') ? (['both', 'in', 'out'] as const) : (['both'] as const)
      for (const direction of directions) {
        const ended = lost(host.run(['sleep', '2000'], { timeoutMs: 60_000 }))
        await linkFaults.cut(nodeId, direction)
        await linkFaults.cut(nodeId, direction)
        for (const call of everyCall(host)) await lost(call())
        await ended
        assert.is(await power(nodeId), 'on')
        await linkFaults.heal(nodeId)
        await linkFaults.heal(nodeId)
        await host.run(['true'])
        assert.ok(await host.running(sleeper))
      }
      await linkFaults.cut(nodeId, 'both')
      await provider.fence(nodeId)
      assert.equal(programsOf(nodeId), [])
      await provider.boot(nodeId)
      await lost(host.run(['true']))
      await linkFaults.heal(nodeId)
      assert.not(await host.running(sleeper))
    })
  }

  if (linkFaults !== undefined && provider.capabilities.has('one-way-faults')) {
    test('a link that is cut one way carries the packets that go the other way, beside a packet filter', async (ids) => {
      const [one, other] = [await up(ids), await up(ids, ids.otherId)]
      await provider.setFirewall?.(ids.nodeId, { ports: [7777], sources: [] })
      const got = ({ dataDir }: Host): string => readFileSync(join(dataDir, 'got'), 'utf8')
      const say = async ({ dataDir }: Host, words: string): Promise<void> => {
        writeFileSync(join(dataDir, 'saying'), words)
        renameSync(join(dataDir, 'saying'), join(dataDir, 'say'))
        await until(() => !existsSync(join(dataDir, 'say')), { withinMs, what: 'the talker' })
      }
      const hears = (host: Host, words: string) => until(() => got(host).includes(words), { withinMs, what: words })
      const pairs = [['in', other, one], ['out', one, other]] as const
      for (const [direction, deaf, heard] of pairs) {
        // A connection of its own: one that has lost packets sends few at a time, and none before those are acknowledged.
        const talkers = [[one, talker('listen', one.address)], [other, talker('connect', one.address)]] as const
        for (const [host, unit] of talkers) await host.start(unit)
        await say(one, `to other, before ${direction}`)
        await say(other, `to one, before ${direction}`)
        await hears(other, `to other, before ${direction}`)
        await hears(one, `to one, before ${direction}`)
        await linkFaults.cut(ids.nodeId, direction)
        // What repeats itself, and may set links up and filters anew, must not heal it.
        await make(ids, ids.nodeId)
        await provider.boot(ids.nodeId)
        await say(deaf, `lost until ${direction} is healed`)
        await say(heard, `heard though ${direction} is cut`)
        await hears(deaf, `heard though ${direction} is cut`)
        assert.not(got(heard).includes('lost until'), `${direction} is cut`)
        await linkFaults.heal(ids.nodeId)
        await hears(heard, `lost until ${direction} is healed`)
        for (const [host, unit] of talkers) await host.stop(unit)
      }
    })
  }

  test.run()
}

const { binDirs } = await testPrograms('network', 'packet-filter')
const shared = await bench(binDirs)
// Asked before any suite is queued: uvu begins at the first pause.
const reasons = await Promise.all(shared.providers.map((provider) => provider.unavailable()))
for (const [i, provider] of shared.providers.entries()) {
  const reason = reasons[i]
  if (reason === undefined) contract(provider, shared, binDirs)
  else process.stdout.write(`SKIPPED the lost machines of ${provider.name}: ${reason}\n`)
}

const last = suite('afterwards')
last('nothing is held', async () => {
  for (const [i, provider] of shared.providers.entries()) {
    if (reasons[i] === undefined) assert.equal(await provider.list(), [])
  }
})
last.after(() => shared.clear())
last.run()
