import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { RestClient } from './rest-client.ts'

const POLL_MS = 100

const Jobs = z.object({ jobs: z.array(z.object({ job_id: z.string() })) })
const Job = z.object({
  status: z.enum(['JOB_STATUS_RUNNING', 'JOB_STATUS_FINISHED', 'JOB_STATUS_ERRORED']),
  text: z.string().nullable(),
  progress: z.number(),
  steps: z.array(z.object({ name: z.string(), title: z.string(), state: z.string(), orders_total: z.number() })),
  log: z.array(z.object({ id: z.string(), line: z.string(), step: z.string().nullable() })),
})

/** Tells each step of a datastore's newest job as it begins and what is remarked in it, until the job has ended. */
export const followJob = async (
  { call }: RestClient,
  datastoreId: string,
  tell: (line: string) => void,
): Promise<{ readonly finished: boolean; readonly because: string }> => {
  const path = `/api/deployment/v2/data-stores/${datastoreId}/jobs`
  const { jobs } = await call('GET', `${path}?limit=1`, Jobs)
  const jobId = jobs[0]?.job_id
  if (jobId === undefined) throw new Error('the datastore has no job')
  const told = new Set<string>()
  for (;;) {
    const job = await call('GET', `${path}/${jobId}`, Job)
    for (const line of linesOf(job)) {
      if (told.has(line.id)) continue
      told.add(line.id)
      tell(line.text)
    }
    if (job.status !== 'JOB_STATUS_RUNNING') return { finished: job.status === 'JOB_STATUS_FINISHED', because: job.text ?? '' }
    await pause(POLL_MS)
  }
}

const BOOKKEEPING = new Set(['begun', 'done', 'finished'])

/** A heading for each step, and below it what was remarked. */
const linesOf = ({ steps, log }: z.infer<typeof Job>): readonly { readonly id: string; readonly text: string }[] => {
  const titles = new Map(steps.map(({ name, title }) => [name, title]))
  const begun = new Set<string>()
  return log.flatMap(({ id, step, line }) => {
    const title = titles.get(step ?? '')
    if (step === null || title === undefined) return []
    const heading = begun.has(step) ? [] : [{ id: `step ${step}`, text: title }]
    begun.add(step)
    return BOOKKEEPING.has(line) ? heading : [...heading, { id, text: `    ${line}` }]
  })
}
