import { randomUUID } from 'node:crypto'
import { v5 } from 'uuid'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { OrderOutcome } from '../../domain/job/orders.ts'
import { type EndedJob, evolve } from '../../domain/job/state.ts'
import type { Cause, EventStore, Recorded } from '../../domain/kernel/event-store.ts'
import type { Carrier, Messaging } from '../messaging/messaging.ts'
import { carrierFrom, carrierOf, traceparent, withCarrier } from '../telemetry/tracing.ts'
import type { Hops } from './hops.ts'
import { jobEvents } from './job-events.ts'
import { originOf, type OpenJobs, placedOrder } from './open-jobs.ts'

const NAMESPACE = '0d7b5d0e-52a5-4b2c-8a07-7a1f0c3f0a61'
const ACTOR = { kind: 'system', id: 'ccx-runner-service' } as const
/** An order seen this long, in milliseconds, after it was recorded is checked against the job before it goes out. */
const STALE_AFTER_MS = 30_000

export type Reactor = {
  readonly store: EventStore
  readonly messaging: Messaging
  readonly open: OpenJobs
  readonly hops: Hops
  readonly sendJob: (command: JobCommand, cause: Cause) => Promise<unknown>
  readonly sendDatastore: (command: DatastoreCommand, cause: Cause) => Promise<unknown>
  readonly now: () => string
  readonly log: { readonly info?: (fields: object, message: string) => void }
}

export const jobStream = (jobId: string): string => `job-${jobId}`

/** The cause of what follows from an event. Its command's id is derived, so that following twice is following once. */
const causedBy = ({ id, metadata }: Recorded, what: string): Cause => ({
  commandId: v5(`${what}:${id}`, NAMESPACE),
  ...originOf(metadata),
  causationId: id,
  actor: ACTOR,
  ...(metadata.traceparent === undefined ? {} : { traceparent: metadata.traceparent }),
})

/** What follows from an event of a datastore. Safe to repeat. */
export const reactToDatastore = async (
  { sendJob, now }: Reactor,
  event: Recorded<DatastoreEvent>,
): Promise<void> => {
  if (event.type === 'JobAdmitted') {
    const { jobId, kind, input } = event.data
    await sendJob({ type: 'StartJob', data: { jobId, kind, input, now: now() } }, causedBy(event, 'start'))
  }
  if (event.type === 'JobCancellationAsked') {
    const { jobId, because } = event.data
    // A job past its point of no return refuses, and is carried to its end: so it should be.
    await sendJob({ type: 'CancelJob', data: { jobId, because, now: now() } }, causedBy(event, 'cancel'))
  }
  if (event.type === 'JobAbandonmentAsked') {
    const { jobId, because } = event.data
    await sendJob({ type: 'AbandonJob', data: { jobId, because, now: now() } }, causedBy(event, 'abandon'))
  }
}

/** What follows from an event of a job. Safe to repeat. */
export const reactToJob = async (reactor: Reactor, event: Recorded<JobEvent>): Promise<void> => {
  if (event.type === 'StepOrdered') return publish(reactor, event)
  if (event.type === 'JobFinished' || event.type === 'JobUnwound' || event.type === 'JobAbandoned') return endJob(reactor, event)
}

type StepOrdered = Extract<JobEvent, { type: 'StepOrdered' }>

const publish = async (reactor: Reactor, event: Recorded<StepOrdered>): Promise<void> => {
  const now = reactor.now()
  if (event.data.notAfter <= now) return
  const isOld = Date.parse(now) - Date.parse(event.recordedAt) > STALE_AFTER_MS
  // The broker drops a repeat only for a while; an order of long ago must not bring back what has been removed since, and
  // nothing of a job that was given up may begin.
  if ((isOld || !reactor.open.isAwaited(event)) && !(await isStillAwaited(reactor, event))) return
  const carrier = carrierFrom(event.metadata)
  const order = placedOrder(event)
  await withCarrier(carrier, `place ${order.order.subject}`, attributesOf(order), async () => {
    await reactor.messaging.order(order, { ...carrier, ...carrierOf() })
    const { orderId, jobId, datastoreId, step, key, attempt, course } = order
    const ids = { orderId, jobId, datastoreId, step, key, attempt, course, subject: order.order.subject }
    reactor.log.info?.(ids, 'an order is placed')
  })
  reactor.hops.left(event.metadata.causationId)
}

const isStillAwaited = async (
  { store }: Reactor,
  { data }: Recorded<StepOrdered>,
): Promise<boolean> => {
  const state = (await jobEvents(store, data.jobId)).reduce(evolve, { status: 'absent' })
  if (state.status !== 'running' || state.step !== data.step || state.course !== data.course) return false
  const work = state.work[data.key]
  return work?.state === 'ordered' && work.attempt === data.attempt
}

const endJob = async (
  { store, sendDatastore, now, log }: Reactor,
  event: Recorded<Extract<JobEvent, { type: 'JobFinished' | 'JobUnwound' | 'JobAbandoned' }>>,
): Promise<void> => {
  const { jobId, datastoreId } = event.data
  const state = (await jobEvents(store, jobId)).reduce(evolve, { status: 'absent' })
  if (state.status === 'absent' || state.status === 'running') {
    throw new Error(`BUG: job ${jobId} has ended and has not`)
  }
  const end: JobEnd = state.status
  const { because, learned: { failover } } = state
  const learnt = failover === undefined ? {} : { failover }
  const data = { datastoreId, jobId, end, because, nodes: nodesOf(state), ...learnt, now: now() }
  await sendDatastore({ type: 'RecordJobEnded', data }, causedBy(event, 'end'))
  log.info?.({ jobId, datastoreId, end }, 'a job has ended')
}

/** The nodes as the job found or made them. */
const nodesOf = ({ input, learned }: EndedJob): readonly NodeState[] =>
  input.spec.nodes.flatMap(({ nodeId }) => {
    const before = input.nodes.find((node) => node.nodeId === nodeId)
    const { role = before?.role, privateAddress = before?.privateAddress, publicAddress = before?.publicAddress } =
      learned.nodes[nodeId] ?? {}
    return role === undefined || privateAddress === undefined || publicAddress === undefined
      ? []
      : [{ nodeId, role, privateAddress, publicAddress }]
  })

const attributesOf = ({ orderId, jobId }: { readonly orderId: string; readonly jobId: string }) => ({
  'ccx.order': orderId,
  'ccx.job': jobId,
})

/** Takes a worker's answer into its job. */
export const recordOutcome = (
  { sendJob, open, hops, now }: Reactor,
  outcome: OrderOutcome,
  carrier: Carrier,
): Promise<void> =>
  withCarrier(carrier, `record ${outcome.kind}`, attributesOf(outcome), async () => {
    const { jobId, orderId } = outcome
    if (outcome.kind === 'succeeded') hops.arrived(orderId)
    const mark = outcome.kind === 'noted' ? `${outcome.at}:${outcome.line}` : ''
    const parent = traceparent() ?? carrier['traceparent']
    const cause: Cause = {
      commandId: v5(`${outcome.kind}:${orderId}:${mark}`, NAMESPACE),
      ...open.originOf(jobId),
      causationId: orderId,
      actor: ACTOR,
      ...(parent === undefined ? {} : { traceparent: parent }),
    }
    await sendJob({ type: 'RecordOutcome', data: { jobId, outcome, now: now() } }, cause)
  })

/** Lets time pass for a job whose deadline or retry is due. */
export const passTime = async ({ sendJob, open, now }: Reactor, jobId: string): Promise<void> => {
  const commandId = randomUUID()
  const cause: Cause = { commandId, ...open.originOf(jobId), causationId: commandId, actor: ACTOR }
  await sendJob({ type: 'PassTime', data: { jobId, now: now() } }, cause)
}
