import type { ClientBase } from 'pg'
import { z } from 'zod'
import {
  chainStart, chained, datastoreOf, entryText, leafHash, objectOf, organisationOf,
} from '../../domain/audit/chain.ts'
import { type Tree, emptyTree, withLeaf } from '../../domain/audit/merkle.ts'
import { isStored } from '../../domain/audit/stored-tree.ts'
import { type Recorded, positionText } from '../../domain/kernel/event-store.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { sha256 } from './sha256.ts'

/** Where an organisation's chain stands. */
export type Chain = { readonly chainHash: Uint8Array; readonly tree: Tree; readonly position: string }

type Entry = {
  readonly event: Recorded
  readonly organisation: string
  readonly n: number
  readonly text: string
  readonly leaf: Uint8Array
  readonly chain: Uint8Array
}
type Node = { readonly organisation: string; readonly level: number; readonly index: number; readonly hash: Uint8Array }

const HASH_BYTES = 32

/** What events add to the trails of their organisations. */
export type Growth = {
  readonly entries: readonly Entry[]
  readonly nodes: readonly Node[]
  readonly chains: ReadonlyMap<string, Chain>
}

/** Adds events to chains, in the order of the log. Each event is hashed once. */
export const grown = (before: ReadonlyMap<string, Chain>, events: readonly Recorded[]): Growth => {
  const chains = new Map(before)
  const entries: Entry[] = []
  const nodes: Node[] = []
  for (const event of events) {
    const organisation = organisationOf(event)
    const { chainHash = chainStart(sha256, organisation), tree = emptyTree } = chains.get(organisation) ?? {}
    const n = tree.size
    const text = entryText(event, { organisation, n })
    const leaf = leafHash(sha256, text)
    const chain = chained(sha256, chainHash, leaf)
    entries.push({ event, organisation, n, text, leaf, chain })
    const next = withLeaf(sha256, tree, leaf, (level, index, hash) => {
      if (isStored(level)) nodes.push({ organisation, level, index, hash })
    })
    chains.set(organisation, { chainHash: chain, tree: next, position: positionText(event.position) })
  }
  return { entries, nodes, chains }
}

const Chains = z.array(
  z.object({
    organisation_id: z.string(),
    size: z.coerce.number(),
    chain_hash: z.instanceof(Buffer),
    frontier: z.instanceof(Buffer),
    position: z.string(),
  }),
)

const chainsOf = (rows: unknown): ReadonlyMap<string, Chain> =>
  new Map(
    Chains.parse(rows).map(({ organisation_id, size, chain_hash, frontier, position }) => {
      const hashes = Array.from({ length: frontier.length / HASH_BYTES }, (_, n) =>
        frontier.subarray(n * HASH_BYTES, (n + 1) * HASH_BYTES),
      )
      return [organisation_id, { chainHash: chain_hash, tree: { size, frontier: hashes }, position }]
    }),
  )

/** Where the chains of these organisations stand; one that has none yet is absent. */
export const loadChains = async (
  client: ClientBase,
  organisations: readonly string[],
): Promise<ReadonlyMap<string, Chain>> => {
  const { rows } = await client.query('select * from audit.chains where organisation_id = any($1::text[])', [organisations])
  return chainsOf(rows)
}

/** The chains that have entries which no checkpoint covers. */
export const unsignedChains = async (client: ClientBase): Promise<ReadonlyMap<string, Chain>> => {
  const { rows } = await client.query(
    `select * from audit.chains c where size > coalesce(
       (select max(size) from audit.checkpoints p where p.organisation_id = c.organisation_id), 0)`,
  )
  return chainsOf(rows)
}

/** Postgres takes neither NUL nor half a surrogate pair; the entry's own text holds their escapes. */
const storable = (text: string): string =>
  text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\u{FFFD}')

type Value = string | number | Uint8Array | null
type Column<T> = readonly [name: string, type: string, value: (of: T) => Value]

const text = (of: (event: Recorded) => string | undefined) => ({ event }: Entry): Value => {
  const found = of(event)
  return found === undefined ? null : storable(found)
}

const ENTRY_COLUMNS: readonly Column<Entry>[] = [
  ['organisation_id', 'text', ({ organisation }) => organisation],
  ['n', 'bigint', ({ n }) => n],
  ['position', 'text', ({ event }) => sortablePosition(event.position)],
  ['event_id', 'uuid', ({ event }) => event.id],
  ['at', 'timestamptz', ({ event }) => event.recordedAt],
  ['type', 'text', text(({ type }) => type)],
  ['stream', 'text', text(({ stream }) => stream)],
  ['revision', 'bigint', ({ event }) => Number(event.revision)],
  ['object_kind', 'text', text(({ stream }) => objectOf(stream).kind)],
  ['object_id', 'text', text(({ stream }) => objectOf(stream).id)],
  ['datastore_id', 'text', text(datastoreOf)],
  ['actor_kind', 'text', text(({ metadata }) => metadata.actor.kind)],
  ['actor_id', 'text', text(({ metadata }) => metadata.actor.id)],
  ['client_id', 'text', text(({ metadata }) => metadata.actor.clientId)],
  ['role', 'text', text(({ metadata }) => metadata.actor.role)],
  ['command_type', 'text', text(({ metadata }) => metadata.command?.type)],
  ['command_id', 'text', text(({ metadata }) => metadata.commandId)],
  ['correlation_id', 'text', text(({ metadata }) => metadata.correlationId)],
  ['causation_id', 'text', text(({ metadata }) => metadata.causationId)],
  ['request_id', 'text', text(({ metadata }) => metadata.requestId)],
  ['event', 'text', (entry) => entry.text],
  ['leaf_hash', 'bytea', ({ leaf }) => leaf],
  ['chain_hash', 'bytea', ({ chain }) => chain],
]

const NODE_COLUMNS: readonly Column<Node>[] = [
  ['organisation_id', 'text', ({ organisation }) => organisation],
  ['level', 'integer', ({ level }) => level],
  ['index', 'bigint', ({ index }) => index],
  ['hash', 'bytea', ({ hash }) => hash],
]

type Ended = readonly [organisation: string, chain: Chain]

const CHAIN_COLUMNS: readonly Column<Ended>[] = [
  ['organisation_id', 'text', ([organisation]) => organisation],
  ['size', 'bigint', ([, { tree }]) => tree.size],
  ['chain_hash', 'bytea', ([, { chainHash }]) => chainHash],
  ['frontier', 'bytea', ([, { tree }]) => Buffer.concat(tree.frontier)],
  ['position', 'text', ([, { position }]) => position],
]

const insert = async <T>(
  client: ClientBase,
  into: string,
  { columns, of, also = '' }: { readonly columns: readonly Column<T>[]; readonly of: readonly T[]; readonly also?: string },
): Promise<void> => {
  if (of.length === 0) return
  const names = columns.map(([name]) => name).join(', ')
  const arrays = columns.map(([, type], n) => `$${n + 1}::${type}[]`).join(', ')
  const values = columns.map(([, , value]) => of.map(value))
  await client.query(`insert into ${into} (${names}) select * from unnest(${arrays}) ${also}`, values)
}

/** Writes what has grown. Meant to run in the transaction that also moves the trail's own checkpoint. */
export const putGrowth = async (client: ClientBase, { entries, nodes, chains }: Growth): Promise<void> => {
  await insert(client, 'audit.entries', { columns: ENTRY_COLUMNS, of: entries })
  await insert(client, 'audit.nodes', { columns: NODE_COLUMNS, of: nodes })
  const also = `on conflict (organisation_id) do update set size = excluded.size, chain_hash = excluded.chain_hash,
    frontier = excluded.frontier, position = excluded.position`
  await insert(client, 'audit.chains', { columns: CHAIN_COLUMNS, of: [...chains], also })
}
