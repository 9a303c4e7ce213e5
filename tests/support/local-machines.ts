import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { NeedName, Programs } from '../../infra/embedded/programs.ts'
import { localProcess } from '../../infra/providers/local-process/index.ts'
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

/**
 * Machines of the provider `local-process` in a folder of their own, for one datastore.
 *
 * @param needs whose programs are on the machines
 */
export const localMachines = async (datastoreId: string, needs: readonly NeedName[]): Promise<LocalMachines> => {
  const programs = await testPrograms(...needs)
  const folder = await mkdtemp(join(tmpdir(), 'ccx-machines-'))
  await chmod(folder, 0o755)
  const provider = localProcess({
    machinesDir: folder,
    binDirs: programs.binDirs,
    libraryPaths: programs.libraryDirs,
    ports: [5432],
    ...(process.getuid?.() === 0 ? { user: NOBODY } : {}),
  })
  const because = await provider.unavailable()
  if (because !== undefined) throw new Error(`no local machines: ${because}`)
  const nodes = new Set<string>()
  await provider.createNetwork({ networkId: `net-${datastoreId}`, datastoreId, region: 'local' })
  return {
    provider,
    programs,
    async machine(nodeId) {
      nodes.add(nodeId)
      await provider.createMachine({
        nodeId,
        datastoreId,
        networkId: `net-${datastoreId}`,
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
      for (const nodeId of nodes) await provider.deleteMachine(nodeId)
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
  /** All values kept, ascending. */
  readonly read: (connection: Connection) => Promise<readonly number[]>
}

const psql = async (programs: Programs, to: Connection, sql: string): Promise<string> => {
  const target = `host=${to.hostname} hostaddr=${to.address} port=${to.port} user=${to.username} dbname=${to.database}`
  const verified = `${target} sslmode=verify-full sslrootcert=${to.authorityFile}`
  const { stdout } = await run(programs.bin('psql'), ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', verified, '-c', sql], {
    env: { PGPASSWORD: to.password, LC_ALL: 'C.UTF-8', HOME: '/nonexistent' },
  })
  return stdout.trim()
}

type Statement = (programs: Programs, to: Connection, sql: string) => Promise<string>

const sqlOf = (statement: Statement, need: NeedName): TenantClient => ({
  needs: [need],
  async write(to, value) {
    const programs = await testPrograms(need)
    await statement(programs, to, 'create table if not exists kept (value int primary key)')
    await statement(programs, to, `insert into kept values (${value})`)
  },
  async read(to) {
    const lines = await statement(await testPrograms(need), to, 'select value from kept order by value')
    return lines.split('\n').filter((line) => line !== '').map(Number)
  },
})

/** One client per engine, by the engine's name. */
export const tenantClients: Readonly<Record<string, TenantClient>> = { postgresql: sqlOf(psql, 'postgres') }
