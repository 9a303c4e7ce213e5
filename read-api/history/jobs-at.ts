import { jobLog } from '../../projections/job-log.ts'
import { jobs } from '../../projections/jobs.ts'
import { sortablePosition } from '../../projections/positions.ts'
import type { JobLogRow, JobRow } from '../../projections/schema.ts'
import { type AuditDb, eventsOf, knownOf } from './events.ts'
import { foldRows, type Past, rowsOf } from './past.ts'

type Page = { readonly limit: number; readonly offset: number }

const queuedBy = (audit: AuditDb, { datastoreId, place }: Past) =>
  audit
    .selectFrom('audit.entries')
    .where('datastore_id', '=', datastoreId)
    .where('type', '=', 'JobQueued')
    .where('position', '<=', place)

/** These jobs as they were, from the events that queued them. */
const folded = async (
  audit: AuditDb,
  { datastoreId, place }: Past,
  queued: readonly { readonly event: string }[],
): Promise<readonly JobRow[]> => {
  const rows = new Map<string, JobRow>()
  const events = knownOf(queued)
  foldRows(jobs, rows, events)
  const [first] = events
  if (first === undefined) return []
  const streams = [`datastore-${datastoreId}`, ...[...rows.keys()].map((jobId) => `job-${jobId}`)]
  const part = { after: sortablePosition(first.position), upTo: place, types: jobs.types, streams }
  for await (const later of eventsOf(audit, datastoreId, part)) {
    foldRows(jobs, rows, later.filter((event) => event.type !== 'JobQueued'))
  }
  return [...rows.values()]
}

/** The jobs that a datastore had at an instant, newest first, and how many there were in all. */
export const jobsAt = async (
  audit: AuditDb,
  past: Past,
  { limit, offset }: Page,
): Promise<{ readonly total: number; readonly rows: readonly JobRow[] }> => {
  const [{ total }, page] = await Promise.all([
    queuedBy(audit, past).select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
    queuedBy(audit, past).select('event').orderBy('position', 'desc').limit(limit).offset(offset).execute(),
  ])
  const rows = await folded(audit, past, page.toReversed())
  return { total: Number(total), rows: rows.toReversed() }
}

/** One job as it was at an instant, and its log until then, oldest line first. */
export const jobAt = async (
  audit: AuditDb,
  past: Past,
  { jobId, linesMax }: { readonly jobId: string; readonly linesMax: number },
): Promise<{ readonly row: JobRow; readonly log: readonly JobLogRow[] } | undefined> => {
  // The text is canonical JSON, so a member is written in one way.
  const queued = queuedBy(audit, past).select('event').where('event', 'like', `%"jobId":"${jobId}"%`)
  const [row] = await folded(audit, past, await queued.execute())
  if (row === undefined) return undefined
  const part = { datastoreId: past.datastoreId, after: row.queued_position, upTo: past.place, streams: [`job-${jobId}`] }
  const log = await rowsOf(audit, jobLog, part)
  return { row, log: [...log.values()].slice(-linesMax) }
}
