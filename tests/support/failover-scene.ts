import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { datastoreOf, jobsOf, type NodeSeen, nodesOf } from './datastores.ts'
import { addressesOf } from './dns-client.ts'
import type { InsertWriter } from './insert-writer.ts'
import type { RunningInstance } from './instance.ts'
import { killProcess, processesAt, type Seen } from './processes.ts'
import { until } from './until.ts'

const WHOLE_WITHIN_MS = 120_000

export const primaryOf = async ({ api }: RunningInstance, uuid: string): Promise<NodeSeen> => {
  const node = (await nodesOf(api, uuid)).find(({ role }) => role === 'primary')
  if (node === undefined) throw new Error('there is no primary')
  return node
}

/** The processes of a node's database server, its children as well. */
export const serversOf = ({ host_uuid: nodeId }: NodeSeen): readonly Seen[] =>
  processesAt(nodeId).filter(({ command }) => command.startsWith('postgres'))

export const signalServer = (node: NodeSeen, signal: NodeJS.Signals): number => {
  const servers = serversOf(node)
  for (const { process } of servers) killProcess(process, signal)
  return servers.length
}

/** The link of a machine that is a network namespace, as its provider cuts and heals it. */
export const linkOf = (instance: RunningInstance) => {
  const link = instance.providers().find(({ linkFaults }) => linkFaults !== undefined)?.linkFaults
  if (link === undefined) throw new Error('no provider here can cut links')
  return link
}

/**
 * Waits until the datastore is what it is to be, with no manual step: one primary that takes writes, so many nodes, replicas that
 * hold every row that was ever acknowledged, and names that lead to them.
 */
export const wholeAgain = async (
  instance: RunningInstance,
  uuid: string,
  { writer, size, withinMs = WHOLE_WITHIN_MS }: {
    readonly writer: InsertWriter
    readonly size: number
    readonly withinMs?: number
  },
): Promise<NodeSeen> => {
  const { api, dnsPort } = instance
  let last = 'nothing was seen'
  const looked = async (): Promise<NodeSeen | undefined> => {
    const nodes = await nodesOf(api, uuid)
    const roles = nodes.map(({ role }) => `${role}`).toSorted().join()
    last = `roles ${roles}`
    if (roles !== ['primary', ...Array.from({ length: size - 1 }, () => 'replica')].join()) return undefined
    const { jobs } = await jobsOf(api, uuid)
    const busy = jobs.find(({ status }) => status === 'JOB_STATUS_RUNNING')
    last = `${busy?.type}: ${busy?.text}`
    if (busy !== undefined) return undefined
    const { primary_url: primary, replica_url: replica } = await datastoreOf(api, uuid)
    const isAt = (wanted: string) =>
      nodes.flatMap(({ role, private_ip: ip }) => (role === wanted ? (ip ?? []) : [])).toSorted().join()
    const named = async (name: string | null) => (await addressesOf({ port: dnsPort }, name ?? '')).toSorted().join()
    const [toPrimary, toReplicas] = [await named(primary), await named(replica)]
    last = `names lead to ${toPrimary} and ${toReplicas}, not ${isAt('primary')} and ${isAt('replica')}`
    if (toPrimary !== isAt('primary') || toReplicas !== isAt('replica')) return undefined
    const all = [...writer.acknowledged()]
    for (const { fqdn } of nodes) {
      const held = await writer.heldBy(fqdn)
      const missing = all.filter((number) => !held.has(number))
      last = `${fqdn} holds all but ${missing.length} rows of ${all.length}, from ${missing[0]} on`
      if (missing.length > 0) return undefined
    }
    return nodes.find(({ role }) => role === 'primary')
  }
  const primary = await until(() => looked().catch((error: unknown) => {
    last = String(error)
    return undefined
  }), { withinMs, everyMs: 250, what: 'the datastore being whole' }).catch((cause: unknown) => {
    throw new Error(`the datastore is not whole: ${last}`, { cause })
  })
  await writer.goesOn(20)
  return primary
}

/** No other node than the primary takes writes. */
export const onlyOneTakesWrites = async (instance: RunningInstance, uuid: string, writer: InsertWriter): Promise<void> => {
  const takers = []
  for (const { fqdn, role } of await nodesOf(instance.api, uuid)) {
    if (await writer.takesWrites(fqdn)) takers.push(`${role} ${fqdn}`)
  }
  assert.is(takers.length, 1, takers.join())
  assert.match(takers[0] ?? '', /^primary /)
}

const run = promisify(execFile)

/** Fills the volume of a machine to the last block. */
export const fillVolume = async (dataDir: string): Promise<void> => {
  await run('dd', ['if=/dev/zero', `of=${dataDir}/ballast`, 'bs=1M']).catch(() => undefined)
  await run('dd', ['if=/dev/zero', `of=${dataDir}/ballast-2`, 'bs=4k']).catch(() => undefined)
}
