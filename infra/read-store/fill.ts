import type { ClientBase } from 'pg'
import { type EventStore, type Position, type Recorded, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import { lowest, moveCheckpoints } from './checkpoints.ts'
import { copyRows } from './copy.ts'
import { type Touch, foldInto, inTransaction, touchesOf } from './fold.ts'
import { deleteRows, loadRows, putRows } from './rows.ts'
import { type SeenKeys, seenKeys } from './seen-keys.ts'
import { indexTables, makeTables } from './tables.ts'

const BATCH_MAX = 4_000
const HELD_MAX = 6_000

export type Filled = { readonly events: number; readonly position: Position | 'start' }

type Log = Pick<EventStore, 'readAll'>

type Reading = {
  readonly store: Log
  readonly after: Position | 'start'
  /** The last position to read; default the end of the log as it is when it is reached. */
  readonly upTo?: Position | undefined
  readonly signal?: AbortSignal | undefined
}

/** The log in batches. The next one is read while one is worked on. */
async function* batches({ store, after, upTo, signal }: Reading): AsyncGenerator<readonly Recorded[], void> {
  const read = (from: Position | 'start') => {
    const batch = store.readAll({ after: from, prefixes: PREFIXES, limit: BATCH_MAX })
    // It may fail before anybody looks at it.
    batch.catch(() => undefined)
    return batch
  }
  for (let batch = await read(after); ; ) {
    signal?.throwIfAborted()
    const events = upTo === undefined ? batch : batch.filter((event) => !isAfter(event.position, upTo))
    const last = events.at(-1)
    if (last === undefined) return
    const whole = events.length === batch.length && batch.length === BATCH_MAX
    const next = whole ? read(last.position) : Promise.resolve([])
    yield events
    batch = await next
  }
}

type Rows = Map<string, Row | undefined>

/** A connection, and what is being written over it; a connection carries out one thing at a time. */
type Lane = { readonly client: ClientBase; readonly schema: string; last: Promise<void> }

/**
 * The rows of a table that is being filled which are not written yet, in two generations: what has not been touched
 * since the young one began is written when that one is full.
 */
type Held = {
  readonly lane: Lane
  readonly projection: Projection
  readonly written: SeenKeys
  young: Rows
  old: Rows
  /** The rows that are being written. */
  writing: Promise<void>
}

const held = (lane: Lane, projection: Projection): Held => ({
  lane, projection, written: seenKeys(), young: new Map(), old: new Map(), writing: Promise.resolve(),
})

/** What has been written already of the rows that are not held. */
const absent = async (held: Held, touches: readonly Touch[]): Promise<ReadonlyMap<string, Row> | undefined> => {
  const { written, young, old } = held
  const keys = new Set(touches.map(({ key }) => key).filter((key) => !young.has(key) && !old.has(key)))
  const perhaps = [...keys].filter(written.mayHave)
  if (perhaps.length === 0) return undefined
  await held.lane.last
  return loadRows(held.lane.client, { schema: held.lane.schema, projection: held.projection }, perhaps)
}

const take = async (held: Held, touches: readonly Touch[]): Promise<void> => {
  const { projection, young, old } = held
  const loaded = await absent(held, touches)
  for (const { event, key } of touches) {
    const before = young.has(key) ? young.get(key) : old.has(key) ? old.get(key) : loaded?.get(key)
    const after = projection.apply(before, event, key)
    if (after === before && !young.has(key) && !old.has(key)) continue
    young.set(key, after)
    old.delete(key)
  }
}

/** Takes the rows for written from now on, and gives what writes them. */
const writing = ({ lane: { client, schema }, projection, written }: Held, rows: Rows): (() => Promise<void>) => {
  const table = { schema, projection }
  const { fresh = [], known = [] } = Object.groupBy(rows, ([key]) => (written.mayHave(key) ? 'known' : 'fresh'))
  const there = (entries: typeof fresh) => entries.flatMap(([, row]) => (row === undefined ? [] : [row]))
  for (const [key, row] of rows) if (row !== undefined) written.add(key)
  return async () => {
    await copyRows(client, table, there(fresh))
    await putRows(client, table, there(known))
    await deleteRows(client, table, known.flatMap(([key, row]) => (row === undefined ? [key] : [])))
  }
}

/** Makes room when the young generation is full. The folding goes on while rows are written. */
const age = async (held: Held, heldMax: number): Promise<void> => {
  if (held.young.size < heldMax) return
  await held.writing
  const { lane } = held
  held.writing = lane.last.then(writing(held, held.old))
  lane.last = held.writing
  // It may fail before anybody waits for it.
  held.writing.catch(() => undefined)
  held.old = held.young
  held.young = new Map()
}

/**
 * Makes tables anew from the start of the log: rows are folded in memory and written once they have not changed for a
 * while, so that most are written once. Their checkpoints are there when all is written, and not before.
 *
 * @param options.schema where; tables of that name are replaced
 * @param options.onProgress told after every batch how many events have been taken in, and up to where
 * @param options.heldMax how many rows of one table a generation has, of the two that are kept in memory; default 6,000
 * @returns how many events there were, and the position of the last
 */
export const fill = async (
  client: ClientBase,
  { store, schema, projections, upTo, signal, onProgress, heldMax = HELD_MAX }: {
    readonly store: Log
    readonly schema: string
    readonly projections: readonly Projection[]
    readonly upTo?: Position | undefined
    readonly signal?: AbortSignal | undefined
    readonly onProgress?: ((filled: Filled) => void) | undefined
    readonly heldMax?: number | undefined
  },
): Promise<Filled> => {
  await makeTables(client, { schema, projections })
  const lane: Lane = { client, schema, last: Promise.resolve() }
  const tables = projections.map((projection) => held(lane, projection))
  let filled: Filled = { events: 0, position: 'start' }
  try {
    // No transaction yet: without their checkpoints the tables are nothing, however many of their rows are there.
    await client.query('set synchronous_commit = off')
    for await (const events of batches({ store, after: 'start', upTo, signal })) {
      const known = events.filter(isKnown)
      for (const table of tables) {
        await take(table, touchesOf(table.projection, known))
        await age(table, heldMax)
      }
      filled = { events: filled.events + events.length, position: events.at(-1)?.position ?? filled.position }
      onProgress?.(filled)
    }
    await lane.last
  } finally {
    // Whoever gets the connection next finds it at rest, and as it was.
    await lane.last.catch(() => undefined)
    await client.query('reset synchronous_commit').catch(() => undefined)
  }
  const position = upTo ?? filled.position
  await inTransaction(client, async () => {
    for (const table of tables) for (const rows of [table.old, table.young]) await writing(table, rows)()
    if (position !== 'start') await moveCheckpoints(client, schema, { projections, position })
  })
  await indexTables(client, { schema, projections })
  return { ...filled, position }
}

/**
 * Takes what has been written to the log since into tables that have been filled, rows and checkpoints together.
 *
 * @param options.progress where each stands; moved along
 * @param options.upTo where all of them stand in the end; default the end of the log as it is when it is reached
 * @returns how many events that were
 */
export const catchUp = async (
  client: ClientBase,
  { store, schema, progress, upTo, signal }: {
    readonly store: Log
    readonly schema: string
    readonly progress: Map<Projection, Position | 'start'>
    readonly upTo?: Position | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<number> => {
  const moveTo = async (position: Position, events: readonly Recorded[]): Promise<void> => {
    const behind = [...progress].filter(([, at]) => isAfter(position, at))
    if (behind.length === 0) return
    const known = events.filter(isKnown)
    const projections = behind.map(([projection]) => projection)
    await inTransaction(client, async () => {
      for (const [projection, at] of behind) {
        await foldInto(client, schema, projection, known.filter((event) => isAfter(event.position, at)))
      }
      await moveCheckpoints(client, schema, { projections, position })
    })
    for (const projection of projections) progress.set(projection, position)
  }
  let count = 0
  if (progress.size === 0) return count
  const after = lowest(progress.values())
  if (upTo !== undefined && !isAfter(upTo, after)) return count
  for await (const events of batches({ store, after, upTo, signal })) {
    const last = events.at(-1)
    if (last !== undefined) await moveTo(last.position, events)
    count += events.length
  }
  // The live tables may stand at an event that is none of ours.
  if (upTo !== undefined) await moveTo(upTo, [])
  return count
}
