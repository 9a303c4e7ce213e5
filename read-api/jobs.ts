import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore, pageQuery } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { jobAt, jobsAt } from './history/jobs-at.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'
import { type Job, jobReplyOf, type LogLine, logReplyOf, stepReplyOf } from './job-rows.ts'
import { jobDetailReply, type jobReply, jobsReply } from './jobs-reply.ts'
import { loginsOf } from './logins.ts'

type JobQueries = {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
  readonly history: HistoryQueries
}
type PresentQueries = Pick<JobQueries, 'db' | 'personal'>
type Owned = { readonly uuid: string; readonly ownerId: string }
type Unnamed = Omit<Job, 'login'>

const PATH = '/api/deployment/v2/data-stores/:uuid/jobs'
const tag = 'Jobs'
const LOG_LINES_MAX = 1_000

/** The jobs of a datastore, also of one that is deleted. */
export const jobs = (queries: JobQueries): readonly Endpoint[] => [list(queries), get(queries)]

const jobsOf = (db: Kysely<ReadSchema>, datastoreId: string, ownerId: string) =>
  db.selectFrom('jobs').where('jobs.datastore_id', '=', datastoreId).where('jobs.owner_id', '=', ownerId)

/** The same jobs with the logins of those who asked for them. */
const named = async ({ db, personal }: PresentQueries, rows: readonly Unnamed[]): Promise<readonly Job[]> => {
  const logins = await loginsOf(db, personal, rows.map(({ queued_by: accountId }) => accountId))
  return rows.map((row) => ({ ...row, login: logins.get(row.queued_by) ?? null }))
}

const list = (queries: JobQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the jobs of a datastore, newest first, as they are or were',
    tag,
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: pageQuery(10).extend(asOfQuery.shape),
    replies: { 200: { description: 'A part of the list, and how many there are in all.', schema: jobsReply } },
    handle: async ({ params: { uuid }, query: { asOf, ...page }, principal: { ownerId } }) => {
      const { history } = queries
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      const { total, rows } = await (past === undefined
        ? presentPage(jobsOf(queries.db, uuid, ownerId), page)
        : jobsAt(history.audit, past, page))
      // Every datastore was deployed by a job, so who sees none has none.
      if (total === 0) throw noDatastore(uuid)
      return { status: 200, body: { jobs: (await named(queries, rows)).map(jobReplyOf), total } }
    },
  })

type Page = { readonly limit: number; readonly offset: number }

const presentPage = async (
  owned: ReturnType<typeof jobsOf>,
  { limit, offset }: Page,
): Promise<{ readonly total: number; readonly rows: readonly Unnamed[] }> => {
  const [{ total }, rows] = await Promise.all([
    owned.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
    owned.selectAll('jobs').orderBy('queued_position', 'desc').limit(limit).offset(offset).execute(),
  ])
  return { total: Number(total), rows }
}

const get = (queries: JobQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:jobId`,
    summary: 'Read a job with its steps and its log, as it is or was',
    tag,
    access: 'user',
    params: datastoreParams.extend({ jobId: z.uuid().toLowerCase() }),
    query: asOfQuery,
    replies: { 200: { description: 'The job.', schema: jobDetailReply } },
    handle: async ({ params: { uuid, jobId }, query: { asOf }, principal: { ownerId } }) => {
      const { history } = queries
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      const found = await (past === undefined
        ? present(jobsOf(queries.db, uuid, ownerId).where('jobs.job_id', '=', jobId))
        : jobAt(history.audit, past, { jobId, linesMax: LOG_LINES_MAX }))
      return { status: 200, body: await inFull(queries, jobId, found) }
    },
  })

type Found = { readonly row: Unnamed; readonly log: readonly LogLine[] }

const inFull = async (
  queries: PresentQueries,
  jobId: string,
  found: Found | undefined,
): Promise<z.infer<typeof jobDetailReply>> => {
  const [job] = await named(queries, found === undefined ? [] : [found.row])
  if (found === undefined || job === undefined) {
    throw new Refused({ rejected: 'job-not-found', because: `there is no job ${jobId}` })
  }
  const log = found.log.map((line) => logReplyOf(line, job.steps))
  return { ...jobReplyOf(job), steps: job.steps.map(stepReplyOf), log }
}

/** The newest jobs of a datastore, as they are: what a client is told of them, for an operator. */
export const newestJobs = async (
  queries: PresentQueries,
  { uuid, ownerId }: Owned,
  limit: number,
): Promise<readonly z.infer<typeof jobReply>[]> => {
  const { rows } = await presentPage(jobsOf(queries.db, uuid, ownerId), { limit, offset: 0 })
  return (await named(queries, rows)).map(jobReplyOf)
}

/**
 * A job with its steps and its log, as it is: what a client is told of it, for an operator.
 *
 * @throws Refused `job-not-found`
 */
export const jobInFull = async (
  queries: PresentQueries,
  { uuid, ownerId, jobId }: Owned & { readonly jobId: string },
): Promise<z.infer<typeof jobDetailReply>> =>
  inFull(queries, jobId, await present(jobsOf(queries.db, uuid, ownerId).where('jobs.job_id', '=', jobId)))

const present = async (owned: ReturnType<typeof jobsOf>): Promise<Found | undefined> => {
  const [row, lines] = await Promise.all([
    owned.selectAll('jobs').executeTakeFirst(),
    owned
      .innerJoin('job_log', 'job_log.job_id', 'jobs.job_id')
      .selectAll('job_log')
      .orderBy('job_log.position', 'desc')
      .limit(LOG_LINES_MAX)
      .execute(),
  ])
  return row && { row, log: lines.toReversed() }
}
