import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mariadb, mariadbUrl } from '../../infra/embedded/mariadb.ts'
import { freePort } from './free-port.ts'
import { testPrograms } from './programs.ts'
import { until } from './until.ts'

const START_LIMIT_MS = 60_000
const NOBODY = { uid: 65_534, gid: 65_534 }

export type TestMariadb = {
  /** With the generated user and password, of an empty database. */
  readonly url: string
  /** Ends the server and removes its files. */
  readonly stop: () => Promise<void>
}

/** A real MariaDB on a free port of the loopback address, set up exactly as the embedded one is. */
export const startMariadb = async (): Promise<TestMariadb> => {
  const programs = await testPrograms('mariadb')
  const folder = await mkdtemp(join(tmpdir(), 'ccx-mariadb-'))
  const user = process.getuid?.() === 0 ? NOBODY : undefined
  await chmod(folder, 0o700)
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  const port = await freePort()
  const password = randomBytes(18).toString('hex')
  const child = mariadb({
    bin: programs.bin,
    root: programs.rootOf('mariadbd'),
    folder,
    user,
    port,
    rootPassword: randomBytes(18).toString('hex'),
    database: 'cmon',
    password,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
  })
  await child.prepare?.()
  const [program, ...args] = child.argv
  const server = spawn(program, args, { cwd: child.cwd, env: child.env, stdio: 'ignore', ...child.user })
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'exit')
      server.kill('SIGTERM')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await until(
      () => {
        if (server.exitCode !== null) throw new Error(`mariadbd ended with ${server.exitCode}`)
        return child.ready()
      },
      { withinMs: START_LIMIT_MS, what: 'MariaDB' },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { url: mariadbUrl(port, 'cmon', password), stop }
}
