import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { JobStep, ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { jobDetailReply, type jobReply, jobsReply } from './jobs-reply.ts'

type Job = Selectable<ReadSchema['jobs']> & { readonly login: string | null }
type JobReply = z.infer<typeof jobReply>
type JobQueries = { readonly db: Kysely<ReadSchema>; readonly personal: Pick<PersonalData, 'open'> }
type LogLine = Selectable<ReadSchema['job_log']>

const PATH = '/api/deployment/v2/data-stores/:uuid/jobs'
const tag = 'Jobs'
const LOG_LINES_MAX = 1_000

const TYPES: Readonly<Record<Job['kind'], JobReply['type']>> = {
  'deploy-datastore': 'JOB_TYPE_DEPLOY_DATASTORE',
  'delete-datastore': 'JOB_TYPE_DESTROY_DATASTORE',
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

/** The jobs of a datastore, also of one that is deleted. */
export const jobs = (queries: JobQueries): readonly Endpoint[] => [list(queries), get(queries)]

const jobsOf = (db: Kysely<ReadSchema>, datastoreId: string, ownerId: string) =>
  db.selectFrom('jobs').where('jobs.datastore_id', '=', datastoreId).where('jobs.owner_id', '=', ownerId)

/** The same jobs with the logins of those who asked for them. */
const named = async ({ personal }: JobQueries, rows: readonly Job[]): Promise<readonly Job[]> => {
  const logins = await personal.open(rows.map(({ login }) => login ?? ''))
  return rows.map((row, n) => ({ ...row, login: logins[n] || null }))
}

const list = (queries: JobQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the jobs of a datastore, newest first',
    tag,
    access: 'user',
    params: datastoreParams,
    query: pageQuery(10),
    replies: { 200: { description: 'A part of the list, and how many there are in all.', schema: jobsReply } },
    handle: async ({ params: { uuid }, query: { limit, offset }, principal }) => {
      const owned = jobsOf(queries.db, uuid, principal.ownerId)
      const [{ total }, rows] = await Promise.all([
        owned.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
        owned
          .leftJoin('accounts', 'accounts.account_id', 'jobs.queued_by')
          .selectAll('jobs')
          .select('accounts.login')
          .orderBy('queued_position', 'desc')
          .limit(limit)
          .offset(offset)
          .execute(),
      ])
      // Every datastore was deployed by a job, so who sees none has none.
      if (Number(total) === 0) throw noDatastore(uuid)
      return { status: 200, body: { jobs: (await named(queries, rows)).map(reply), total: Number(total) } }
    },
  })

const get = (queries: JobQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:jobId`,
    summary: 'Read a job with its steps and its log',
    tag,
    access: 'user',
    params: datastoreParams.extend({ jobId: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'The job.', schema: jobDetailReply } },
    handle: async ({ params: { uuid, jobId }, principal }) => {
      const owned = jobsOf(queries.db, uuid, principal.ownerId).where('jobs.job_id', '=', jobId)
      const [row, lines] = await Promise.all([
        owned
          .leftJoin('accounts', 'accounts.account_id', 'jobs.queued_by')
          .selectAll('jobs')
          .select('accounts.login')
          .executeTakeFirst(),
        owned
          .innerJoin('job_log', 'job_log.job_id', 'jobs.job_id')
          .selectAll('job_log')
          .orderBy('job_log.position', 'desc')
          .limit(LOG_LINES_MAX)
          .execute(),
      ])
      const [job] = await named(queries, row === undefined ? [] : [row])
      if (job === undefined) throw new Refused({ rejected: 'job-not-found', because: `there is no job ${jobId}` })
      const log = lines.toReversed().map((line) => logReply(line, job.steps))
      return { status: 200, body: { ...reply(job), steps: job.steps.map(stepReply), log } }
    },
  })

const reply = (row: Job): JobReply => ({
  job_id: row.job_id,
  type: TYPES[row.kind],
  status: STATUSES[row.state],
  title: row.title ?? row.kind.replaceAll('-', ' '),
  text: textOf(row),
  progress: row.progress_percent,
  needs_attention: row.needs_attention,
  user: row.login ?? row.queued_by,
  created_at: row.queued_at.toISOString(),
  started_at: row.started_at?.toISOString() ?? null,
  finished_at: row.ended_at?.toISOString() ?? null,
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

const stepReply = ({ name, title, state, attempts, orders }: JobStep) => ({
  name,
  title,
  state,
  attempts,
  orders_total: Object.keys(orders).length,
  orders_done: Object.values(orders).filter((order) => order === 'done').length,
})

const logReply = (entry: LogLine, steps: readonly JobStep[]) => ({
  id: entry.position,
  at: entry.at.toISOString(),
  severity: entry.severity,
  step: entry.step,
  step_title: steps.find(({ name }) => name === entry.step)?.title ?? null,
  host_uuid: entry.node_id,
  undo: entry.course === 'back',
  attempt: entry.attempt,
  line: entry.line,
})
