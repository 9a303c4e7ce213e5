import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CommandFailed, type Unit } from '../../infra/host.ts'
import type { MachineSpec, Provider } from '../../infra/providers/provider.ts'
import { bench, type Bench } from '../support/local-providers.ts'
import { until } from '../support/until.ts'

type Ids = { readonly datastoreId: string; readonly networkId: string; readonly nodeId: string }

const idsOf = (): Ids => ({ datastoreId: randomUUID(), networkId: randomUUID(), nodeId: randomUUID() })
const instance = { code: 'tiny', cpu: 1, ramGb: 1 }

const machineSpec = ({ datastoreId, networkId, nodeId }: Ids): MachineSpec => ({
  datastoreId,
  networkId,
  nodeId,
  name: 'db-1',
  region: 'here',
  zone: 'a',
  instance,
})

const sleeper: Unit = {
  name: 'sleeper',
  argv: ['sleep', '1000'],
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 5_000,
  reloadSignal: 'SIGHUP',
}

const up = async (provider: Provider, ids: Ids): Promise<void> => {
  await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
  await provider.createMachine(machineSpec(ids))
  await provider.allocateAddress(ids.nodeId)
  await provider.createVolume({ nodeId: ids.nodeId, datastoreId: ids.datastoreId, type: 'local', sizeGib: 1 })
  await provider.boot(ids.nodeId)
}

const down = async (provider: Provider, { nodeId, networkId }: Ids): Promise<void> => {
  await provider.deleteVolume(nodeId)
  await provider.releaseAddress(nodeId)
  await provider.deleteMachine(nodeId)
  await provider.deleteNetwork(networkId)
}

/** The pid of the only process whose command line is this. */
const pidOf = (nodeId: string): number | undefined =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'utf8') === ['sleep', '1000', ''].join('\0') &&
          readFileSync(`/proc/${pid}/environ`, 'utf8').includes(nodeId)
        )
      } catch {
        return false
      }
    })

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.unreachable('it does not fail'),
    (error: unknown) => error,
  )

const asked = (...argv: readonly string[]): readonly string[] =>
  process.getuid?.() === 0 ? execFileSync('ip', argv, { encoding: 'utf8' }).split('\n') : []

/** The names of all links, namespaces and mounts of this machine, whosever they are. */
const traces = (): readonly string[] => [
  ...asked('-o', 'link', 'show').map((line) => line.replace(/^\d+: ([^:@]*).*$/, 'link $1')),
  ...asked('netns', 'list').map((line) => `namespace ${line.split(' ')[0]}`),
  ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => `mount ${line.split(' ')[4]}`),
]

const contract = (provider: Provider, { folder }: Bench): void => {
  const test = suite<Ids>(provider.name)
  test.before.each((ids) => {
    Object.assign(ids, idsOf())
  })
  test.after.each((ids) => down(provider, ids))

  test('every verb may be repeated and answers the same', async (ids) => {
    const network = { networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' }
    const volume = { nodeId: ids.nodeId, datastoreId: ids.datastoreId, type: 'local', sizeGib: 1 }
    assert.equal(await provider.createNetwork(network), await provider.createNetwork(network))
    const machine = await provider.createMachine(machineSpec(ids))
    assert.equal(await provider.createMachine(machineSpec(ids)), machine)
    assert.equal(await provider.find(ids.nodeId), machine)
    assert.equal(await provider.allocateAddress(ids.nodeId), await provider.allocateAddress(ids.nodeId))
    assert.equal(await provider.createVolume(volume), await provider.createVolume(volume))
    await provider.boot(ids.nodeId)
    await provider.boot(ids.nodeId)
    const kinds = (await provider.list(ids.datastoreId)).map(({ kind }) => kind).toSorted()
    assert.equal(kinds, ['address', 'machine', 'network', 'volume'])
    await down(provider, ids)
    await down(provider, ids)
    assert.equal(await provider.list(ids.datastoreId), [])
    assert.is(await provider.find(ids.nodeId), undefined)
  })

  test('two workers that do the same at the same time make one machine', async (ids) => {
    await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
    const made = await Promise.allSettled([1, 2, 3].map(() => provider.createMachine(machineSpec(ids))))
    assert.ok(made.some(({ status }) => status === 'fulfilled'))
    const machine = await provider.createMachine(machineSpec(ids))
    for (const one of made) if (one.status === 'fulfilled') assert.equal(one.value, machine)
    assert.is((await provider.list(ids.datastoreId)).filter(({ kind }) => kind === 'machine').length, 1)
  })

  test('two workers that make its volume and boot it at the same time lose nothing', async (ids) => {
    const { nodeId, datastoreId, networkId } = ids
    await provider.createNetwork({ networkId, datastoreId, region: 'here' })
    await provider.createMachine(machineSpec(ids))
    const make = async (): Promise<void> => {
      await provider.createVolume({ nodeId, datastoreId, type: 'local', sizeGib: 1 })
      await provider.boot(nodeId)
    }
    assert.ok((await Promise.allSettled([make(), make(), make()])).some(({ status }) => status === 'fulfilled'))
    await make()
    const host = await provider.host(nodeId)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    await make()
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
  })

  test('no two machines have the same address', async (ids) => {
    await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
    const nodeIds = Array.from({ length: 6 }, () => randomUUID())
    try {
      const specs = nodeIds.map((nodeId) => machineSpec({ ...ids, nodeId }))
      const machines = await Promise.all(specs.map((spec) => provider.createMachine(spec)))
      assert.is(new Set(machines.map(({ privateAddress }) => privateAddress)).size, nodeIds.length)
    } finally {
      for (const nodeId of nodeIds) await provider.deleteMachine(nodeId)
    }
  })

  test('delete leaves no process, folder, namespace, link or mount', async (ids) => {
    const before = new Set(traces())
    await up(provider, ids)
    const made = traces().filter((trace) => !before.has(trace))
    const host = await provider.host(ids.nodeId)
    await host.start(sleeper)
    await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    await provider.deleteMachine(ids.nodeId)
    await provider.deleteNetwork(ids.networkId)
    assert.is(pidOf(ids.nodeId), undefined)
    // Others make and remove theirs at the same time: what was made here must be gone, and theirs goes by itself.
    await until(() => traces().every((trace) => !made.includes(trace)), { withinMs: 60_000 })
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    assert.equal(left.filter((path) => path.includes(ids.nodeId) || path.includes(ids.networkId)), [])
  })

  test('a machine whose making was cut off is listed and can be deleted or finished', async (ids) => {
    await provider.createNetwork({ networkId: ids.networkId, datastoreId: ids.datastoreId, region: 'here' })
    await provider.createMachine(machineSpec(ids))
    await provider.createVolume({ nodeId: ids.nodeId, datastoreId: ids.datastoreId, type: 'local', sizeGib: 1 })
    assert.ok((await provider.list()).some(({ nodeId }) => nodeId === ids.nodeId))
    await provider.deleteMachine(ids.nodeId)
    assert.equal((await provider.list(ids.datastoreId)).map(({ kind }) => kind), ['network'])
    const another = { ...ids, nodeId: randomUUID() }
    await up(provider, another)
    assert.is((await provider.list(ids.datastoreId)).length, 4)
    await provider.deleteMachine(another.nodeId)
  })

  test('a boot brings back every enabled unit and no other', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const stopped: Unit = { ...sleeper, name: 'stopped', argv: ['sleep', '2000'] }
    await host.start(sleeper)
    await host.start(stopped)
    await host.stop(stopped)
    const pid = await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    process.kill(pid, 'SIGKILL')
    await until(async () => !(await host.running(sleeper)), { withinMs: 10_000 })
    await provider.boot(ids.nodeId)
    assert.ok(await host.running(sleeper))
    assert.not(await host.running(stopped))
    await provider.boot(ids.nodeId)
    assert.is.not(pidOf(ids.nodeId), pid)
  })

  test('starting a unit many times at once starts it once', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    await Promise.all(Array.from({ length: 5 }, () => host.start(sleeper)))
    const pid = await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    process.kill(pid, 'SIGKILL')
    await until(async () => !(await host.running(sleeper)), { withinMs: 10_000 })
    assert.is(pidOf(ids.nodeId), undefined)
  })

  test('a stopped unit is gone, with what it started, and a stop may be repeated', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const parent: Unit = { ...sleeper, name: 'parent', argv: ['sh', '-c', 'sleep 1000 & trap "" TERM; wait; wait'] }
    await host.start(parent)
    await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    await host.stop({ ...parent, stopTimeoutMs: 100 })
    await host.stop(parent)
    assert.not(await host.running(parent))
    assert.is(pidOf(ids.nodeId), undefined)
  })

  test('a unit writes its log, and is told to reload', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const talker: Unit = {
      ...sleeper,
      name: 'talker',
      argv: ['sh', '-c', 'trap "echo reloaded" HUP; echo "hello $WHO"; while :; do sleep 0.05; done'],
      env: { WHO: 'world' },
    }
    assert.is(await host.log(talker, 10), '')
    await host.start(talker)
    await until(async () => (await host.log(talker, 1)) === 'hello world', { withinMs: 10_000 })
    await host.reload(talker)
    await until(async () => (await host.log(talker, 1)) === 'reloaded', { withinMs: 10_000 })
    assert.is(await host.log(talker, 2), 'hello world\nreloaded')
  })

  test('a program that is not there cannot be started', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const error = await failure(host.start({ ...sleeper, name: 'absent', argv: ['no-such-program'] }))
    assert.instance(error, CommandFailed)
    assert.not(await host.running({ ...sleeper, name: 'absent' }))
  })

  test('programs run unprivileged, with a clean environment, and take their input', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    if (process.getuid?.() === 0) assert.is.not((await host.run(['id', '-u'])).trim(), '0')
    const names = (await host.run(['env'], { env: { EXTRA: '1' } })).split('\n').map((line) => line.split('=')[0] ?? '')
    assert.equal(names.filter((name) => name !== '').toSorted(), ['CCX_MACHINE', 'EXTRA', 'HOME', 'LC_ALL', 'PATH'])
    assert.is(await host.run(['cat'], { stdin: 'secret' }), 'secret')
    assert.is((await host.run(['pwd'])).trim(), host.dataDir)
    const chunks: Buffer[] = []
    const stdout = new Writable({
      write(chunk: Buffer, _, next) {
        chunks.push(chunk)
        next()
      },
    })
    assert.is(await host.run(['sh', '-c', 'echo streamed'], { stdout }), '')
    assert.is(Buffer.concat(chunks).toString(), 'streamed\n')
  })

  test('a program that fails tells its exit code and what it said', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const error = await failure(host.run(['sh', '-c', 'echo why >&2; exit 3']))
    assert.instance(error, CommandFailed)
    if (error instanceof CommandFailed) assert.equal([error.exitCode, error.stderr], [3, 'why\n'])
  })

  test('a program is killed with its children when its time is up or it is called off', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const late = await failure(host.run(['sh', '-c', 'sleep 1000 & wait'], { timeoutMs: 100 }))
    assert.instance(late, CommandFailed)
    const calledOff = new AbortController()
    const running = failure(host.run(['sh', '-c', 'sleep 1000 & wait'], { signal: calledOff.signal }))
    await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    calledOff.abort()
    assert.instance(await running, CommandFailed)
    await until(() => pidOf(ids.nodeId) === undefined, { withinMs: 10_000 })
  })

  test('a file is written whole, with its mode, and read back', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const path = join(host.dataDir, 'a', 'b', 'c.conf')
    assert.is(await host.read(path), undefined)
    await host.write(path, 'one', 0o640)
    await host.write(path, "two 'quoted' $HOME\n", 0o600)
    assert.is(await host.read(path), "two 'quoted' $HOME\n")
    assert.is((await stat(path)).mode & 0o777, 0o600)
    assert.is(await host.run(['ls', '-A', join(host.dataDir, 'a', 'b')]), 'c.conf\n')
    assert.instance(await failure(host.write(join(host.dataDir, '..', 'machine.json'), '{}', 0o600)), Error)
  })

  test('a link that the machine planted leads to nothing that its user may not read', async (ids) => {
    if (process.getuid?.() !== 0) return
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    const secret = join(folder, `secret-${ids.nodeId}`)
    await writeFile(secret, 'secret')
    await chmod(secret, 0o600)
    await symlink(secret, join(host.dataDir, 'link'))
    assert.instance(await failure(host.read(join(host.dataDir, 'link'))), CommandFailed)
    await host.write(join(host.dataDir, 'link'), 'overwritten', 0o600)
    assert.is(await readFile(secret, 'utf8'), 'secret')
  })

  test('a halted machine runs nothing and holds no mount; a boot brings it back with its data', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    await host.start(sleeper)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    await provider.halt(ids.nodeId)
    await provider.halt(ids.nodeId)
    assert.is(pidOf(ids.nodeId), undefined)
    assert.not(readFileSync('/proc/self/mountinfo', 'utf8').includes(ids.nodeId))
    await provider.boot(ids.nodeId)
    assert.ok(await host.running(sleeper))
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
  })

  test('a resized machine has its size, its address, its data and its enabled units', async (ids) => {
    await up(provider, ids)
    const [before, host] = await Promise.all([provider.find(ids.nodeId), provider.host(ids.nodeId)])
    await host.start(sleeper)
    const larger = { code: 'small', cpu: 2, ramGb: 2 }
    await provider.resize(ids.nodeId, larger)
    const after = await until(() => pidOf(ids.nodeId), { withinMs: 10_000 })
    await provider.resize(ids.nodeId, larger)
    assert.is(pidOf(ids.nodeId), after, 'a machine that has the size already is left alone')
    assert.equal(await provider.find(ids.nodeId), { ...before, instance: larger })
    await provider.halt(ids.nodeId)
    await provider.resize(ids.nodeId, larger)
    assert.ok(await host.running(sleeper), 'one that was cut off with the machine off is finished')
  })

  test('what is in the volume survives a boot', async (ids) => {
    await up(provider, ids)
    const host = await provider.host(ids.nodeId)
    await host.write(join(host.dataDir, 'kept'), 'kept', 0o600)
    await provider.boot(ids.nodeId)
    assert.is(await host.read(join(host.dataDir, 'kept')), 'kept')
  })

  if (provider.capabilities.has('volume-size-limit')) {
    test('a volume takes no more than its size', async (ids) => {
      await up(provider, ids)
      const host = await provider.host(ids.nodeId)
      const error = await failure(host.run(['fallocate', '-l', '2G', join(host.dataDir, 'big')]))
      assert.instance(error, CommandFailed)
      await host.run(['rm', '-f', join(host.dataDir, 'big')])
      await host.run(['fallocate', '-l', '100M', join(host.dataDir, 'small')])
    })
  }

  const { linkFaults } = provider
  assert.is(linkFaults !== undefined, provider.capabilities.has('link-faults'), 'the capability tells what is there')
  if (linkFaults !== undefined) {
    test('a machine whose link is cut is not reached, and is again when it is healed', async (ids) => {
      await up(provider, ids)
      const { address } = await provider.host(ids.nodeId)
      // Refused by the machine itself means reached: nothing listens there.
      const reached = async (): Promise<boolean> => {
        const socket = createConnection({ host: address, port: 9, timeout: 300 })
        socket.on('timeout', () => socket.destroy(new Error('unreachable')))
        const [error]: unknown[] = await once(socket, 'error')
          .catch((cause: unknown) => [cause])
        socket.destroy()
        return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
      }
      await until(reached, { withinMs: 10_000 })
      await linkFaults.cut(ids.nodeId, 'both')
      assert.not(await reached())
      await provider.createMachine(machineSpec(ids))
      assert.not(await reached(), 'a repeated verb heals no link that was cut')
      await linkFaults.heal(ids.nodeId)
      await until(reached, { withinMs: 10_000 })
    })
  }

  test.run()
}

const shared = await bench()
// Asked before any suite is queued: uvu begins at the first pause.
const reasons = await Promise.all(shared.providers.map((provider) => provider.unavailable()))
for (const [i, provider] of shared.providers.entries()) {
  const reason = reasons[i]
  if (reason === undefined) contract(provider, shared)
  else process.stdout.write(`SKIPPED provider ${provider.name}: ${reason}\n`)
}

const last = suite('afterwards')
last('nothing is held', async () => {
  for (const [i, provider] of shared.providers.entries()) {
    if (reasons[i] === undefined) assert.equal(await provider.list(), [])
  }
})
last.after(() => shared.clear())
last.run()
