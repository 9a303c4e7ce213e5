import type { z } from 'zod'
import type { JobLogRow, JobRow, JobStep } from '../projections/schema.ts'
import type { jobReply } from './jobs-reply.ts'
import { isoOf, type Timed } from './rows.ts'

export type Job = Timed<JobRow, 'queued_at' | 'started_at' | 'ended_at'> & { readonly login: string | null }
export type LogLine = Timed<JobLogRow, 'at'>
type JobReply = z.infer<typeof jobReply>

const TYPES: Readonly<Record<Job['kind'], JobReply['type']>> = {
  'deploy-datastore': 'JOB_TYPE_DEPLOY_DATASTORE',
  'delete-datastore': 'JOB_TYPE_DESTROY_DATASTORE',
  'add-nodes': 'JOB_TYPE_ADD_NODE',
  'remove-nodes': 'JOB_TYPE_REMOVE_NODE',
  'promote-replica': 'JOB_TYPE_PROMOTE_REPLICA',
  'reboot-node': 'JOB_TYPE_REBOOT_NODE',
  'repair-node': 'JOB_TYPE_REPAIR',
  'upgrade-node': 'JOB_TYPE_UPGRADE',
  'grow-volumes': 'JOB_TYPE_SCALE_VOLUME',
  'change-volume-type': 'JOB_TYPE_CHANGE_VOLUME_TYPE',
  'set-read-only': 'JOB_TYPE_SET_READ_ONLY',
  'resize-instances': 'JOB_TYPE_RESIZE_INSTANCE',
  'change-parameters': 'JOB_TYPE_MODIFYDBCONFIG',
  'create-database': 'JOB_TYPE_CREATE_DATABASE',
  'drop-database': 'JOB_TYPE_DROP_DATABASE',
  'create-user': 'JOB_TYPE_CREATE_USER',
  'change-user': 'JOB_TYPE_CHANGE_USER',
  'drop-user': 'JOB_TYPE_DROP_USER',
  'change-admin': 'JOB_TYPE_CHANGE_ADMIN',
  'apply-firewall': 'JOB_TYPE_APPLY_FIREWALL',
  'stop-datastore': 'JOB_TYPE_STOP_DATASTORE',
  'start-datastore': 'JOB_TYPE_START_DATASTORE',
  'fail-over': 'JOB_TYPE_FAILOVER',
  'rejoin-node': 'JOB_TYPE_REJOIN_NODE',
  'set-synchronous': 'JOB_TYPE_SET_SYNCHRONOUS',
}

// A client polls until it reads one of the last two, so a job that waits for its turn is running too.
const STATUSES: Readonly<Record<Job['state'], JobReply['status']>> = {
  queued: 'JOB_STATUS_RUNNING',
  running: 'JOB_STATUS_RUNNING',
  finished: 'JOB_STATUS_FINISHED',
  failed: 'JOB_STATUS_ERRORED',
  cancelled: 'JOB_STATUS_ERRORED',
  dropped: 'JOB_STATUS_ERRORED',
}

const isoOrNull = (time: Date | string | null): string | null => (time === null ? null : isoOf(time))

/** A job as clients read it, whether its row is of today or of long ago. */
export const jobReplyOf = (row: Job): JobReply => ({
  job_id: row.job_id,
  type: TYPES[row.kind],
  status: STATUSES[row.state],
  title: row.title ?? row.kind.replaceAll('-', ' '),
  text: textOf(row),
  progress: row.progress_percent,
  needs_attention: row.needs_attention,
  user: row.login ?? row.queued_by,
  created_at: isoOf(row.queued_at),
  started_at: isoOrNull(row.started_at),
  finished_at: isoOrNull(row.ended_at),
  messages: row.reason === null ? [] : [row.reason],
  data: { ClusterUUID: row.datastore_id },
})

const textOf = ({ state, reason, steps }: Job): string => {
  switch (state) {
    case 'queued':
      return 'Waiting for its turn'
    case 'running':
      return reason === null ? doing(steps) : `Undoing what was done: ${reason}`
    case 'finished':
      return 'Finished'
    case 'failed':
      return `Failed: ${reason}`
    case 'cancelled':
      return `Cancelled: ${reason}`
    case 'dropped':
      return `Never begun: ${reason}`
  }
}

const doing = (steps: readonly JobStep[]): string => {
  const step = steps.find(({ state }) => state === 'running')
  if (step === undefined) return 'Running'
  return step.attempts > 1 ? `${step.title} (attempt ${step.attempts})` : step.title
}

export const stepReplyOf = ({ name, title, state, attempts, orders }: JobStep) => ({
  name,
  title,
  state,
  attempts,
  orders_total: Object.keys(orders).length,
  orders_done: Object.values(orders).filter((order) => order === 'done').length,
})

export const logReplyOf = (entry: LogLine, steps: readonly JobStep[]) => ({
  id: entry.position,
  at: isoOf(entry.at),
  severity: entry.severity,
  step: entry.step,
  step_title: steps.find(({ name }) => name === entry.step)?.title ?? null,
  host_uuid: entry.node_id,
  undo: entry.course === 'back',
  attempt: entry.attempt,
  line: entry.line,
})
