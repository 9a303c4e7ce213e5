import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import { z } from 'zod'
import { type Delivery, type EventStore, type Position, type Recorded, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import type { Projection } from '../../projections/projection.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keepCheckpoints, lowest, moveCheckpoints, readCheckpoints } from './checkpoints.ts'
import type { ReadStore } from './connect.ts'
import { foldInto, inTransaction } from './fold.ts'
import { fill } from './rebuild.ts'
import { tableName } from './rows.ts'

const BATCH_MAX = 4_000
const LOCK_ASK_EVERY_MS = 250
const RETRY_MS_MAX = 5_000

type Line = (fields: object, message: string) => void

export type ProjectorOptions = {
  readonly store: Pick<EventStore, 'readAll' | 'subscribe'>
  readonly readStore: Pick<ReadStore<ReadSchema>, 'pool'>
  readonly projections: readonly Projection[]
  /** Ends the projector; the batch at hand is finished first. */
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line }
  /** Events in one transaction at most; default 4,000. */
  readonly batchMax?: number
  readonly schema?: string
  /** Told after each commit how far all read models have come, and the last event that it took in, if any. */
  readonly onAdvanced?: (position: Position, last: Pick<Recorded, 'recordedAt'> | undefined) => void
  /** Told whenever the read models have everything that was in the log when the following began. */
  readonly onCaughtUp?: () => void
}

type Session = ProjectorOptions & { readonly client: PoolClient; readonly schema: string }

/**
 * Keeps the read models up with the log, until `signal`. Rows and checkpoints move in one transaction, on the very
 * connection that holds the lock of the one writer: who has lost the lock can write nothing any more. A second
 * projector waits.
 * What breaks is begun again from the checkpoints.
 */
export const projector = async (options: ProjectorOptions): Promise<void> => {
  const { signal, log } = options
  for (let failures = 0; !signal.aborted; ) {
    try {
      await session({
        ...options,
        onAdvanced: (position, last) => {
          failures = 0
          options.onAdvanced?.(position, last)
        },
      })
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      log.warn({ err: error, failures }, 'the read models are not kept up; beginning again')
      await rest(Math.min(50 * 2 ** Math.min(failures, 10), RETRY_MS_MAX), signal)
    }
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> => pause(ms, undefined, { signal }).catch(() => undefined)

const session = async (options: ProjectorOptions): Promise<void> => {
  const { readStore, schema = READ_SCHEMA } = options
  const lost = new AbortController()
  const client = await readStore.pool.connect()
  client.on('error', (error) => lost.abort(error))
  const signal = AbortSignal.any([options.signal, lost.signal])
  try {
    const own: Session = { ...options, signal, client, schema }
    await lock(own)
    if (signal.aborted) return lost.signal.throwIfAborted()
    await follow(own, await begin(own))
    lost.signal.throwIfAborted()
  } finally {
    // Ends the connection, and with it the lock.
    client.release(true)
  }
}

const Locked = z.tuple([z.object({ locked: z.boolean() })])

const lock = async ({ client, schema, signal, log }: Session): Promise<void> => {
  for (let told = false; !signal.aborted; told = true) {
    const question = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked'
    const { rows } = await client.query(question, [`ccx projector ${schema}`])
    if (Locked.parse(rows)[0].locked) return
    if (!told) log.info({}, 'another projector is at work; waiting for its place')
    await rest(LOCK_ASK_EVERY_MS, signal)
  }
}

type Progress = Map<Projection, Position | 'start'>

/** Where each projection stands, those that are new or of another version made anew first. */
const begin = async (own: Session): Promise<Progress> => {
  const { client, schema, projections, log } = own
  const known = await readCheckpoints(client, schema)
  const stale = projections.filter(({ name, version }) => known.get(name)?.version !== version)
  const progress: Progress = new Map(projections.map((it) => [it, known.get(it.name)?.position ?? 'start']))
  if (stale.length > 0) {
    const position = await replace(own, stale)
    for (const projection of stale) progress.set(projection, position)
    log.info({ projections: stale.map(({ name }) => name) }, 'read models were made anew from the log')
  }
  await keepCheckpoints(client, schema, projections.map(({ name }) => name))
  return progress
}

/** Fills tables beside the live ones, and swaps the rows at the end: meanwhile the old ones can be read. */
const replace = async (
  { client, schema, store, signal }: Session,
  stale: readonly Projection[],
): Promise<Position | 'start'> => {
  const next = `${schema}_next`
  await client.query(`drop schema if exists "${next}" cascade`)
  await client.query(`create schema "${next}"`)
  for (const { table } of stale) {
    const live = tableName(schema, table)
    await client.query(`create unlogged table ${tableName(next, table)} (like ${live} including all)`)
  }
  const { position } = await fill(client, { store, schema: next, projections: stale, signal })
  await inTransaction(client, async () => {
    for (const { table } of stale) {
      // Not truncate: a reader whose snapshot is older would then see an empty table.
      await client.query(`delete from ${tableName(schema, table)}`)
      await client.query(`insert into ${tableName(schema, table)} select * from ${tableName(next, table)}`)
    }
    if (position !== 'start') await moveCheckpoints(client, schema, { projections: stale, position })
    await client.query(`drop schema "${next}" cascade`)
  })
  return position
}

const follow = async (own: Session, progress: Progress): Promise<void> => {
  const { store, signal, batchMax = BATCH_MAX, onCaughtUp } = own
  const after = lowest(progress.values())
  for await (const delivery of store.subscribe({ after, prefixes: PREFIXES, signal, batchMax })) {
    if (signal.aborted) return
    await take(own, progress, delivery)
    if (delivery.caughtUp) onCaughtUp?.()
  }
}

const take = async (
  { client, schema, onAdvanced }: Session,
  progress: Progress,
  { events, position }: Delivery,
): Promise<void> => {
  const behind = [...progress].filter(([, at]) => isAfter(position, at))
  if (behind.length === 0) return
  const known = events.filter(isKnown)
  const after = new Map(progress)
  for (const [projection] of behind) after.set(projection, position)
  const reached = lowest(after.values())
  await inTransaction(client, async () => {
    for (const [projection, at] of behind) {
      await foldInto(client, schema, projection, known.filter((event) => isAfter(event.position, at)))
    }
    await moveCheckpoints(client, schema, { projections: behind.map(([projection]) => projection), position, reached })
  })
  for (const [projection, at] of after) progress.set(projection, at)
  if (reached !== 'start') onAdvanced?.(reached, events.at(-1))
}
