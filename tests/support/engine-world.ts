import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import type { Engine, Member, NodeContext } from '../../infra/engines/engine.ts'
import type { Host } from '../../infra/host.ts'
import {
  type Connection, type LocalMachines, type Network, type TenantClient, localMachines, tenantClients,
} from './local-machines.ts'

const VERB_LIMIT_MS = 60_000

export const secrets = { superuserPassword: 'superuser-Secret_1', replicationPassword: 'replication-Secret:2\\' }
export const account = { username: 'ccxadmin', password: "admin-Secret'3", database: 'ccxdb' }

/** Three machines, and all that an engine is told of them. */
export type EngineWorld = {
  readonly machines: LocalMachines
  /** The `i`th node, with a minute for a verb; `members` are all three. */
  readonly node: (i: number) => NodeContext
  /** How the tenant connects to the `i`th node. */
  readonly connection: (i: number) => Connection
  readonly remove: () => Promise<void>
}

export const limited = (node: NodeContext, limitMs = VERB_LIMIT_MS): NodeContext => ({
  ...node,
  signal: AbortSignal.timeout(limitMs),
})

/** A tenant's own client for the engine. */
export const clientOf = ({ name }: Engine): TenantClient => {
  const found = tenantClients[name]
  if (found === undefined) throw new Error(`tests/support/local-machines.ts has no client for ${name}`)
  return found
}

/**
 * Nodes `db-a`, `db-b` and `db-c` with nothing on them yet.
 *
 * @param network of the machines; default: they share this one's
 */
export const engineWorld = async (engine: Engine, datastoreId: string, network?: Network): Promise<EngineWorld> => {
  const machines = await localMachines(datastoreId, clientOf(engine).needs, network)
  const folder = await mkdtemp(join(tmpdir(), 'ccx-engine-'))
  const remove = async (): Promise<void> => {
    await machines.remove()
    await rm(folder, { recursive: true, force: true })
  }
  const authority = await createAuthority(`datastore ${datastoreId}`)
  const authorityFile = join(folder, 'ca.crt')
  await writeFile(authorityFile, authority.certificatePem)
  const made: { readonly host: Host; readonly member: Member }[] = []
  for (const name of ['db-a', 'db-b', 'db-c']) {
    const host = await machines.machine(name)
    const hostname = `${name}.${datastoreId}.ccx.test`
    made.push({ host, member: { nodeId: name, name, hostname, address: host.address, port: engine.port } })
  }
  const members = made.map(({ member }) => member)
  const nodes = await Promise.all(
    made.map(async ({ host, member }): Promise<NodeContext> => {
      const { hostname, address } = member
      const request = { commonName: hostname, dnsNames: [hostname], addresses: [address], days: 30 }
      return {
        host, member, members, secrets,
        trusted: ['0.0.0.0/0', '::/0'],
        version: engine.versions[0] ?? '',
        instance: { cpu: 1, ramGb: 1 },
        common: { cpu: 1, ramGb: 1 },
        parameters: {},
        certificate: await issue(authority, request),
        signal: AbortSignal.timeout(10 * VERB_LIMIT_MS),
        note: () => {},
        progress: () => {},
      }
    }),
  )
  const node = (i: number): NodeContext => {
    const found = nodes[i]
    if (found === undefined) throw new Error('BUG: there are three nodes')
    return limited(found)
  }
  const connection = (i: number): Connection => {
    const { hostname, address } = node(i).member
    return { hostname, address, port: engine.port, ...account, authorityFile }
  }
  return { machines, node, connection, remove }
}
