import { z } from 'zod'
import { job } from '../domain/job/job.ts'
import type { Sagas } from '../domain/job/saga.ts'
import { isRejection } from '../domain/kernel/decider.ts'
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
import { fold } from './handle.ts'
import { derivedId } from './ids.ts'

const stoppedBody = z.object({
  job_id: z.uuid(),
  state: z.enum(['stopping', 'dropped', 'ended']).meta({
    description: '`stopping`: it undoes what it has done; `dropped`: it waited, and never begins; `ended`: it had ended before.',
  }),
})

type Stopped = z.infer<typeof stoppedBody>

export type Stopping = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly sagas: Sagas
  readonly now: () => Instant
  readonly send: ReturnType<typeof sendToDatastore>
}

/**
 * Stops a job of a datastore: one that waits never begins, one at work undoes what it has done.
 *
 * @param asked.because the reason that is shown with the job
 * @returns what becomes of it
 * @throws Refused `job-not-found`; `job-past-return` for a job at work that can only go on to its end
 */
export const stopJob = async (
  { store, sagas, now, send }: Stopping,
  state: Known,
  { jobId, because }: { readonly jobId: string; readonly because: string },
  cause: Cause,
): Promise<{ readonly state: Stopped['state']; readonly position: Position | undefined }> => {
  const { datastoreId, atWork } = state
  const running = atWork === jobId ? (await fold({ store }, job(sagas), `job-${jobId}`)).state : undefined
  // One that is on its way back already need not be told.
  if (running?.status === 'running' && running.because !== null) return { state: 'stopping', position: undefined }
  if (running?.status === 'running') {
    const decision = job(sagas).decide({ type: 'CancelJob', data: { jobId, because, now: now() } }, running)
    if (isRejection(decision)) throw new Refused(decision)
  } else if (running !== undefined && running.status !== 'absent') return { state: 'ended', position: undefined }
  const outcome = await send({ type: 'StopJob', data: { datastoreId, jobId, because, now: now() } }, cause)
  if ('rejection' in outcome) throw new Refused(outcome.rejection)
  const { events, position } = outcome
  if (events.some(({ type }) => type === 'JobDropped')) return { state: 'dropped', position }
  return { state: events.some(({ type }) => type === 'JobCancellationAsked') ? 'stopping' : 'ended', position }
}

/** The call that stops a job. */
export const stopJobEndpoint = (options: CommandEndpoints): Endpoint => {
  const { store, sagas, now } = options
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: '/api/v1/datastores/:uuid/jobs/:jobId/cancel',
    summary: 'Cancel a job: what it has done is undone',
    tag: 'Jobs',
    access: 'user',
    params: datastoreParams.extend({ jobId: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'What becomes of the job.', schema: stoppedBody } },
    handle: async (request) => {
      const { uuid, jobId } = request.params
      const path = `/api/v1/datastores/${uuid}/jobs/${jobId}/cancel`
      return once(request, { method: 'POST', path, body: null }, async (commandId) => {
        const { state: known } = await knownDatastore(options, uuid, request.principal.ownerId)
        const asked = { jobId, because: 'its owner asked for it' }
        const why = await cause(request, derivedId('stop', commandId))
        const { state, position } = await stopJob({ store, sagas, now, send }, known, asked, why)
        return { status: 200, body: { job_id: jobId, state }, position }
      })
    },
  })
}
