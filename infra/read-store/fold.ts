import type { ClientBase } from 'pg'
import type { KnownEvent } from '../../projections/known-event.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import { deleteRows, loadRows, putRows } from './rows.ts'

export type Touch = { readonly event: KnownEvent; readonly key: string }

/** Which rows the events concern, in the order of the log. */
export const touchesOf = (projection: Projection, events: readonly KnownEvent[]): readonly Touch[] =>
  events.flatMap((event) => projection.keys(event).map((key) => ({ event, key })))

/** What the touched rows come to; a row that is what it was is left out. */
const changesOf = (projection: Projection, before: ReadonlyMap<string, Row>, touches: readonly Touch[]) => {
  const after = new Map<string, Row | undefined>()
  for (const { event, key } of touches) {
    const row = after.has(key) ? after.get(key) : before.get(key)
    after.set(key, projection.apply(row, event, key))
  }
  const changed = [...after].filter(([key, row]) => row !== before.get(key))
  return {
    put: changed.flatMap(([, row]) => (row === undefined ? [] : [row])),
    gone: changed.flatMap(([key, row]) => (row === undefined ? [key] : [])),
  }
}

/**
 * Takes events into one projection's table: one read, one write and one delete at most, whatever the number of events.
 * Meant to run in the transaction that also moves the projection's checkpoint.
 */
export const foldInto = async (
  client: ClientBase,
  schema: string,
  projection: Projection,
  events: readonly KnownEvent[],
): Promise<void> => {
  const touches = touchesOf(projection, events)
  if (touches.length === 0) return
  const table = { schema, projection }
  const before = await loadRows(client, table, [...new Set(touches.map(({ key }) => key))])
  const { put, gone } = changesOf(projection, before, touches)
  await deleteRows(client, table, gone)
  await putRows(client, table, put)
}

/**
 * Runs `work` in a transaction of a connection that is in no other. It does not wait for the disk: what a crash of the
 * database may take back, rows and checkpoints together, is taken in again from the log.
 *
 * @param first a statement to begin with, in the same round trip
 */
export const inTransaction = async <T>(client: ClientBase, work: () => Promise<T>, first = ''): Promise<T> => {
  await client.query(`begin; set local synchronous_commit = off; ${first}`)
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    // On a connection that is gone the transaction is gone too.
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}
