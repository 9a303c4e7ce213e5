import { z } from 'zod'
import type { RetryJob } from '../domain/datastore/messages.ts'
import { job } from '../domain/job/job.ts'
import type { Sagas } from '../domain/job/saga.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { Cause, EventStore, Position } from '../domain/kernel/event-store.ts'
import type { Instant } from '../domain/kernel/time.ts'
import {
  type CommandEndpoints,
  datastoreParams,
  knownDatastore,
  type Known,
  type sendToDatastore,
  toolsOf,
} from './datastore-tools.ts'
import { dryRunBody, dryRunOfRetry, dryRunQuery, rehearsed } from './dry-run.ts'
import { fold, handle } from './handle.ts'
import { derivedId, nodesOf } from './ids.ts'

const retriedBody = z.object({
  job_id: z.uuid().meta({ description: 'The new job; or, of a job that is not over, that job itself.' }),
  state: z.enum(['queued', 'resumed', 'running']).meta({
    description:
      '`queued`: a new job does what the one before was to do; `resumed`: what waited to be tried again is tried now; ' +
      '`running`: the job is at it, and nothing waits.',
  }),
})

type Retried = z.infer<typeof retriedBody>

export type Retrying = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly sagas: Sagas
  readonly now: () => Instant
  readonly send: ReturnType<typeof sendToDatastore>
}

/** The command that asks for a job once more. The new job's id derives from the old one's: asking twice is asking once. */
const retryOf = ({ datastoreId, spec, past }: Known, retried: string, now: Instant): RetryJob => {
  const change = past.get(retried)?.change
  const count = spec.nodes.length + (change?.kind === 'add-nodes' ? change.nodes.length : 0)
  const jobId = derivedId('retry', retried)
  return { type: 'RetryJob', data: { datastoreId, jobId, retried, fresh: nodesOf(jobId, count), now } }
}

/** Has what waits to be repeated repeated now. */
const resume = async (
  { store, sagas, now }: Retrying,
  jobId: string,
  cause: Cause,
): Promise<{ readonly state: Retried['state']; readonly position: Position | undefined }> => {
  const { state } = await fold({ store }, job(sagas), `job-${jobId}`)
  // One whose turn has come a moment ago is about to begin.
  if (state.status !== 'running') return { state: 'running', position: undefined }
  const outcome = await handle({ store }, job(sagas), ({ data }) => `job-${data.jobId}`)(
    { type: 'ResumeJob', data: { jobId, now: now() } },
    cause,
  )
  if ('rejection' in outcome) throw new Refused(outcome.rejection)
  const resumed = outcome.events.length > 0
  return { state: resumed ? 'resumed' : 'running', position: resumed ? outcome.position : undefined }
}

/**
 * Tries a job once more. One that came to nothing is asked for again, as a new job; of one at work, what waits to be
 * repeated is repeated now.
 *
 * @param causeOf gives the cause of what is written, by the id of its command
 * @returns which job does it
 * @throws Refused `job-not-found`; `job-not-over` for one that waits for its turn; `job-not-retriable`, or what the request it
 *   amounts to is refused with, where it makes no sense any more
 */
export const retryJob = async (
  retrying: Retrying,
  state: Known,
  { jobId, commandId }: { readonly jobId: string; readonly commandId: string },
  causeOf: (commandId: string) => Promise<Cause>,
): Promise<Retried & { readonly position: Position | undefined }> => {
  const { now, send } = retrying
  if (state.atWork === jobId || state.failover?.jobId === jobId) {
    return { job_id: jobId, ...(await resume(retrying, jobId, await causeOf(derivedId('resume', commandId, jobId)))) }
  }
  const command = retryOf(state, jobId, now())
  const outcome = await send(command, await causeOf(derivedId('retry command', command.data.jobId)))
  if ('rejection' in outcome) throw new Refused(outcome.rejection)
  return { job_id: command.data.jobId, state: 'queued', position: outcome.position }
}

/** The call that tries a job once more. */
export const retryJobEndpoint = (options: CommandEndpoints): Endpoint => {
  const { store, sagas, now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: '/api/v1/datastores/:uuid/jobs/:jobId/retry',
    summary: 'Try a job once more: one that came to nothing as a new job, one that waits to repeat a step at once',
    tag: 'Jobs',
    access: 'user',
    params: datastoreParams.extend({ jobId: z.uuid().toLowerCase() }),
    query: dryRunQuery,
    replies: {
      200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
      202: { description: 'The job that does it.', schema: retriedBody },
    },
    handle: async (request) => {
      const { uuid, jobId } = request.params
      if (request.query.dryRun) {
        const { state } = await knownDatastore(options, uuid, request.principal.ownerId)
        const command = retryOf(state, jobId, now())
        return { status: 200, body: dryRunOfRetry(options, state, rehearsed(state, [command]), command.data.jobId) }
      }
      const path = `/api/v1/datastores/${uuid}/jobs/${jobId}/retry`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        const { state: known } = await knownDatastore(options, uuid, request.principal.ownerId)
        const asked = { jobId, commandId }
        const done = await retryJob({ store, sagas, now, send }, known, asked, (id) => cause(request, id))
        const { position, ...body } = done
        return { status: 202, body, position }
      })
    },
  })
}

