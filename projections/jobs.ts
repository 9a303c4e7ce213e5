import type { JobQueued } from '../domain/datastore/messages.ts'
import type { Recorded } from '../domain/kernel/event-store.ts'
import {
  abandonedSteps, failedSteps, finishedSteps, orderedSteps, plannedSteps, succeededSteps, unwoundSteps,
} from './job-steps.ts'
import type { KnownEvent } from './known-event.ts'
import { sortablePosition } from './positions.ts'
import { projection } from './projection.ts'
import type { JobRow } from './schema.ts'

/** One row per job, from the moment it is queued and for ever: the jobs of a deleted datastore stay readable. */
export const jobs = projection<JobRow>({
  name: 'jobs',
  version: 2,
  table: 'jobs',
  key: 'job_id',
  columns: {
    job_id: 'text',
    datastore_id: 'text',
    owner_id: 'text',
    kind: 'text',
    state: 'text',
    title: 'text',
    progress_percent: 'integer',
    reason: 'text',
    needs_attention: 'boolean',
    steps: 'json',
    queued_by: 'text',
    queued_position: 'text',
    queued_at: 'time',
    started_at: 'time',
    ended_at: 'time',
  },

  types: [
    'JobQueued',
    'JobDropped',
    'JobEnded',
    'JobStarted',
    'StepOrdered',
    'StepSucceeded',
    'StepFailed',
    'AttentionNeeded',
    'JobCancelled',
    'UnwindingBegun',
    'JobFinished',
    'JobUnwound',
    'JobAbandoned',
  ],

  keys({ type, data }) {
    switch (type) {
      case 'JobQueued':
      case 'JobDropped':
      case 'JobEnded':
      case 'JobStarted':
      case 'StepOrdered':
      case 'StepSucceeded':
      case 'StepFailed':
      case 'AttentionNeeded':
      case 'JobCancelled':
      case 'UnwindingBegun':
      case 'JobFinished':
      case 'JobUnwound':
      case 'JobAbandoned':
        return [data.jobId]
      default:
        return []
    }
  },

  apply(row, event) {
    if (event.type === 'JobQueued') return queued(event)
    return row === undefined ? undefined : changed(row, event)
  },
})

const queued = ({ data, metadata: { actor }, position }: Recorded<JobQueued>): JobRow => ({
  job_id: data.jobId,
  datastore_id: data.datastoreId,
  owner_id: data.ownerId,
  kind: data.kind,
  state: 'queued',
  title: null,
  progress_percent: 0,
  reason: null,
  needs_attention: false,
  steps: [],
  queued_by: actor.kind === 'system' ? 'system' : actor.id,
  queued_position: sortablePosition(position),
  queued_at: data.at,
  started_at: null,
  ended_at: null,
})

const changed = (row: JobRow, { type, data }: KnownEvent): JobRow => {
  switch (type) {
    case 'JobStarted':
      return { ...row, state: 'running', title: data.title, started_at: data.at, steps: plannedSteps(data.steps) }
    case 'StepOrdered': {
      const steps = orderedSteps(row.steps, data)
      // Going on to another step means that the one before has come to its end after all.
      return { ...row, steps, needs_attention: row.needs_attention && data.attempt > 1 }
    }
    case 'StepSucceeded':
      return { ...row, steps: succeededSteps(row.steps, data), progress_percent: data.progressPercent }
    case 'StepFailed':
      return { ...row, steps: failedSteps(row.steps, data, data.retryAt === null) }
    case 'AttentionNeeded':
      return { ...row, needs_attention: true }
    case 'JobCancelled':
    case 'UnwindingBegun':
      return { ...row, reason: data.because }
    case 'JobFinished':
      return { ...row, steps: finishedSteps(row.steps) }
    case 'JobUnwound':
      return { ...row, steps: unwoundSteps(row.steps), reason: data.because }
    case 'JobAbandoned':
      return { ...row, steps: abandonedSteps(row.steps), reason: data.because }
    case 'JobDropped':
      return { ...row, state: 'dropped', reason: data.because, ended_at: data.at }
    // Only here, because what the job has changed of the datastore is written with it.
    case 'JobEnded': {
      const progress = data.end === 'finished' ? 100 : row.progress_percent
      const end = { state: data.end, reason: data.because, ended_at: data.at }
      return { ...row, ...end, progress_percent: progress, needs_attention: false }
    }
    default:
      return row
  }
}
