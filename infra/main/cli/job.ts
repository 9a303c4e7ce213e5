import { z } from 'zod'
import { causeBy } from '../../../command-handlers/auth/register.ts'
import { knownDatastore, sendToDatastore } from '../../../command-handlers/datastore-tools.ts'
import { type Retrying, retryJob } from '../../../command-handlers/retry-job.ts'
import { stopJob } from '../../../command-handlers/stop-job.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { jobInFull, newestJobs } from '../../../read-api/jobs.ts'
import { sagas } from '../../../sagas/index.ts'
import { OPERATOR } from './accounts.ts'
import { datastoreMeant, printable } from './histories.ts'
import { onStores, type Stores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const JOBS_SHOWN = 50
const WAIT_MS = 10_000
const WANTS = 'job wants: list DATASTORE, show DATASTORE JOB, cancel DATASTORE JOB, or retry DATASTORE JOB'

type Listed = Awaited<ReturnType<typeof newestJobs>>[number]
type Detailed = Awaited<ReturnType<typeof jobInFull>>

const attention = ({ needs_attention: needs }: Listed): string => (needs ? '  (an operator should look)' : '')

/** A job in two lines: which it is and how it stands, and who asked for it when. */
export const jobLines = (job: Listed): readonly string[] => [
  `${job.job_id}  ${printable(job.title)}: ${printable(job.text)}${attention(job)}`,
  `    ${String(job.progress).padStart(3)} %  asked for at ${job.created_at} by ${printable(job.user)}` +
    (job.finished_at === null ? '' : `, ended at ${job.finished_at}`),
]

/** A job with each of its steps, and what is in its log. */
export const jobInFullLines = (job: Detailed): readonly string[] => [
  ...jobLines(job),
  '  steps',
  ...job.steps.map(({ title, state, orders_done: done, orders_total: total, attempts }) => {
    const orders = total > 1 ? `, ${done} of ${total} orders done` : ''
    const tries = attempts > 1 ? `, attempt ${attempts}` : ''
    return `    ${state.padEnd(8)}  ${printable(title)}${orders}${tries}`
  }),
  '  log',
  ...job.log.map(({ at, severity, step_title: step, undo, line }) => {
    const where = step === null ? '' : `${printable(step)}${undo ? ' (undoing)' : ''}: `
    return `    ${at}  ${severity.padEnd(7)}  ${where}${printable(line)}`
  }),
]

const STOPPED = {
  stopping: 'It is told to stop, and undoes what it has done.',
  dropped: 'It waited for its turn, and never begins.',
  ended: 'It had ended before; nothing is changed.',
} as const

const idOf = (text: string): string => {
  const id = z.uuid().safeParse(text.toLowerCase())
  if (!id.success) throw new UsageError(`a job goes by its id, which ${printable(text)} is not; ./ccx job list shows them`)
  return id.data
}

const cancel = async ({ store, position, now }: Stores, datastoreId: string, jobId: string): Promise<readonly string[]> => {
  const { state: known } = await knownDatastore({ store }, datastoreId, undefined)
  const asked = { jobId, because: 'an operator asked for it' }
  const stopping = { store, sagas, now, send: sendToDatastore({ store }) }
  const { state, position: reached } = await stopJob(stopping, known, asked, causeBy(OPERATOR, known.spec.ownerId))
  if (reached !== undefined) await position.waitFor(reached, WAIT_MS)
  return [STOPPED[state]]
}

const RETRIED = {
  queued: 'It is asked for again, as the job',
  resumed: 'What waited to be tried again is tried now, by the job',
  running: 'It is at work, and nothing waits to be tried again: the job',
} as const

const retry = async ({ store, position, now }: Stores, datastoreId: string, jobId: string): Promise<readonly string[]> => {
  const { state: known } = await knownDatastore({ store }, datastoreId, undefined)
  const cause = causeBy(OPERATOR, known.spec.ownerId)
  const retrying: Retrying = { store, sagas, now, send: sendToDatastore({ store }) }
  const causeOf = async (commandId: string) => ({ ...cause, commandId })
  const done = await retryJob(retrying, known, { jobId, commandId: cause.commandId }, causeOf)
  if (done.position !== undefined) await position.waitFor(done.position, WAIT_MS)
  return [`${RETRIED[done.state]} ${done.job_id}.`]
}

const linesFor = async (stores: Stores, [verb, text, job]: readonly (string | undefined)[]): Promise<readonly string[]> => {
  const { store, personal } = stores
  const jobId = job === undefined ? undefined : idOf(job)
  const { one } = await datastoreMeant(stores, text ?? '')
  const { datastoreId: uuid } = one
  if (verb === 'cancel' && jobId !== undefined) return cancel(stores, uuid, jobId)
  if (verb === 'retry' && jobId !== undefined) return retry(stores, uuid, jobId)
  const { ownerId } = (await knownDatastore({ store }, uuid, undefined)).state.spec
  const queries = { db: stores.db.withSchema(READ_SCHEMA), personal }
  if (jobId !== undefined) return jobInFullLines(await jobInFull(queries, { uuid, ownerId, jobId }))
  return (await newestJobs(queries, { uuid, ownerId }, JOBS_SHOWN)).flatMap(jobLines)
}

/** Shows an operator the jobs of any datastore, stops one, or tries one once more. */
export const job: Command = async (args) => {
  const { values, positionals } = parseOptions(args, { options: { state: { type: 'string' } }, allowPositionals: true })
  const [verb, ...words] = positionals
  const wanted = verb === 'list' ? 1 : 2
  const isKnown = verb !== undefined && ['list', 'show', 'cancel', 'retry'].includes(verb)
  if (!isKnown || words.length !== wanted) throw new UsageError(WANTS)
  await onStores(values.state, async (stores) => {
    for (const line of await linesFor(stores, positionals)) console.log(line)
  })
  return 0
}
