import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'
import { killProcess, processesAt } from './processes.ts'
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

/** Every process of a server: its children work in its data folder, each in a session of its own. */
const killAll = async (data: string): Promise<void> => {
  const left = (): ReturnType<typeof processesAt> => processesAt(data)
  const none = (): boolean => {
    for (const it of left()) killProcess(it.process)
    return left().length === 0
  }
  await until(none, { withinMs: 30_000, what: 'the end of PostgreSQL' })
}

export type PostgresCluster = {
  /** Of its database `postgres`. */
  readonly url: string
  readonly data: string
  /** The folder of PostgreSQL's programs. */
  readonly bin: string
  readonly start: () => Promise<void>
  /** kill -9 of every process of it. */
  readonly kill: () => Promise<void>
  /** Stops it in order and removes everything. */
  readonly remove: () => Promise<void>
}

/**
 * Makes a PostgreSQL that can be started, killed and started again, for a free port of 127.0.0.1.
 *
 * @param options.settings more `name=value` settings for the server
 * @param options.initial more arguments for initdb
 * @param options.within the folder in which its own is made; default the system's for temporary files
 */
export const preparePostgres = async ({ settings = [], initial = [], within = tmpdir() }: {
  readonly settings?: readonly string[]
  readonly initial?: readonly string[]
  readonly within?: string
} = {}): Promise<PostgresCluster> => {
  const bin = dirname((await testPrograms('postgres')).bin('postgres'))
  const user = await unprivileged()
  const dir = await mkdtemp(join(within, 'ccx-postgres-'))
  await chmod(dir, 0o700)
  if (user !== undefined) await chown(dir, user.uid, user.gid)
  const data = join(dir, 'data')
  const making = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', ...initial]
  await run(join(bin, 'initdb'), making, { ...user, cwd: dir })
  const port = await freePort()
  const options = ['listen_addresses=127.0.0.1', `unix_socket_directories=${dir}`, 'log_min_messages=fatal']
  const argv = ['-D', data, '-p', `${port}`, ...[...options, ...settings].flatMap((it) => ['-c', it])]
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined
  const remove = async (): Promise<void> => {
    if (server !== undefined) await stopServer(server)
    await rm(dir, { recursive: true, force: true })
  }
  return {
    url,
    data,
    bin,
    remove,
    kill: () => killAll(data),
    start: async () => {
      server = spawn(join(bin, 'postgres'), argv, { ...user, cwd: dir, stdio: 'ignore' })
      try {
        await until(() => answers(url), { withinMs: 30_000, what: 'PostgreSQL answering' })
      } catch (error) {
        await remove()
        throw error
      }
    },
  }
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
  const { url, start, remove } = await preparePostgres({ settings })
  await start()
  return { url, stop: remove }
}
