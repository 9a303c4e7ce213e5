import type { JobEvent } from '../domain/job/messages.ts'
import type { Place } from '../domain/job/orders.ts'
import { isNodeKey } from '../domain/job/saga.ts'
import type { KnownEvent } from './known-event.ts'
import { sortablePosition } from './positions.ts'
import { projection } from './projection.ts'
import type { JobLogRow } from './schema.ts'

/** One row per line that a tenant can read about his job. Keyed by position, so that the index grows at its end. */
export const jobLog = projection<JobLogRow>({
  name: 'job-log',
  version: 2,
  table: 'job_log',
  key: 'position',
  columns: {
    job_id: 'text',
    datastore_id: 'text',
    severity: 'text',
    step: 'text',
    node_id: 'text',
    course: 'text',
    attempt: 'integer',
    line: 'text',
    position: 'text',
    at: 'time',
  },

  types: [
    'JobStarted',
    'StepOrdered',
    'StepNoted',
    'StepSucceeded',
    'StepFailed',
    'AttentionNeeded',
    'JobCancelled',
    'UnwindingBegun',
    'JobFinished',
    'JobUnwound',
    'JobAbandoned',
  ],

  keys: (event) => (said(event) === undefined ? [] : [sortablePosition(event.position)]),

  apply(row, event, key) {
    const entry = said(event)
    if (entry === undefined) return row
    const { jobId, datastoreId, at } = entry.about
    const { severity, line, place } = entry
    return {
      job_id: jobId,
      datastore_id: datastoreId,
      severity,
      step: place?.step ?? null,
      node_id: place !== undefined && isNodeKey(place.key) ? place.key : null,
      course: place?.course ?? 'forward',
      attempt: place?.attempt ?? null,
      line,
      position: key,
      at,
    }
  },
})

type Said = {
  readonly about: Pick<JobEvent['data'], 'jobId' | 'datastoreId' | 'at'>
  readonly severity: JobLogRow['severity']
  readonly line: string
  readonly place?: Omit<Place, 'attempt'> & { readonly attempt?: number }
}

const beginning = (attempt: number): string => (attempt === 1 ? 'begun' : `attempt ${attempt}`)

const said = ({ type, data }: KnownEvent): Said | undefined => {
  switch (type) {
    case 'JobStarted':
      return { about: data, severity: 'info', line: `${data.title}: begun` }
    case 'StepOrdered':
      return { about: data, place: data, severity: 'info', line: beginning(data.attempt) }
    case 'StepNoted':
      return { about: data, place: data, severity: 'info', line: data.line }
    case 'StepSucceeded':
      return { about: data, place: data, severity: 'info', line: data.course === 'forward' ? 'done' : 'undone' }
    case 'StepFailed':
      return {
        about: data,
        place: data,
        severity: data.retryAt === null ? 'error' : 'warning',
        line: data.retryAt === null ? data.because : `${data.because}; it will be tried again`,
      }
    case 'AttentionNeeded':
      return { about: data, place: data, severity: 'error', line: `an operator was asked to look: ${data.because}` }
    case 'JobCancelled':
      return { about: data, severity: 'warning', line: `cancelled: ${data.because}` }
    case 'UnwindingBegun':
      return { about: data, severity: 'error', line: `what was done is being undone: ${data.because}` }
    case 'JobFinished':
      return { about: data, severity: 'info', line: 'finished' }
    case 'JobUnwound':
      return { about: data, severity: 'warning', line: `everything it had done is undone: ${data.because}` }
    case 'JobAbandoned':
      return { about: data, severity: 'warning', line: `given up where it stood: ${data.because}` }
    default:
      return undefined
  }
}
