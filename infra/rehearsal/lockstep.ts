import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { isKnown } from '../../projections/known-event.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import type { Deciders } from './decisions.ts'

/** What a rehearsal needs of a release. */
export type Release = {
  readonly projections: readonly Projection[]
  /** Undefined: the release is older than its list of deciders. */
  readonly deciders: Deciders | undefined
}

const isProjection = (value: unknown): value is Projection =>
  typeof value === 'object' && value !== null && 'apply' in value && 'keys' in value && 'name' in value

const ProjectionsModule = z.object({ projections: z.array(z.custom<Projection>(isProjection)) })
const DecidersModule = z.object({
  deciders: z.custom<Deciders>((value) => typeof value === 'object' && value !== null),
})

/**
 * Loads another release from its folder, packages and all.
 *
 * @throws when there is no release, or it cannot be loaded
 */
export const releaseAt = async (folder: string): Promise<Release> => {
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(folder, path)).href)
  const DECIDERS = 'infra/rehearsal/deciders.ts'
  try {
    const { projections } = ProjectionsModule.parse(await load('projections/index.ts'))
    const deciders = existsSync(join(folder, DECIDERS)) ? DecidersModule.parse(await load(DECIDERS)).deciders : undefined
    return { projections, deciders }
  } catch (cause) {
    throw new Error(`${folder} holds no release that can be loaded`, { cause })
  }
}

/** The first event after which two releases disagree about a row. */
export type RowDivergence = {
  readonly projection: string
  readonly event: Recorded
  readonly key: string
  readonly columns: readonly string[]
  readonly one: Row | undefined
  readonly other: Row | undefined
}

type Pair = {
  readonly one: Projection
  readonly other: Projection
  /** One entry where both say the same, which is nearly everywhere. */
  readonly rows: Map<string, Row>
  found: RowDivergence | undefined
}

const columnsThatDiffer = (one: Row = {}, other: Row = {}): readonly string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (column) => !isDeepStrictEqual(one[column], other[column]),
  )

/**
 * Folds the projections that two releases have in common, event by event, and compares every row that an event touches.
 * Their rows are in memory; a projection is left alone once it has diverged.
 */
export const lockstep = (one: readonly Projection[], other: readonly Projection[]) => {
  const pairs = one.flatMap((projection): Pair[] => {
    const counterpart = other.find(({ name }) => name === projection.name)
    return counterpart === undefined ? [] : [{ one: projection, other: counterpart, rows: new Map(), found: undefined }]
  })
  const take = (pair: Pair, event: Recorded): void => {
    if (!isKnown(event)) return
    for (const key of new Set([...pair.one.keys(event), ...pair.other.keys(event)])) {
      const before = pair.rows.get(key)
      const rowOf = (projection: Projection): Row | undefined =>
        projection.keys(event).includes(key) ? projection.apply(before, event, key) : before
      const [here, there] = [rowOf(pair.one), rowOf(pair.other)]
      if (!isDeepStrictEqual(here, there)) {
        const columns = columnsThatDiffer(here, there)
        pair.found = { projection: pair.one.name, event, key, columns, one: here, other: there }
        pair.rows.clear()
        return
      }
      if (here === undefined) pair.rows.delete(key)
      else pair.rows.set(key, here)
    }
  }
  return {
    take: (event: Recorded): void => {
      for (const pair of pairs) if (pair.found === undefined) take(pair, event)
    },
    divergences: (): readonly RowDivergence[] => pairs.flatMap(({ found }) => found ?? []),
    compared: pairs.length,
  }
}
