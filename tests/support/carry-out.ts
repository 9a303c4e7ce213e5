import { randomUUID } from 'node:crypto'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { Cause, EventStore, Position, Recorded } from '../../domain/kernel/event-store.ts'
import { jobEvents, isDatastoreEvent } from '../../infra/runners/job-events.ts'
import { sagas } from '../../sagas/index.ts'
import { resultOf } from './saga-world.ts'

/** What follows from an event is the affair of the same tenant, and goes back to the same request. */
const causedBy = ({ id, metadata: { correlationId, organisationId } }: Recorded): (() => Cause) => () => ({
  commandId: randomUUID(),
  correlationId,
  causationId: id,
  actor: { kind: 'system', id: 'runner' },
  ...(organisationId === undefined ? {} : { organisationId }),
})

type Fate = {
  /** The job is left where it stands before this step is answered. */
  readonly until?: string
  /** The orders of this step fail for good. */
  readonly fails?: string
  readonly now: string
}

const admitted = async (store: EventStore, datastoreId: string, jobId: string) => {
  for (const event of (await store.read(`datastore-${datastoreId}`)).events) {
    if (isDatastoreEvent(event) && event.type === 'JobAdmitted' && event.data.jobId === jobId) return event
  }
  throw new Error(`BUG: job ${jobId} is not admitted`)
}

const awaited = (events: readonly JobEvent[]) => {
  const open = new Map<string, Extract<JobEvent, { type: 'StepOrdered' }>['data']>()
  for (const { type, data } of events) {
    if (type === 'StepOrdered') open.set(data.key, data)
    if (type === 'StepSucceeded' || type === 'StepFailed') open.delete(data.key)
  }
  return [...open.values()]
}

/**
 * Carries a job out as the runner and the workers would, in an instant.
 *
 * @returns the position of the last event that came of it
 */
export const carryOut = async (
  store: EventStore,
  { datastoreId, jobId }: { readonly datastoreId: string; readonly jobId: string },
  { until, fails, now }: Fate,
): Promise<Position | undefined> => {
  const sendJob = handle({ store }, job(sagas), ({ data }: JobCommand) => `job-${data.jobId}`)
  const sendStore = handle({ store }, datastore, ({ data }: DatastoreCommand) => `datastore-${data.datastoreId}`)
  const admission = await admitted(store, datastoreId, jobId)
  const { kind, input } = admission.data
  const causeOf = causedBy(admission)
  let handled = await sendJob({ type: 'StartJob', data: { jobId, kind, input, now } }, causeOf())
  for (;;) {
    const [next] = awaited(await jobEvents(store, jobId))
    if (next === undefined || next.step === until) break
    const { step, key, attempt, course, order } = next
    const failed = { kind: 'failed', because: 'there is no room', final: true } as const
    const succeeded = { kind: 'succeeded', result: resultOf(order, next) } as const
    const answer = step === fails && course === 'forward' ? failed : succeeded
    const outcome = { orderId: 'order', jobId, at: now, step, key, attempt, course, ...answer }
    handled = await sendJob({ type: 'RecordOutcome', data: { jobId, outcome, now } }, causeOf())
  }
  if ('rejection' in handled) throw new Error(`BUG: ${handled.rejection.because}`)
  const { state, position } = handled
  if (state.status === 'absent' || state.status === 'running') return position
  const unknown = { role: 'replica', privateAddress: '', publicAddress: '' } as const
  const nodes = Object.entries(state.learned.nodes).map(([nodeId, known]) => ({ ...unknown, ...known, nodeId }))
  const { failover } = state.learned
  const learnt = failover === undefined ? {} : { failover }
  const data = { datastoreId, jobId, end: state.status, because: state.because, nodes, ...learnt, now }
  const ended = await sendStore({ type: 'RecordJobEnded', data }, causeOf())
  return 'rejection' in ended ? position : ended.position
}
