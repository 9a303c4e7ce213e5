import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { testPrograms } from './programs.ts'
import { until } from './until.ts'

const START_LIMIT_MS = 20_000

export type TestNats = {
  /** With the generated user and password. */
  readonly url: string
  readonly dir: string
  /** Ends the server at once, as a power cut of the process would. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same port and store. */
  readonly restart: () => Promise<void>
  /** Ends it and removes its files. */
  readonly stop: () => Promise<void>
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('data', () => socket.destroy())
  })

/**
 * A real nats-server with JetStream, on a free port of the loopback address, with credentials of its own.
 *
 * @param options.dir where it keeps its store and configuration; default a new folder that `stop` removes
 */
export const startNats = async (options: { readonly dir?: string; readonly port?: number } = {}): Promise<TestNats> => {
  const binary = (await testPrograms('nats-server')).bin('nats-server')
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'ccx-nats-')))
  const port = options.port ?? (await freePort())
  const password = randomBytes(18).toString('base64url')
  const config = join(dir, 'nats.conf')
  await writeFile(
    config,
    `listen: 127.0.0.1:${port}\n` +
      `jetstream {\n  store_dir: ${JSON.stringify(join(dir, 'store'))}\n}\n` +
      `authorization {\n  users = [ { user: test, password: "${password}" } ]\n}\n`,
    { mode: 0o600 },
  )

  let server: ChildProcess | undefined
  const restart = async (): Promise<void> => {
    const child = spawn(binary, ['-c', config], { stdio: 'ignore' })
    server = child
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`)
        return accepts(port)
      },
      { withinMs: START_LIMIT_MS, what: 'nats-server' },
    )
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const child = server
    server = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  await restart()
  return {
    url: `nats://test:${password}@127.0.0.1:${port}`,
    dir,
    restart,
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM')
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    },
  }
}
