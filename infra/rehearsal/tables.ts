import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { EventStore, Position, Recorded } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import type { Projection } from '../../projections/projection.ts'
import { lowest, readCheckpoints } from '../read-store/checkpoints.ts'
import { type Comparison, type Difference, isSame } from '../read-store/compare.ts'
import { fill } from '../read-store/fill.ts'
import { compared } from '../read-store/renew.ts'
import { id } from '../read-store/rows.ts'

/** What became of one table when the release made it from the whole log. */
export type TableRehearsed = {
  readonly name: string
  /** Of the live table, and of the release. */
  readonly versions: readonly [live: number, candidate: number]
  readonly comparison: Comparison
  readonly differences: readonly Difference[]
  /** The last event that concerns the first row that differs. */
  readonly event: Recorded | undefined
}

type Options = {
  readonly store: Pick<EventStore, 'readAll'>
  readonly pool: Pick<Pool, 'connect'>
  readonly schema: string
  readonly projections: readonly Projection[]
}

const BATCH_MAX = 4_000

/** The last event that concerns a row. */
const lastAbout = async (
  store: Options['store'],
  projection: Projection,
  key: unknown,
  upTo: Position,
): Promise<Recorded | undefined> => {
  let found: Recorded | undefined
  for (let after: Position | 'start' = 'start'; ; ) {
    const events = await store.readAll({ after, prefixes: PREFIXES, limit: BATCH_MAX })
    const last = events.at(-1)
    if (last === undefined) return found
    for (const event of events) {
      if (event.position.commit > upTo.commit) return found
      if (isKnown(event) && projection.keys(event).some((each) => each === key)) found = event
    }
    after = last.position
  }
}

/**
 * Makes the tables of a release from the whole log in a schema of its own, which is dropped afterwards, and compares
 * them with the live ones where those stand.
 *
 * @returns one for each projection that there is a live table of
 */
export const rehearseTables = async ({ store, pool, schema, projections }: Options): Promise<readonly TableRehearsed[]> => {
  const beside = `${schema}_rehearsal_${randomUUID().slice(0, 8)}`
  const client = await pool.connect()
  client.on('error', () => undefined)
  try {
    const live = await readCheckpoints(client, schema)
    const there = projections.filter(({ name }) => live.has(name))
    const least = lowest(there.map(({ name }) => live.get(name)?.position ?? 'start'))
    if (least === 'start') return []
    await fill(client, { store, schema: beside, projections: there, upTo: least })
    const rehearsed: TableRehearsed[] = []
    for (const projection of there) {
      const { name, key, version } = projection
      const own = { client, store, schema, projection, beside, meets: 'live' } as const
      const { live: checkpoint, comparison, differences } = await compared({ pool }, own)
      const row = isSame(comparison) ? undefined : differences[0]?.row
      const event = row === undefined || checkpoint === undefined
        ? undefined
        : await lastAbout(store, projection, row[key], checkpoint.position)
      rehearsed.push({ name, versions: [checkpoint?.version ?? 0, version], comparison, differences, event })
    }
    return rehearsed
  } finally {
    await client.query(`drop schema if exists ${id(beside)} cascade`).catch(() => undefined)
    client.release(true)
  }
}
