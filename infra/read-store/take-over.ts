import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import { type Checkpoint, lowest, readCheckpoints } from './checkpoints.ts'
import { catchUp } from './fill.ts'
import { whileAtRest } from './locks.ts'
import { TableBusy, dropPrevious, swap } from './swap.ts'
import { previousOf } from './tables.ts'

/** So few events, if they come no faster than that, are taken in while the projector waits. */
const NEAR = 20
const ROUNDS_MAX = 20
const BUSY_PAUSE_MS = 50
const PATIENCE_MS = 60_000

/** A filled table beside a live one, which follows it and may take its place. */
export type Candidate = {
  readonly client: PoolClient
  readonly store: Pick<EventStore, 'readAll'>
  readonly schema: string
  readonly projection: Projection
  /** The schema that it is in. */
  readonly beside: string
  /**
   * Where the two tables meet: where the live one stands, as a projector at work moves it; or the end of the log, when
   * nobody moves the live one.
   */
  readonly meets: 'live' | 'end'
  readonly signal?: AbortSignal | undefined
}

/**
 * Takes in what has been written to the log since, up to where the first of the live tables stands.
 *
 * @param candidates of one schema
 * @returns how many events that took, and the checkpoints of the live tables
 */
const follow = async (candidates: readonly [Candidate, ...Candidate[]]) => {
  const [{ client, store, schema, beside, signal }] = candidates
  const live = await readCheckpoints(client, schema)
  const made = await readCheckpoints(client, beside)
  const targets = candidates.flatMap(({ meets, projection }) => (meets === 'live' ? (live.get(projection.name) ?? []) : []))
  const first = targets.length === 0 ? 'start' : lowest(targets.map(({ position }) => position))
  const progress = new Map(
    candidates.map(({ projection }) => [projection, made.get(projection.name)?.position ?? ('start' as const)]),
  )
  const upTo = first === 'start' ? undefined : first
  const count = await catchUp(client, { store, schema: beside, progress, upTo, signal })
  return { count, live }
}

/** Follows the log beside the live tables, without a lock, until little is left. */
export const approach = async (candidates: readonly Candidate[]): Promise<void> => {
  for (const [one, ...more] of Map.groupBy(candidates, ({ beside }) => beside).values()) {
    if (one === undefined) continue
    for (let round = 0; round < ROUNDS_MAX; round++) {
      one.signal?.throwIfAborted()
      if ((await follow([one, ...more])).count <= NEAR) break
    }
  }
}

/**
 * Brings the candidate to exactly where the live table stands and does `work` before the projector goes on.
 *
 * @returns what `work` gives, and for how long the projector had to wait
 */
export const meet = async <T>(
  own: Candidate,
  work: (live: Checkpoint | undefined) => Promise<T>,
): Promise<{ readonly result: T; readonly atRestMs: number }> => {
  await approach([own])
  return whileAtRest(own.client, own.schema, async () => {
    const began = performance.now()
    const { live } = await follow([own])
    const result = await work(live.get(own.projection.name))
    return { result, atRestMs: performance.now() - began }
  })
}

/**
 * Puts the candidate in the live table's place, as soon as nobody holds on to that one. What was the previous table until
 * then is given up first, unless it is the candidate.
 *
 * @param patienceMs how long to try; default a minute
 * @returns for how long the projector had to wait, in ms
 * @throws TableBusy when the table was in use whenever it was tried
 */
export const takeOver = async (own: Candidate, patienceMs = PATIENCE_MS): Promise<number> => {
  const { client, projection, schema, beside, signal } = own
  const giveUpAt = performance.now() + patienceMs
  if (beside !== previousOf(schema)) await dropPrevious(client, projection, schema)
  for (;;) {
    try {
      const { atRestMs } = await meet(own, (live) =>
        swap(client, projection, { schema, beside, keepLive: live !== undefined }),
      )
      return atRestMs
    } catch (error) {
      if (!(error instanceof TableBusy) || performance.now() > giveUpAt) throw error
      await pause(BUSY_PAUSE_MS, undefined, { signal })
    }
  }
}
