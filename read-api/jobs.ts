import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { type Job, jobReplyOf, logReplyOf, stepReplyOf } from './job-rows.ts'
import { jobDetailReply, jobsReply } from './jobs-reply.ts'

type JobQueries = { readonly db: Kysely<ReadSchema>; readonly personal: Pick<PersonalData, 'open'> }

const PATH = '/api/deployment/v2/data-stores/:uuid/jobs'
const tag = 'Jobs'
const LOG_LINES_MAX = 1_000

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
      return { status: 200, body: { jobs: (await named(queries, rows)).map(jobReplyOf), total: Number(total) } }
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
      const log = lines.toReversed().map((line) => logReplyOf(line, job.steps))
      return { status: 200, body: { ...jobReplyOf(job), steps: job.steps.map(stepReplyOf), log } }
    },
  })
