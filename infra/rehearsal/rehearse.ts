import type { Pool } from 'pg'
import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { isSame } from '../read-store/compare.ts'
import { type Decisions, type Divergence, decisions } from './decisions.ts'
import { type Release, type RowDivergence, lockstep } from './lockstep.ts'
import { type TableRehearsed, rehearseTables } from './tables.ts'

const BATCH_MAX = 4_000

type Against = {
  readonly rows: readonly RowDivergence[]
  /** How many projections were compared. */
  readonly compared: number
  readonly decisions: readonly Divergence[] | undefined
}

export type Rehearsal = ReturnType<Decisions['end']> & {
  readonly events: number
  readonly tables: readonly TableRehearsed[]
  /** Compared with another release: rows, and decisions of the candidate that the other one would not have made. */
  readonly against: Against | undefined
}

/** Whether everything came out as it is; a table that says by its version that it is another may differ. */
export const isTrue = ({ divergences, tables, against }: Rehearsal): boolean =>
  divergences.length === 0 &&
  tables.every(({ versions: [live, candidate], comparison }) => live !== candidate || isSame(comparison)) &&
  (against === undefined || against.rows.length + (against.decisions?.length ?? 0) === 0)

/** Those that the other release does not share. */
const own = (divergences: readonly Divergence[], others: readonly Divergence[]): readonly Divergence[] => {
  const told = ({ event: { id }, instead }: Divergence): string => JSON.stringify([id, instead])
  const shared = new Set(others.map(told))
  const mine = new Set(divergences.map(told))
  return [
    ...divergences.filter((divergence) => !shared.has(told(divergence))),
    ...others.filter((divergence) => !mine.has(told(divergence))),
  ]
}

/**
 * Runs a release over the whole log: its deciders decide again, its projections fold again; nothing is written but to a
 * schema that is dropped at the end.
 *
 * @param options.schema of the live tables, to compare with; undefined: there are none
 * @param options.against another release, which runs in lockstep
 */
export const rehearse = async ({ store, candidate, live, against, onProgress }: {
  readonly store: Pick<EventStore, 'readAll'>
  readonly candidate: Release
  readonly live: { readonly pool: Pick<Pool, 'connect'>; readonly schema: string } | undefined
  readonly against?: Release | undefined
  readonly onProgress?: (events: number, position: Position) => void
}): Promise<Rehearsal> => {
  const decided = decisions(candidate.deciders ?? {})
  const otherwise = against?.deciders === undefined ? undefined : decisions(against.deciders)
  const steps = against === undefined ? undefined : lockstep(candidate.projections, against.projections)
  let events = 0
  for (let after: Position | 'start' = 'start'; ; ) {
    const batch = await store.readAll({ after, prefixes: PREFIXES, limit: BATCH_MAX })
    const last = batch.at(-1)
    if (last === undefined) break
    for (const event of batch) {
      decided.take(event)
      otherwise?.take(event)
      steps?.take(event)
    }
    after = last.position
    events += batch.length
    onProgress?.(events, after)
  }
  const found = decided.end()
  const others = otherwise?.end()
  const tables = live === undefined ? [] : await rehearseTables({ store, ...live, projections: candidate.projections })
  return {
    ...found,
    events,
    tables,
    against: steps && {
      rows: steps.divergences(),
      compared: steps.compared,
      decisions: others && own(found.divergences, others.divergences),
    },
  }
}
