import type { JsonValue } from '../domain/kernel/json.ts'
import type { KnownEvent } from './known-event.ts'

/** A row as it is folded: instants are RFC 3339 texts, lists are JSON. */
export type Row = { readonly [column: string]: JsonValue }

export type ColumnKind = 'text' | 'integer' | 'boolean' | 'time' | 'json'

/**
 * How one table follows from the log. Pure: it reads no other table, calls nothing, and the same events always give the
 * same rows.
 * The members are methods so that projections of different rows fit into one list.
 */
export type Projection<R extends Row = Row> = {
  readonly name: string
  /** Raised whenever the rows would come out differently: the table is then rebuilt from the log. */
  readonly version: number
  readonly table: string
  /** The column that tells rows apart. */
  readonly key: string & keyof R
  readonly columns: Readonly<Record<string & keyof R, ColumnKind>>
  /** The types of the events that can concern a row, so that a reader can leave the others where they are; absent: any. */
  readonly types?: readonly KnownEvent['type'][]
  /** The rows that an event concerns, by their keys; none for most events. */
  keys(event: KnownEvent): readonly string[]
  /** The row after the event; undefined deletes it, or leaves it absent. The same object back: nothing has changed. */
  apply(row: R | undefined, event: KnownEvent, key: string): R | undefined
}

/** Names the row's type once, so that columns, key and fold are checked against it. */
export const projection = <R extends Row>(members: Projection<R>): Projection<R> => members
