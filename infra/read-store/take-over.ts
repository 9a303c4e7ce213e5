import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import { type Checkpoint, readCheckpoints } from './checkpoints.ts'
import { catchUp } from './fill.ts'
import { whileAtRest } from './locks.ts'
import { type From, TableBusy, schemaOf, swap } from './swap.ts'

/** So few events are taken in while the projector waits. */
const NEAR = 200
const ROUNDS_MAX = 50
const BUSY_PAUSE_MS = 50
const PATIENCE_MS = 60_000

/** A filled table beside a live one, on its way to take its place. */
export type Candidate = {
  readonly client: PoolClient
  readonly store: Pick<EventStore, 'readAll'>
  readonly schema: string
  readonly projection: Projection
  readonly from: From
  /**
   * Where the two tables meet: where the live one stands, as a projector at work moves it; or the end of the log, when
   * nobody moves the live one.
   */
  readonly meets: 'live' | 'end'
  readonly signal?: AbortSignal | undefined
}

const checkpointOf = async ({ client, projection }: Candidate, schema: string): Promise<Checkpoint | undefined> =>
  (await readCheckpoints(client, schema)).get(projection.name)

/** @returns how many events that took, and where the candidate stands now */
const follow = async (
  own: Candidate,
): Promise<{ readonly count: number; readonly live: Checkpoint | undefined; readonly at: Position | 'start' }> => {
  const { client, store, schema, projection, from, meets, signal } = own
  const beside = schemaOf(schema, from)
  const live = await checkpointOf(own, schema)
  const upTo = meets === 'live' ? live?.position : undefined
  const progress = new Map([[projection, (await checkpointOf(own, beside))?.position ?? ('start' as const)]])
  const count = await catchUp(client, { store, schema: beside, progress, upTo, signal })
  return { count, live, at: progress.get(projection) ?? 'start' }
}

/** Follows the log beside the live table, without a lock, until little is left. */
export const approach = async (own: Candidate): Promise<void> => {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    own.signal?.throwIfAborted()
    if ((await follow(own)).count <= NEAR) return
  }
}

/**
 * Brings the candidate to exactly where the live table stands and does `work` before the projector goes on.
 *
 * @returns what `work` gives, and for how long the projector had to wait
 */
export const meet = async <T>(
  own: Candidate,
  work: (live: Checkpoint | undefined, at: Position | 'start') => Promise<T>,
): Promise<{ readonly result: T; readonly atRestMs: number }> => {
  await approach(own)
  return whileAtRest(own.client, own.schema, async () => {
    const began = performance.now()
    const { live, at } = await follow(own)
    const result = await work(live, at)
    return { result, atRestMs: performance.now() - began }
  })
}

/**
 * Puts the candidate in the live table's place, as soon as nobody holds on to that one.
 *
 * @returns for how long the projector had to wait, in ms
 * @throws TableBusy when the table was in use whenever it was tried, for a minute
 */
export const takeOver = async (own: Candidate): Promise<number> => {
  const { client, projection, schema, from, signal } = own
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      const { atRestMs } = await meet(own, (live, at) => {
        const incoming = at === 'start' ? undefined : { version: projection.version, position: at }
        return swap(client, projection, { schema, from, live, incoming })
      })
      return atRestMs
    } catch (error) {
      if (!(error instanceof TableBusy) || performance.now() > giveUpAt) throw error
      await pause(BUSY_PAUSE_MS, undefined, { signal })
    }
  }
}
