import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { NeedName, Programs } from '../../infra/embedded/programs.ts'
import { providers } from '../../infra/providers/index.ts'
import type { Host } from '../../infra/host.ts'
import type { Provider } from '../../infra/providers/provider.ts'
import { testPrograms } from './programs.ts'

const NOBODY = { uid: 65_534, gid: 65_534 }

export type LocalMachines = {
  readonly provider: Provider
  readonly programs: Programs
  /** A booted machine with a volume. */
  readonly machine: (nodeId: string) => Promise<Host>
  /** Removes all machines and their folder. */
  readonly remove: () => Promise<void>
}

/** Whether machines share this one's network, or each have their own. */
export type Network = 'shared' | 'own'

/**
 * Machines on this one in a folder of their own, for one datastore.
 *
 * @param needs whose programs are on the machines
 * @throws when there can be none here
 */
export const localMachines = async (
  datastoreId: string,
  needs: readonly NeedName[],
  network: Network = 'shared',
): Promise<LocalMachines> => {
  const programs = await testPrograms(...needs)
  const folder = await mkdtemp(join(tmpdir(), 'ccx-machines-'))
  await chmod(folder, 0o755)
  const provider = providers({
    machinesDir: folder,
    binDirs: programs.binDirs,
    libraryPaths: programs.libraryDirs,
    ports: [5432],
    user: process.getuid?.() === 0 ? NOBODY : undefined,
  }).find(({ capabilities }) => capabilities.has('own-network') === (network === 'own'))
  if (provider === undefined) throw new Error(`BUG: no provider has machines with a network that is ${network}`)
  const because = await provider.unavailable()
  if (because !== undefined) throw new Error(`no local machines: ${because}`)
  const nodes = new Set<string>()
  const networkId = `net-${datastoreId}`
  await provider.createNetwork({ networkId, datastoreId, region: 'local' })
  return {
    provider,
    programs,
    async machine(nodeId) {
      nodes.add(nodeId)
      await provider.createMachine({
        nodeId,
        datastoreId,
        networkId,
        name: nodeId,
        region: 'local',
        zone: 'a',
        instance: { code: 'tiny', cpu: 1, ramGb: 1 },
      })
      await provider.createVolume({ nodeId, datastoreId, type: 'ssd', sizeGib: 1 })
      await provider.boot(nodeId)
      return provider.host(nodeId)
    },
    async remove() {
      for (const nodeId of nodes) await provider.deleteVolume(nodeId)
      for (const nodeId of nodes) await provider.deleteMachine(nodeId)
      await provider.deleteNetwork(networkId)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const run = promisify(execFile)

/** Where and as whom a tenant connects. */
export type Connection = {
  readonly hostname: string
  readonly address: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: string
  /** The file that holds the certificate of the authority to trust. */
  readonly authorityFile: string
}

/** A tenant's own client, over TLS with full verification. */
export type TenantClient = {
  readonly needs: readonly NeedName[]
  /** Keeps a value. */
  readonly write: (connection: Connection, value: number) => Promise<void>
  /** Runs one statement of the engine's language and gives what it answers. */
  readonly ask: (connection: Connection, statement: string) => Promise<string>
  /** All values kept, ascending. */
  readonly read: (connection: Connection) => Promise<readonly number[]>
  /** The members for whom the server keeps what they have not had yet, by name. */
  readonly keepsFor: (connection: Connection) => Promise<readonly string[]>
  /** A connection that stays; `serverSide` tells it from every other, and throws once it is cut. */
  readonly stay: (connection: Connection) => Promise<{
    readonly serverSide: () => Promise<string>
    readonly close: () => Promise<void>
  }>
}

const psql = async (programs: Programs, to: Connection, sql: string): Promise<string> => {
  const target = `host=${to.hostname} hostaddr=${to.address} port=${to.port} user=${to.username} dbname=${to.database}`
  const verified = `${target} sslmode=verify-full sslrootcert=${to.authorityFile}`
  const { stdout } = await run(programs.bin('psql'), ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', verified, '-c', sql], {
    env: { PGPASSWORD: to.password, LC_ALL: 'C.UTF-8', HOME: '/nonexistent' },
  })
  return stdout.trim()
}

const stay: TenantClient['stay'] = async (to) => {
  const { address: host, port, username: user, password, database } = to
  const ssl = { ca: await readFile(to.authorityFile, 'utf8'), servername: to.hostname }
  const client = new pg.Client({ host, port, user, password, database, ssl })
  // Heard by the question that meets it.
  client.on('error', () => undefined)
  await client.connect()
  return {
    serverSide: async () => String((await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid),
    close: () => client.end(),
  }
}

/** Names go by the environment, so they may be any. */
const ask: TenantClient['ask'] = async (to, statements) => {
  const programs = await testPrograms('postgres')
  const env = {
    PGHOST: to.hostname, PGHOSTADDR: to.address, PGPORT: String(to.port), PGUSER: to.username, PGDATABASE: to.database,
    PGPASSWORD: to.password, PGSSLMODE: 'verify-full', PGSSLROOTCERT: to.authorityFile, LC_ALL: 'C.UTF-8',
    HOME: '/nonexistent',
  }
  const { stdout } = await run(programs.bin('psql'), ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', statements], { env })
  return stdout.trim()
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const postgresql: TenantClient = {
  needs: ['postgres'],
  async write(to, value) {
    const programs = await testPrograms('postgres')
    await psql(programs, to, 'create table if not exists kept (value int primary key)')
    await psql(programs, to, `insert into kept values (${value})`)
  },
  read: async (to) =>
    lines(await psql(await testPrograms('postgres'), to, 'select value from kept order by value')).map(Number),
  async keepsFor(to) {
    const sql = `select replace(slot_name, '_', '-') from pg_replication_slots order by 1`
    return lines(await psql(await testPrograms('postgres'), to, sql))
  },
  ask,
  stay,
}

/** One client per engine, by the engine's name. */
export const tenantClients: Readonly<Record<string, TenantClient>> = { postgresql }
