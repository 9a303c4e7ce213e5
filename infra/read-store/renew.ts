import type { Pool, PoolClient } from 'pg'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import { type Checkpoint, lowest, readCheckpoints } from './checkpoints.ts'
import { type Comparison, type Difference, compare, comparison, isSame } from './compare.ts'
import { type Filled, fill } from './fill.ts'
import { tryRole } from './locks.ts'
import { type Candidate, approach, meet, takeOver } from './take-over.ts'
import { nextOf, previousOf } from './tables.ts'

/** For the comparison of two tables, so that long ones need not be sorted on disk. */
const WORK_MEM = '64MB'

export type RenewOptions = {
  readonly store: Pick<EventStore, 'readAll'>
  readonly pool: Pick<Pool, 'connect'>
  readonly schema: string
  readonly projections: readonly Projection[]
  readonly signal?: AbortSignal | undefined
}

/** What came of making one projection's table anew. */
export type Renewed = {
  readonly name: string
  /** Of the live table; undefined when it had never been filled. */
  readonly liveVersion: number | undefined
  readonly version: number
  /** Live against new. */
  readonly comparison: Comparison
  /** Some of the rows that differ. */
  readonly differences: readonly Difference[]
  /** `swapped`, or why not. */
  readonly outcome: 'swapped' | 'not-asked-for' | 'rows-differ' | 'another-version-at-work'
  /** For how long the projector had to wait at most, in ms: once for the comparison's snapshot, once for the swap. */
  readonly atRestMs: number
}

/** No other rebuild works on these tables until the connection ends. */
const alone = async <T>({ pool, schema }: RenewOptions, work: (client: PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect()
  // The query that breaks with the connection says so itself.
  client.on('error', () => undefined)
  try {
    if (!(await tryRole(client, 'rebuild', schema))) throw new Error('another rebuild of these tables is at work')
    return await work(client)
  } finally {
    // The end of the connection would give them up as well, but only some time after it is asked for.
    await client.query('select pg_advisory_unlock_all()').catch(() => undefined)
    client.release(true)
  }
}

/**
 * Compares a live table with the one beside it in one snapshot, taken where they stand at the same event; the projector
 * goes on meanwhile.
 *
 * @returns the live table's checkpoint, how they differ, some rows that do, and how long the projector had to wait in ms
 */
export const compared = async ({ pool }: Pick<RenewOptions, 'pool'>, own: Candidate) => {
  const { schema, projection, beside } = own
  const looker = await pool.connect()
  looker.on('error', () => undefined)
  try {
    const { result: live, atRestMs } = await meet(own, async (checkpoint) => {
      // The first query of a transaction takes its snapshot.
      await looker.query(`begin isolation level repeatable read read only; set local work_mem = '${WORK_MEM}'; select 1`)
      return checkpoint
    })
    const found = await comparison(looker, projection, [schema, beside])
    const differences = isSame(found) ? [] : await compare(looker, [projection], [schema, beside])
    await looker.query('commit')
    return { live, atRestMs, comparison: found, differences }
  } finally {
    looker.release(true)
  }
}

type Wishes = { readonly accept: boolean; readonly swap: boolean }

const renewOne = async (options: RenewOptions, own: Candidate, { accept, swap }: Wishes): Promise<Renewed> => {
  const { client, schema, projection: { name, version } } = own
  const { live, ...found } = await compared(options, own)
  const renewed = { name, version, liveVersion: live?.version, ...found }
  if (!swap) return { ...renewed, outcome: 'not-asked-for' }
  const sameVersion = live?.version === version
  if (sameVersion && !accept && !isSame(found.comparison)) return { ...renewed, outcome: 'rows-differ' }
  // A projector of another version would go on writing rows of that version into this table.
  if (live !== undefined && !sameVersion && !(await tryRole(client, 'projector', schema))) {
    return { ...renewed, outcome: 'another-version-at-work' }
  }
  return { ...renewed, outcome: 'swapped', atRestMs: Math.max(found.atRestMs, await takeOver(own)) }
}

/**
 * Makes tables anew from the log beside the live ones, while those are written and read; compares row by row; and puts
 * the new ones in their place, each in one transaction. What was live is kept as the previous table.
 *
 * @param options.accept swap although rows differ from the live table's of the same version
 * @param options.swap false: only make and compare
 * @param options.onProgress told after every batch how many events have been taken in, and up to where
 * @throws when another rebuild is at work, or a table was in use for a minute
 */
export const renew = (
  options: RenewOptions & Wishes & { readonly onProgress?: (filled: Filled) => void },
): Promise<readonly Renewed[]> =>
  alone(options, async (client) => {
    const { store, schema, projections, signal, onProgress } = options
    const live = await readCheckpoints(client, schema)
    const least = lowest(projections.map(({ name }) => live.get(name)?.position ?? 'start'))
    const upTo = least === 'start' ? undefined : least
    await fill(client, { store, schema: nextOf(schema), projections, upTo, signal, onProgress })
    const candidates = projections.map((projection): Candidate => {
      const meets = live.has(projection.name) ? 'live' : 'end'
      return { client, store, schema, projection, beside: nextOf(schema), meets, signal }
    })
    const renewed: Renewed[] = []
    for (const [n, candidate] of candidates.entries()) {
      // All that are left at once: the log is read once for them.
      await approach(candidates.slice(n))
      renewed.push(await renewOne(options, candidate, options))
    }
    return renewed
  })

/**
 * Puts the table that was live before the last swap back in its place, once it has taken in what happened since.
 *
 * @returns for how long the projector had to wait, in ms
 * @throws when there is no previous table, or it is of another version than the live one: that is swapped back by the
 *   release which has that version
 */
export const swapBack = (options: RenewOptions, projection: Projection): Promise<number> =>
  alone(options, async (client) => {
    const { store, schema, signal } = options
    const { name, version } = projection
    const live = (await readCheckpoints(client, schema)).get(name)
    const previous = (await readCheckpoints(client, previousOf(schema))).get(name)
    if (previous === undefined) throw new Error(`there is no previous table of ${name}`)
    if (previous.version !== version || live?.version !== version) {
      const versions = `live ${live?.version ?? 'none'}, previous ${previous.version}, this release's ${version}`
      throw new Error(`the tables of ${name} are of different versions (${versions}); start the release that has it`)
    }
    return takeOver({ client, store, schema, projection, beside: previousOf(schema), meets: 'live', signal })
  })

export type Standing = {
  readonly name: string
  readonly version: number
  readonly live: Checkpoint | undefined
  readonly next: Checkpoint | undefined
  readonly previous: Checkpoint | undefined
}

/** Which tables there are of each projection, and how far each has come. */
export const standings = async (
  pool: Pick<Pool, 'query'>,
  { schema, projections }: Pick<RenewOptions, 'schema' | 'projections'>,
): Promise<readonly Standing[]> => {
  const [live, next, previous] = [
    await readCheckpoints(pool, schema),
    await readCheckpoints(pool, nextOf(schema)),
    await readCheckpoints(pool, previousOf(schema)),
  ]
  return projections.map(({ name, version }) => ({
    name,
    version,
    live: live.get(name),
    next: next.get(name),
    previous: previous.get(name),
  }))
}
