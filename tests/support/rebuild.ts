import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import type { ReadStore } from '../../infra/read-store/connect.ts'
import { type Filled, fill } from '../../infra/read-store/fill.ts'
import { id } from '../../infra/read-store/rows.ts'

/**
 * Makes read models anew from the log, in tables of their own that nobody reads.
 *
 * @param options.intoSchema dropped if it exists, and made again
 * @param options.upTo the last position to take in, to compare with tables that have come so far; default the log's end
 * @param options.heldMax as `fill` has it
 * @returns how many events there were, and the position of the last
 */
export const rebuild = async ({ store, readStore, projections, intoSchema, upTo, signal, heldMax }: {
  readonly store: Pick<EventStore, 'readAll'>
  readonly readStore: Pick<ReadStore<ReadSchema>, 'pool'>
  readonly projections: readonly Projection[]
  readonly intoSchema: string
  readonly upTo?: Position
  readonly signal?: AbortSignal
  readonly heldMax?: number
}): Promise<Filled> => {
  const client = await readStore.pool.connect()
  try {
    await client.query(`drop schema if exists ${id(intoSchema)} cascade`)
    return await fill(client, { store, schema: intoSchema, projections, upTo, signal, heldMax })
  } finally {
    client.release()
  }
}
