import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { endStaleChildren } from '../../infra/embedded/child.ts'
import { identityOf, isAlive } from '../../infra/embedded/process-identity.ts'
import { supervisor, type ChildStatus } from '../../infra/embedded/supervisor.ts'
import { freePort } from '../support/free-port.ts'
import { ageMsOf } from '../support/processes.ts'
import { lightChild, pidAt } from '../support/light-children.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const supervision = suite('supervision')
const LIMIT = { withinMs: 30_000 }

const identity = async (port: number) => {
  const found = identityOf(await pidAt(port))
  if (found === undefined) throw new Error(`nobody answers on port ${port}`)
  return found
}

supervision('starts stage after stage, and stops in the reverse order', () =>
  inTemporaryFolder(async (folder) => {
    const ports = [await freePort(), await freePort()]
    const seen: string[] = []
    let last: readonly ChildStatus[] = []
    const { start, stop } = supervisor({
      stages: ports.map((port, i) => ({
        children: [lightChild(`child-${i}`, port, folder)],
        afterStop: async () => void seen.push(`stage ${i} has stopped`),
      })),
      runDir: folder,
      logsDir: folder,
      onChange: (children) => {
        const wasUp = new Set(last.filter((child) => child.state === 'up').map((child) => child.name))
        for (const { name, state } of children) if (state === 'up' && !wasUp.has(name)) seen.push(`${name} is up`)
        last = children
      },
    })
    await start()
    await stop()
    assert.equal(seen, ['child-0 is up', 'child-1 is up', 'stage 1 has stopped', 'stage 0 has stopped'])
    assert.equal(last.map(({ state }) => state), ['stopped', 'stopped'])
    assert.equal((await readdir(folder)).filter((name) => name.endsWith('.pid')), [])
  }))

supervision('starts a killed child again on the same port', () =>
  inTemporaryFolder(async (folder) => {
    const port = await freePort()
    const { start, stop } = supervisor({
      stages: [{ children: [lightChild('child', port, folder)] }], runDir: folder, logsDir: folder, backOffMs: 10,
    })
    await start()
    const before = await pidAt(port)
    process.kill(before, 'SIGKILL')
    await until(async () => (await pidAt(port)) !== before, LIMIT)
    await stop()
  }))

supervision('starts at once what had been up and well, however often it ended before', () =>
  inTemporaryFolder(async (folder) => {
    const port = await freePort()
    const pauses: string[] = []
    const { start, stop } = supervisor({
      stages: [{ children: [lightChild('child', port, folder)] }],
      runDir: folder,
      logsDir: folder,
      backOffMs: 10,
      log: (line) => pauses.push(/in (\d+) ms/.exec(line)?.[1] ?? line),
    })
    await start()
    for (const livesMs of [0, 0, 1_100]) {
      const running = await until(() => identity(port), LIMIT)
      await until(() => ageMsOf(running) >= livesMs, LIMIT)
      process.kill(running.pid, 'SIGKILL')
      await until(() => !isAlive(running), LIMIT)
    }
    await until(() => pauses.length === 3, LIMIT)
    await stop()
    assert.is(pauses[2], '10')
  }))

supervision('waits ever longer for a child that never gets up', () =>
  inTemporaryFolder(async (folder) => {
    const pauses: string[] = []
    const child = { ...lightChild('child', 1, folder), argv: ['/bin/false'] as const }
    const { start, stop } = supervisor({
      stages: [{ children: [child] }],
      runDir: folder,
      logsDir: folder,
      backOffMs: 10,
      attemptsMax: 4,
      log: (line) => pauses.push(/in (\d+) ms/.exec(line)?.[1] ?? line),
    })
    await start().catch(() => undefined)
    await stop()
    assert.equal(pauses, ['10', '20', '40'])
  }))

supervision('gives up on a child that never starts, and says where its log is', () =>
  inTemporaryFolder(async (folder) => {
    const argv = ['/bin/sh', '-c', 'echo no luck; exit 3'] as const
    const broken = { ...lightChild('broken', await freePort(), folder), argv }
    const lines: string[] = []
    const { start, stop } = supervisor({
      stages: [{ children: [broken] }],
      runDir: folder,
      logsDir: folder,
      backOffMs: 1,
      attemptsMax: 3,
      log: (line) => lines.push(line),
    })
    let message = ''
    await start().catch((error: unknown) => (message = error instanceof Error ? error.message : ''))
    await stop()
    assert.is(message, `broken does not start; see ${join(folder, 'broken.log')}`)
    assert.is(lines.length, 2)
    assert.is(await readFile(join(folder, 'broken.log'), 'utf8'), 'no luck\n'.repeat(3))
  }))

supervision('kills a child that does not end when it is asked to', () =>
  inTemporaryFolder(async (folder) => {
    const port = await freePort()
    const child = lightChild('stubborn', port, folder, { unstoppable: true })
    const { start, stop } = supervisor({ stages: [{ children: [child] }], runDir: folder, logsDir: folder })
    await start()
    const stubborn = await identity(port)
    await stop()
    assert.not(isAlive(stubborn))
  }))

supervision('stops while it is still starting', () =>
  inTemporaryFolder(async (folder) => {
    const slow = { ...lightChild('slow', await freePort(), folder), ready: async () => false }
    const { start, stop } = supervisor({ stages: [{ children: [slow] }], runDir: folder, logsDir: folder })
    const starting = start()
    await until(async () => (await readFile(join(folder, 'slow.pid'), 'utf8')) !== '', LIMIT)
    await stop()
    await starting
  }))

const startSupervisor = async (folder: string, ports: readonly number[]) => {
  const program = new URL('../support/light-supervisor.ts', import.meta.url).pathname
  const argv = [program, folder, ...ports.map(String)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output += text))
  await until(() => output.includes('all up'), LIMIT)
  const ended = once(child, 'exit')
  return {
    output: () => output,
    end: async (signal: 'SIGTERM' | 'SIGKILL') => {
      child.kill(signal)
      await ended
    },
  }
}

supervision('ends what a killed supervisor has left behind, and takes its place', () =>
  inTemporaryFolder(async (folder) => {
    const ports = [await freePort(), await freePort()]
    const first = await startSupervisor(folder, ports)
    const orphans = await Promise.all(ports.map(identity))
    await first.end('SIGKILL')
    assert.equal(orphans.map(isAlive), [true, true], 'children outlive their supervisor')

    const second = await startSupervisor(folder, ports)
    assert.match(second.output(), 'ended what an earlier run had left behind: child-0, child-1')
    assert.equal(orphans.map(isAlive), [false, false])
    const successors = await Promise.all(ports.map(identity))
    await second.end('SIGTERM')
    assert.equal(successors.map(isAlive), [false, false])
  }))

supervision('leaves a process alone that has only got the number of an earlier child', () =>
  inTemporaryFolder(async (folder) => {
    const bystander = spawn('sleep', ['1000'])
    const stat = await readFile(`/proc/${bystander.pid}/stat`, 'utf8')
    const fields = stat.trim().split(' ')
    fields[21] = '1'
    await writeFile(join(folder, 'child.pid'), `${fields.join(' ')}\nSIGTERM 1000 0\n`)
    assert.equal(await endStaleChildren(folder), [])
    assert.is(bystander.exitCode ?? bystander.signalCode, null)
    const ended = once(bystander, 'exit')
    bystander.kill('SIGKILL')
    await ended
  }))

supervision('keeps two instances apart', () =>
  inTemporaryFolder((one) =>
    inTemporaryFolder(async (other) => {
      const ports = [await freePort(), await freePort()]
      const [first, second] = await Promise.all([
        startSupervisor(one, ports.slice(0, 1)),
        startSupervisor(other, ports.slice(1)),
      ])
      const survivor = await identity(ports[1] ?? 0)
      await first.end('SIGTERM')
      assert.ok(isAlive(survivor))
      await second.end('SIGTERM')
      assert.not(isAlive(survivor))
    }),
  ))

supervision.run()
