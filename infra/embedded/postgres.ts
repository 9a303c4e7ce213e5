import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Child, User } from './child.ts'
import { execute } from './execute.ts'

export type PostgresOptions = {
  /** Absolute paths of the programs, by name. */
  readonly bin: (name: string) => string
  /** Exists, and belongs to `user`. */
  readonly folder: string
  readonly user: User | undefined
  readonly port: number
  readonly superuserPassword: string
  /** Databases, each with a user of the same name and its password. Made when absent. */
  readonly databases: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
}

/** Where a database of the embedded server is. */
export const postgresUrl = (port: number, database: string, password: string): string =>
  `postgres://${database}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`

/** The embedded PostgreSQL server: on loopback only, with passwords (SCRAM), without a local socket. */
export const postgres = (options: PostgresOptions): Child => {
  const { bin, folder, user, port, superuserPassword, databases, env } = options
  const dataDir = join(folder, 'data')

  const asSuperuser = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({
      host: '127.0.0.1', port, user: 'postgres', password: superuserPassword, database: 'postgres',
      connectionTimeoutMillis: 5_000,
    })
    // The server may go away while we are connected; the query says so itself.
    client.on('error', () => undefined)
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }

  return {
    name: 'postgres',
    ports: [port],
    argv: [
      bin('postgres'), '-D', dataDir, '-p', String(port),
      '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=200',
    ],
    env,
    cwd: folder,
    ...(user === undefined ? {} : { user }),
    // "Fast": clients are disconnected, data is safe.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
    readyWithinMs: 120_000,
    prepare: () => initialise(options, dataDir),
    ready: () => asSuperuser(async (client) => (await client.query('select 1')).rowCount === 1),
    provision: () =>
      asSuperuser(async (client) => {
        for (const [name, password] of Object.entries(databases)) await provide(client, name, password)
      }),
  }
}

/** Made beside and renamed, so that a data folder that is there is whole. */
const initialise = async (options: PostgresOptions, dataDir: string): Promise<void> => {
  const { bin, folder, user, superuserPassword, env } = options
  if ((await readdir(dataDir).catch(() => [])).length > 0) return
  const beside = `${dataDir}.new`
  const passwordFile = join(folder, 'password')
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { mode: 0o700 })
  await writeFile(passwordFile, superuserPassword, { mode: 0o600 })
  if (user !== undefined) for (const path of [beside, passwordFile]) await chown(path, user.uid, user.gid)
  await execute(
    [
      bin('initdb'), '-D', beside, '-U', 'postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256',
      '--encoding=UTF8', '--locale=C.UTF-8', '--no-instructions',
    ],
    { env, cwd: folder, timeoutMs: 120_000, ...user },
  )
  await rm(passwordFile)
  await rename(beside, dataDir)
}

const provide = async (client: pg.Client, name: string, password: string): Promise<void> => {
  const [id, secret] = [client.escapeIdentifier(name), client.escapeLiteral(password)]
  const role = await client.query('select from pg_roles where rolname = $1', [name])
  await client.query(`${role.rowCount === 0 ? 'create' : 'alter'} role ${id} login password ${secret}`)
  const database = await client.query('select from pg_database where datname = $1', [name])
  if (database.rowCount === 0) await client.query(`create database ${id} owner ${id}`)
}
