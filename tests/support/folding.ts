import type { Event } from '../../domain/kernel/decider.ts'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { isKnown } from '../../projections/known-event.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import { noon } from './examples.ts'
import { deepFreeze } from './given.ts'

/** Events as they would stand in the log, one after the other. */
export const recorded = (streamOf: (event: Event) => string, events: readonly Event[]): readonly Recorded[] =>
  events.map((event, n) => ({
    ...event,
    id: `event-${n}`,
    stream: streamOf(event),
    revision: BigInt(n),
    position: { commit: BigInt(n), prepare: BigInt(n) },
    recordedAt: noon,
    metadata: {
      commandId: 'command',
      correlationId: 'request',
      causationId: 'request',
      actor: { kind: 'user', id: 'acc_1' },
    },
  }))

/** A projection's rows after some events, on top of `before`. Rows are frozen: a fold that changes one fails. */
export const rowsAfter = <R extends Row>(
  projection: Projection<R>,
  events: readonly Recorded[],
  before: ReadonlyMap<string, R> = new Map(),
): ReadonlyMap<string, R> => {
  const rows = new Map(before)
  for (const event of events) {
    if (!isKnown(event)) continue
    for (const key of projection.keys(event)) {
      const row = projection.apply(rows.get(key), event, key)
      if (row === undefined) rows.delete(key)
      else rows.set(key, deepFreeze(row))
    }
  }
  return rows
}
