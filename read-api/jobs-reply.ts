import { z } from 'zod'

const instant = z.iso.datetime()

export const jobReply = z.object({
  job_id: z.string(),
  type: z.enum([
    'JOB_TYPE_DEPLOY_DATASTORE', 'JOB_TYPE_DESTROY_DATASTORE', 'JOB_TYPE_ADD_NODE', 'JOB_TYPE_REMOVE_NODE',
    'JOB_TYPE_PROMOTE_REPLICA', 'JOB_TYPE_REBOOT_NODE', 'JOB_TYPE_MODIFYDBCONFIG', 'JOB_TYPE_RESIZE_INSTANCE',
    'JOB_TYPE_REPAIR', 'JOB_TYPE_UPGRADE',
    'JOB_TYPE_CREATE_DATABASE', 'JOB_TYPE_DROP_DATABASE', 'JOB_TYPE_CREATE_USER', 'JOB_TYPE_CHANGE_USER',
    'JOB_TYPE_DROP_USER', 'JOB_TYPE_CHANGE_ADMIN',
    'JOB_TYPE_SCALE_VOLUME', 'JOB_TYPE_CHANGE_VOLUME_TYPE', 'JOB_TYPE_SET_READ_ONLY',
    'JOB_TYPE_APPLY_FIREWALL', 'JOB_TYPE_STOP_DATASTORE', 'JOB_TYPE_START_DATASTORE',
    'JOB_TYPE_FAILOVER', 'JOB_TYPE_REJOIN_NODE', 'JOB_TYPE_SET_SYNCHRONOUS',
  ]),
  status: z.enum(['JOB_STATUS_RUNNING', 'JOB_STATUS_FINISHED', 'JOB_STATUS_ERRORED']),
  title: z.string(),
  text: z.string().meta({ description: 'How it stands, in a sentence.' }),
  progress: z.int().min(0).max(100),
  needs_attention: z.boolean(),
  user: z.string().meta({ description: 'The login of who asked for it, or `system`.' }),
  created_at: instant,
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
  messages: z.array(z.string()),
  data: z.object({ ClusterUUID: z.string() }),
})

export const jobsReply = z.object({ jobs: z.array(jobReply), total: z.int() })

const step = z.object({
  name: z.string(),
  title: z.string(),
  state: z.enum(['pending', 'running', 'done', 'failed', 'skipped', 'undoing', 'undone']),
  attempts: z.int(),
  orders_total: z.int(),
  orders_done: z.int(),
})

const logLine = z.object({
  id: z.string(),
  at: instant,
  severity: z.enum(['info', 'warning', 'error']),
  step: z.string().nullable(),
  step_title: z.string().nullable(),
  host_uuid: z.string().nullable(),
  undo: z.boolean(),
  attempt: z.int().nullable(),
  line: z.string(),
})

export const jobDetailReply = jobReply.extend({
  steps: z.array(step),
  log: z.array(logLine).meta({ description: 'Oldest first; of a very long log the newest lines.' }),
})
