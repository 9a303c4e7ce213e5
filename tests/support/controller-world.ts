import { randomBytes, randomUUID } from 'node:crypto'
import type { ClusterRef, NodeRef, Order, PlacedOrder } from '../../domain/job/orders.ts'
import { controllerStore } from '../../infra/controller-store/mysql.ts'
import type { ControllerStore } from '../../infra/controller-store/controller-store.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Engine } from '../../infra/engines/engine.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations, type VaultSchema } from '../../infra/secrets/migrations.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import type { Secrets } from '../../infra/secrets/secrets.ts'
import { type LocalMachines, localMachines, tenantClients } from './local-machines.ts'
import { startMariadb } from './mariadb.ts'
import { startPostgres } from './postgres.ts'

const ORDER_LIMIT_MS = 60_000

export type ControllerWorld = {
  readonly engine: Engine
  readonly machines: LocalMachines
  readonly store: ControllerStore
  readonly storeUrl: string
  readonly secrets: Secrets
  readonly cluster: ClusterRef
  readonly remove: () => Promise<void>
}

/** What a controller works with, all of it real: CMON DB, the vault, and the booted machines of one datastore. */
export const controllerWorld = async (datastoreId: string, names: readonly string[]): Promise<ControllerWorld> => {
  const [engine] = engines
  if (engine === undefined) throw new Error('BUG: there is an engine')
  const [mariadb, postgres, machines] = await Promise.all([
    startMariadb(),
    startPostgres(),
    localMachines(datastoreId, tenantClients[engine.name]?.needs ?? []),
  ])
  const store = controllerStore({ url: mariadb.url })
  await store.migrate()
  const vault = connect<VaultSchema>(postgres.url)
  await migrateToLatest(vault.db, { schema: VAULT, migrations: vaultMigrations })
  const nodes: NodeRef[] = []
  for (const name of names) {
    const { address } = await machines.machine(name)
    const hostname = `${name}.${datastoreId}.ccx.test`
    const instance = { code: 'tiny', cpu: 1, ramGb: 1 }
    nodes.push({ nodeId: name, name, hostname, provider: machines.provider.name, address, port: engine.port, instance })
  }
  return {
    engine,
    machines,
    store,
    storeUrl: mariadb.url,
    secrets: sealedSecrets({ pool: vault.pool, masterKey: randomBytes(32) }),
    cluster: {
      datastoreId,
      ownerId: 'own_1',
      engine: engine.name,
      version: engine.versions[0] ?? '',
      nodes,
    },
    async remove() {
      await machines.remove()
      await store.close()
      await vault.close()
      await Promise.all([mariadb.stop(), postgres.stop()])
    },
  }
}

/** An order of a job, with a minute to go. */
export const placed = (order: Order, change: Partial<PlacedOrder> = {}): PlacedOrder => ({
  orderId: randomUUID(),
  jobId: 'job_1',
  datastoreId: 'cluster' in order.body ? order.body.cluster.datastoreId : '',
  step: order.subject,
  key: '',
  attempt: 1,
  course: 'forward',
  order,
  notAfter: new Date(Date.now() + ORDER_LIMIT_MS).toISOString(),
  ...change,
})

/** What a worker gives to its handler; the lines that were noted are kept. */
export const work = (limitMs = ORDER_LIMIT_MS) => {
  const lines: string[] = []
  return { signal: AbortSignal.timeout(limitMs), note: (line: string) => void lines.push(line), progress: () => undefined, lines }
}
