import { sql } from 'kysely'
import { Refused } from '../../domain/kernel/endpoint.ts'
import { isAfter, type Position } from '../../domain/kernel/event-store.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { datastores } from '../../projections/datastores.ts'
import { jobs } from '../../projections/jobs.ts'
import type { KnownEvent } from '../../projections/known-event.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { nodes as nodesProjection } from '../../projections/nodes.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import type { DatastoreRow, JobRow, NodesRow } from '../../projections/schema.ts'
import { noDatastore } from '../asked.ts'
import { type AuditDb, beginningOf, eventsOf, type Part, placeAt } from './events.ts'
import { endOf, instantText, type PastInstant } from './instant.ts'

const WAIT_MS = 1_000
/** The trail is behind the log by less than this, in milliseconds, unless something is wrong. */
const RECENT_MS = 5_000
const RECENT_WAIT_MS = 250

export type HistoryQueries = {
  readonly audit: AuditDb
  /** The end of the log as it is at this moment. */
  readonly head: () => Promise<Position | 'start'>
  /** Waits until the audit trail has taken in a position, so many milliseconds at most; whether it has. */
  readonly waitFor: (position: Position, withinMs: number) => Promise<boolean>
  readonly now: () => Instant
}

/**
 * Sees to it that the instant has been, and that the audit trail has taken it in.
 *
 * @throws Refused with `instant-not-reached`
 */
export const reach = async ({ head, waitFor, now }: HistoryQueries, instant: PastInstant): Promise<void> => {
  const refused = (because: string) => new Refused({ rejected: 'instant-not-reached', because })
  if ('time' in instant) {
    const present = now()
    if (instant.time > present) throw refused(`${instant.time} lies in the future: it is ${present}`)
    const end = Date.parse(present) - Date.parse(instant.time) < RECENT_MS ? await head() : 'start'
    // What the log ends with may be of no interest to the trail, which then never says that it has come so far.
    if (end !== 'start') await waitFor(end, RECENT_WAIT_MS)
    return
  }
  const end = await head()
  if (end === 'start' || isAfter(instant.position, end)) {
    throw refused(`the position ${instantText(instant)} lies beyond the end of the log`)
  }
  await waitFor(instant.position, WAIT_MS)
}

/** Takes events into rows, in their order. */
export const foldRows = <R extends Row>(
  projection: Projection<R>,
  rows: Map<string, R>,
  events: readonly KnownEvent[],
): void => {
  for (const event of events) {
    for (const key of projection.keys(event)) {
      const row = projection.apply(rows.get(key), event, key)
      if (row === undefined) rows.delete(key)
      else rows.set(key, row)
    }
  }
}

/**
 * The rows that a projection makes of one datastore's history.
 *
 * @param part which part of it; the projection's own types of events, unless it names others
 */
export const rowsOf = async <R extends Row>(
  audit: AuditDb,
  projection: Projection<R>,
  { datastoreId, ...part }: Part & { readonly datastoreId: string },
): Promise<ReadonlyMap<string, R>> => {
  const rows = new Map<string, R>()
  for await (const events of eventsOf(audit, datastoreId, { types: projection.types, ...part })) {
    foldRows(projection, rows, events)
  }
  return rows
}

/** The jobs that had not ended, in the order they would run. */
export const openJobsOf = async (audit: AuditDb, datastoreId: string, upTo: string): Promise<readonly JobRow[]> => {
  const rows = new Map<string, JobRow>()
  const queue = { upTo, types: ['JobQueued', 'JobDropped', 'JobEnded'], streams: [`datastore-${datastoreId}`] } as const
  for await (const events of eventsOf(audit, datastoreId, queue)) {
    foldRows(jobs, rows, events)
    for (const [jobId, { state }] of rows) if (state !== 'queued') rows.delete(jobId)
  }
  const [first] = rows.values()
  if (first === undefined) return []
  // Nothing but how far they have come is told of open jobs, and nothing of them came before the first was queued.
  const streams = [...rows.keys()].map((jobId) => `job-${jobId}`)
  const doings = { after: first.queued_position, upTo, types: ['JobStarted', 'StepSucceeded'], streams } as const
  for await (const events of eventsOf(audit, datastoreId, doings)) foldRows(jobs, rows, events)
  return [...rows.values()]
}

/** A datastore as it was at an instant. */
export type Past = {
  readonly datastoreId: string
  /** Up to where its events count, as text that sorts. */
  readonly place: string
  /** The row that a projection keeps under the datastore's id. */
  readonly row: <R extends Row>(projection: Projection<R>) => Promise<R | undefined>
  /** @throws Refused with `datastore-not-found` for one that was deleted by then */
  readonly datastore: () => Promise<DatastoreRow>
  readonly openJobs: () => Promise<readonly JobRow[]>
}

/**
 * A datastore as it was at an instant, for its owner.
 *
 * @throws Refused with `instant-not-reached`; with `datastore-not-found` for one that is another's, never was, or was not yet
 */
export const pastOf = async (
  queries: HistoryQueries,
  { uuid: datastoreId, ownerId, asOf }: { readonly uuid: string; readonly ownerId: string; readonly asOf: PastInstant },
): Promise<Past> => {
  const { audit } = queries
  await reach(queries, asOf)
  const [beginning, place] = await Promise.all([beginningOf(audit, datastoreId), placeAt(audit, datastoreId, asOf)])
  if (beginning === undefined || beginning.data.spec.ownerId !== ownerId) throw noDatastore(datastoreId)
  if (sortablePosition(beginning.position) > place) {
    throw gone(`datastore ${datastoreId} has existed only since ${beginning.recordedAt}`)
  }
  const row: Past['row'] = async (projection) => (await rowsOf(audit, projection, { datastoreId, upTo: place })).get(datastoreId)
  const datastore = async (): Promise<DatastoreRow> => {
    const found = await row(datastores)
    if (found === undefined) throw gone(`datastore ${datastoreId} was deleted by then`)
    return found
  }
  return { datastoreId, place, row, datastore, openJobs: () => openJobsOf(audit, datastoreId, place) }
}

const gone = (because: string): Refused => new Refused({ rejected: 'datastore-not-found', because })

type PastList = {
  readonly total: number
  readonly rows: readonly DatastoreRow[]
  readonly jobs: readonly JobRow[]
  readonly nodes: readonly NodesRow[]
}

/** Which datastores an owner had at an instant, newest first, and how many there were in all. */
export const datastoresAt = async (
  queries: HistoryQueries,
  { ownerId, asOf, limit, offset }: {
    readonly ownerId: string
    readonly asOf: PastInstant
    readonly limit: number
    readonly offset: number
  },
): Promise<PastList> => {
  const { audit } = queries
  await reach(queries, asOf)
  const until = (type: string) => {
    const events = audit.selectFrom('audit.entries').where('organisation_id', '=', ownerId).where('type', '=', type)
    return 'time' in asOf
      ? events.where('at', '<', endOf(asOf))
      : events.where('position', '<=', sortablePosition(asOf.position))
  }
  const there = until('DatastoreCreated').where('datastore_id', 'not in', () =>
    until('DatastoreDeleted').where('datastore_id', 'is not', null).select('datastore_id'),
  )
  const [{ total }, found] = await Promise.all([
    there.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
    there
      .select('datastore_id')
      .orderBy(sql`event::jsonb #>> '{data,at}'`, 'desc')
      .orderBy('datastore_id')
      .limit(limit)
      .offset(offset)
      .execute(),
  ])
  const each = await Promise.all(
    found.flatMap(({ datastore_id: datastoreId }) => (datastoreId === null ? [] : [asListed(audit, datastoreId, asOf)])),
  )
  return {
    total: Number(total),
    rows: each.flatMap(({ row }) => (row === undefined ? [] : [row])),
    jobs: each.flatMap(({ open }) => open),
    nodes: each.flatMap(({ nodes }) => nodes ?? []),
  }
}

const asListed = async (audit: AuditDb, datastoreId: string, asOf: PastInstant) => {
  const upTo = await placeAt(audit, datastoreId, asOf)
  const [rows, open, nodes] = await Promise.all([
    rowsOf(audit, datastores, { datastoreId, upTo }),
    openJobsOf(audit, datastoreId, upTo),
    rowsOf(audit, nodesProjection, { datastoreId, upTo }),
  ])
  return { row: rows.get(datastoreId), open, nodes: nodes.get(datastoreId) }
}
