import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import { readCheckpoints } from './checkpoints.ts'
import { type Filled, fill } from './fill.ts'
import { tryRole } from './locks.ts'
import { type Candidate, approach, takeOver } from './take-over.ts'
import { nextOf, previousOf } from './tables.ts'

const ASK_EVERY_MS = 250

/** Tables of another version than the projector's, and what is beside them to take their place. */
export type Stale = {
  readonly projections: readonly Projection[]
  /** Takes in what has been written to the log since. */
  readonly approach: () => Promise<void>
  /** Swaps. The caller is the only projector by then. */
  readonly takeOver: () => Promise<void>
}

type Options = {
  readonly client: PoolClient
  readonly store: Pick<EventStore, 'readAll'>
  readonly schema: string
  readonly projections: readonly Projection[]
  readonly signal: AbortSignal
  readonly onProgress: (filled: Filled) => void
}

const staleOf = async ({ client, schema, projections }: Options): Promise<readonly Projection[]> => {
  const live = await readCheckpoints(client, schema)
  return projections.filter(({ name, version }) => live.get(name)?.version !== version)
}

/**
 * Finds the projections whose live tables are of another version, and makes their tables beside the live ones; unless
 * the table that was live before is of the right version: a release that comes back takes up its own.
 *
 * @param options.client a connection of its own; no other rebuild works on these tables as long as it lasts
 * @returns undefined when all is as it should be
 */
export const renewStale = async (options: Options): Promise<Stale | undefined> => {
  const { client, store, schema, signal, onProgress } = options
  if ((await staleOf(options)).length === 0) return undefined
  while (!(await tryRole(client, 'rebuild', schema))) await pause(ASK_EVERY_MS, undefined, { signal })
  // Whoever was at it may have done it.
  const stale = await staleOf(options)
  if (stale.length === 0) return undefined
  const previous = await readCheckpoints(client, previousOf(schema))
  const next = nextOf(schema)
  const besideOf = ({ name, version }: Projection): string =>
    previous.get(name)?.version === version ? previousOf(schema) : next
  const anew = stale.filter((projection) => besideOf(projection) === next)
  if (anew.length > 0) await fill(client, { store, schema: next, projections: anew, signal, onProgress })
  const candidates = stale.map((projection): Candidate => {
    return { client, store, schema, projection, beside: besideOf(projection), meets: 'end', signal }
  })
  return {
    projections: stale,
    approach: () => approach(candidates),
    takeOver: async () => {
      await approach(candidates)
      // Whoever holds on to a table for long, a dump perhaps, must not make all that was made so far be made again.
      for (const candidate of candidates) await takeOver(candidate, Infinity)
    },
  }
}
