import { readdir, readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import type { Position } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { bridgeOf, linkOf, placed } from '../../infra/providers/network-namespace/network.ts'
import { namespaceOf } from '../../infra/providers/network-namespace/machine.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { rebuild } from './rebuild.ts'
import { projections } from '../../projections/index.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import type { RunningInstance } from './instance.ts'
import { processesAt } from './processes.ts'

type World = Pick<RunningInstance, 'stateDir' | 'providers' | 'dns' | 'config' | 'ccxDbUrl' | 'cmonDbUrl'>

/** What a datastore was made of, to look for after its end. */
export type Traces = {
  readonly datastoreId: string
  readonly nodeIds: readonly string[]
  readonly networkIds: readonly string[]
}

/** The ids of all that the providers hold for a datastore. */
export const tracesOf = async ({ providers }: World, datastoreId: string): Promise<Traces> => {
  const held = (await Promise.all(providers().map((provider) => provider.list(datastoreId)))).flat()
  return {
    datastoreId,
    nodeIds: [...new Set(held.flatMap(({ nodeId }) => nodeId ?? []))],
    networkIds: held.flatMap(({ kind, resourceId }) => (kind === 'network' ? [resourceId] : [])),
  }
}

const rowsLeft = async (
  { ccxDbUrl, cmonDbUrl }: World,
  { datastoreId, nodeIds }: Traces,
): Promise<readonly string[]> => {
  const ids = [datastoreId, ...nodeIds]
  const ccx = new pg.Client({ connectionString: ccxDbUrl })
  // Heard by the query that breaks with it.
  ccx.on('error', () => undefined)
  await ccx.connect()
  const cmon = await createConnection({ uri: cmonDbUrl })
  try {
    const found: string[] = []
    for (const [table, column] of [
      ['read.datastores', 'datastore_id'],
      ['read.nodes', 'datastore_id'],
      ['vault.secret', 'subject_id'],
    ]) {
      const { rowCount } = await ccx.query(`select from ${table} where ${column}::text = any($1)`, [ids])
      if (rowCount !== 0) found.push(`${rowCount} of ${table}`)
    }
    for (const table of ['clusters', 'hosts', 'alarms']) {
      const [rows] = await cmon.query(`select 1 from ${table} where datastore_id = ?`, [datastoreId])
      if (Array.isArray(rows) && rows.length > 0) found.push(`${rows.length} of ${table}`)
    }
    return found
  } finally {
    await ccx.end()
    await cmon.end()
  }
}

const onMachine = async (
  { stateDir, config }: World,
  { datastoreId, nodeIds, networkIds }: Omit<Traces, 'datastoreId'> & Partial<Traces>,
): Promise<readonly string[]> => {
  const ids = [...(datastoreId === undefined ? [] : [datastoreId]), ...nodeIds, ...networkIds]
  const speaksOfOne = (text: string): boolean => ids.some((id) => text.includes(id))
  const files = await readdir(`${stateDir}/machines`, { recursive: true })
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const namespaces = await readdir('/run/netns').catch(() => [])
  const links = Object.keys(networkInterfaces())
  const own = (id: string) => placed(join(config.machines.dir ?? '', 'netns'), id)
  const ownLinks = [...networkIds.map(own).map(bridgeOf), ...nodeIds.map(own).map(linkOf)]
  return [
    ...ids.flatMap(processesAt).map(({ command }) => `process: ${command}`),
    ...files.filter(speaksOfOne).map((file) => `file: ${file}`),
    ...mounts.filter(speaksOfOne).map((mount) => `mount: ${mount}`),
    ...namespaces.filter((name) => nodeIds.map(own).map(namespaceOf).includes(name)).map((name) => `namespace: ${name}`),
    ...links.filter((name) => ownLinks.includes(name)).map((name) => `link: ${name}`),
  ]
}

/** Everything that is still there of a datastore, in words. None is as it should be. */
export const leftOf = async (world: World, traces: Traces): Promise<readonly string[]> => {
  const { datastoreId } = traces
  const held = (await Promise.all(world.providers().map((provider) => provider.list(datastoreId)))).flat()
  const names = await world.dns.list(`${datastoreId}.${world.config.dns.domain}`)
  return [
    ...held.map(({ kind, resourceId }) => `${kind}: ${resourceId}`),
    ...names.map(({ name }) => `name: ${name}`),
    ...(await onMachine(world, traces)),
    ...(await rowsLeft(world, traces)).map((rows) => `rows: ${rows}`),
  ]
}

/** Everything that is still there of nodes of a datastore that lives on, in words. */
export const leftOfNodes = async (
  world: World,
  datastoreId: string,
  nodes: readonly { readonly nodeId: string; readonly fqdn: string }[],
): Promise<readonly string[]> => {
  const nodeIds = nodes.map(({ nodeId }) => nodeId)
  const held = (await Promise.all(world.providers().map((provider) => provider.list(datastoreId)))).flat()
  const names = await world.dns.list(`${datastoreId}.${world.config.dns.domain}`)
  const theirs = held.filter(({ nodeId }) => nodeId !== null && nodeIds.includes(nodeId))
  return [
    ...theirs.map(({ kind, resourceId }) => `${kind}: ${resourceId}`),
    ...names.filter(({ name }) => nodes.some(({ fqdn }) => fqdn === name)).map(({ name }) => `name: ${name}`),
    ...(await onMachine(world, { nodeIds, networkIds: [] })),
  ]
}

const BATCH = 4_000
const CAUGHT_UP_WITHIN_MS = 30_000

/**
 * Makes all read models anew from the log and compares them with the live ones.
 *
 * @returns the rows that differ, in words, and how many events there were
 * @throws when the live ones do not come up with the log
 */
export const rebuiltDiffers = async ({ config, ccxDbUrl }: World) => {
  const store = esdbEventStore({ connectionString: config.eventStoreUrl })
  const readStore = connect<ReadSchema>(ccxDbUrl, { max: 3, name: 'e2e' })
  const live = readPosition({ url: ccxDbUrl })
  try {
    let end: Position | 'start' = 'start'
    for (;;) {
      const batch = await store.readAll({ after: end, prefixes: PREFIXES, limit: BATCH })
      const last = batch.at(-1)
      if (last === undefined) break
      end = last.position
    }
    if (end === 'start') throw new Error('the log is empty')
    if (!(await live.waitFor(end, CAUGHT_UP_WITHIN_MS))) throw new Error('the read models do not come up with the log')
    const filled = await rebuild({ store, readStore, projections, intoSchema: 'rebuilt', upTo: end })
    const differences = await compare(readStore.pool, projections, [READ_SCHEMA, 'rebuilt'])
    await readStore.db.schema.dropSchema('rebuilt').cascade().execute()
    return { events: filled.events, differences: differences.map((one) => JSON.stringify(one)) }
  } finally {
    await live.close()
    await readStore.close()
    await store.close()
  }
}
