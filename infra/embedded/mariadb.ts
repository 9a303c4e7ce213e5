import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import type { Child, User } from './child.ts'
import { execute } from './execute.ts'

export type MariadbOptions = {
  readonly bin: (name: string) => string
  /** What stands for `/` to a privately unpacked mariadbd; undefined for the system's own. */
  readonly root: string | undefined
  /** Exists, and belongs to `user`. */
  readonly folder: string
  readonly user: User | undefined
  readonly port: number
  readonly rootPassword: string
  /** A database with a user of the same name. Made when absent. */
  readonly database: string
  readonly password: string
  readonly env: Readonly<Record<string, string>>
}

/** Where the database of the embedded server is. */
export const mariadbUrl = (port: number, database: string, password: string): string =>
  `mysql://${database}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`

/** The embedded MariaDB server: on loopback only, every account with a password from the first connection on. */
export const mariadb = (options: MariadbOptions): Child => {
  const { bin, root, folder, user, port, database, password, env } = options
  const dataDir = join(folder, 'data')
  const initFile = join(folder, 'init.sql')
  const scratch = join(folder, 'tmp')
  return {
    name: 'mariadb',
    ports: [port],
    argv: [
      bin('mariadbd'), '--no-defaults', ...baseFolder(root), `--datadir=${dataDir}`, `--tmpdir=${scratch}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1', '--socket=', `--pid-file=${join(folder, 'mariadbd.pid')}`, `--init-file=${initFile}`,
      '--skip-log-bin', '--skip-name-resolve', '--character-set-server=utf8mb4', '--innodb-buffer-pool-size=64M',
    ],
    env,
    cwd: folder,
    ...(user === undefined ? {} : { user }),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 60_000,
    readyWithinMs: 180_000,
    prepare: async () => {
      // A server that begins deletes the temporary tables it finds, whosever they are.
      await mkdir(scratch, { recursive: true, mode: 0o700 })
      if (user !== undefined) await chown(scratch, user.uid, user.gid)
      await initialise(options, { dataDir, scratch })
      // The server runs it before it lets anyone in, so there is no moment without a password.
      await writeFile(initFile, accountStatements(options), { mode: 0o600 })
      if (user !== undefined) await chown(initFile, user.uid, user.gid)
    },
    ready: async () => {
      const connection = await createConnection({
        host: '127.0.0.1', port, user: database, password, database, connectTimeout: 5_000,
      })
      try {
        await connection.query('select 1')
        return true
      } finally {
        await connection.end()
      }
    },
  }
}

const baseFolder = (root: string | undefined): readonly string[] =>
  root === undefined ? [] : [`--basedir=${root}/usr`, `--lc-messages-dir=${root}/usr/share/mysql`]

/** One statement a line: that is how the server reads the file. */
const accountStatements = ({ rootPassword, database, password }: MariadbOptions): string =>
  [
    `ALTER USER root@localhost IDENTIFIED BY '${rootPassword}';`,
    `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4;`,
    `CREATE USER IF NOT EXISTS ${database}@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `ALTER USER ${database}@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON ${database}.* TO ${database}@'127.0.0.1';`,
    '',
  ].join('\n')

type Folders = { readonly dataDir: string; readonly scratch: string }

/** Made beside and renamed, so that a data folder that is there is whole. */
const initialise = async ({ bin, root, folder, user, env }: MariadbOptions, { dataDir, scratch }: Folders): Promise<void> => {
  if ((await readdir(dataDir).catch(() => [])).length > 0) return
  const beside = `${dataDir}.new`
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { mode: 0o700 })
  if (user !== undefined) await chown(beside, user.uid, user.gid)
  await execute(
    [
      bin('mariadb-install-db'), '--no-defaults', ...(root === undefined ? [] : [`--basedir=${root}/usr`]),
      `--datadir=${beside}`, `--tmpdir=${scratch}`, '--auth-root-authentication-method=normal', '--skip-test-db',
      '--skip-name-resolve',
    ],
    { env, cwd: folder, timeoutMs: 180_000, ...user },
  )
  await rename(beside, dataDir)
}
