import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'
import { testPrograms } from './programs.ts'
import { until } from './until.ts'

const run = promisify(execFile)

type User = { readonly uid: number; readonly gid: number }

/** PostgreSQL refuses to run as root. */
const unprivileged = async (): Promise<User | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
    } catch {
      continue
    }
  }
  throw new Error('neither the user postgres nor nobody exists')
}

const answers = async (url: string): Promise<true> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } finally {
    await client.end()
  }
}

const stopServer = async (server: ChildProcess): Promise<void> => {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  // SIGINT is Postgres' fast shutdown: it ends sessions instead of waiting for them.
  server.kill('SIGINT')
  await exited
}

/**
 * A throw-away PostgreSQL on a free port of 127.0.0.1, in a temporary directory of its own.
 *
 * @param settings more `name=value` settings for the server
 * @returns the URL of its database `postgres`, and how to stop it and remove everything
 */
export const startPostgres = async (
  settings: readonly string[] = [],
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  const bin = dirname((await testPrograms('postgres')).bin('postgres'))
  const user = await unprivileged()
  const dir = await mkdtemp(join(tmpdir(), 'ccx-postgres-'))
  await chmod(dir, 0o700)
  if (user !== undefined) await chown(dir, user.uid, user.gid)
  const data = join(dir, 'data')
  const initial = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await run(join(bin, 'initdb'), initial, { ...user, cwd: dir })
  const port = await freePort()
  const options = ['listen_addresses=127.0.0.1', `unix_socket_directories=${dir}`, 'log_min_messages=fatal']
  const argv = ['-D', data, '-p', `${port}`, ...[...options, ...settings].flatMap((it) => ['-c', it])]
  const server = spawn(join(bin, 'postgres'), argv, { ...user, cwd: dir, stdio: 'ignore' })
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const stop = async (): Promise<void> => {
    await stopServer(server)
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await until(() => answers(url), { withinMs: 30_000, what: 'PostgreSQL answering' })
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}
