import type { JobEvent } from '../../domain/job/messages.ts'
import { due } from '../../domain/job/job.ts'
import type { PlacedOrder } from '../../domain/job/orders.ts'
import { type Job, evolve } from '../../domain/job/state.ts'
import type { Metadata, Recorded } from '../../domain/kernel/event-store.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { orderIdOf } from '../messaging/ids.ts'

type Tracked = {
  readonly job: Job
  readonly revision: bigint
  readonly origin: Origin
  /** The last order of each key of the step at hand. */
  readonly orders: ReadonlyMap<string, Recorded<StepOrdered>>
}
type Origin = Pick<Metadata, 'correlationId' | 'organisationId' | 'requestId'>
type StepOrdered = Extract<JobEvent, { type: 'StepOrdered' }>

/** The jobs that have not ended, as far as their events have been seen. All of it derives from the log. */
export type OpenJobs = {
  /** @throws for an event that cannot be; its job is not among the open ones any more */
  readonly see: (event: Recorded<JobEvent>) => void
  readonly ids: () => readonly string[]
  /** What every event of the job says of the request behind it. */
  readonly originOf: (jobId: string) => Origin
  /** The orders that are awaited: what must be on the broker, or have been answered. */
  readonly awaited: () => readonly Recorded<StepOrdered>[]
  readonly isAwaited: (event: Recorded<StepOrdered>) => boolean
  /** The jobs for which time alone changes something at `now`. */
  readonly dueAt: (now: Instant) => readonly string[]
}

export const openJobs = (): OpenJobs => {
  const jobs = new Map<string, Tracked>()
  const isAwaited = ({ data }: Recorded<StepOrdered>): boolean => {
    const job = jobs.get(data.jobId)?.job
    if (job?.status !== 'running' || job.step !== data.step || job.course !== data.course) return false
    const work = job.work[data.key]
    return work?.state === 'ordered' && work.attempt === data.attempt
  }
  const evolved = (jobId: string, state: Job, event: JobEvent): Job => {
    try {
      const job = evolve(state, event)
      // Of a type that is not known here there comes nothing, not even a state.
      if (!('status' in job)) throw new Error('BUG: a job without a status')
      return job
    } catch (cause) {
      jobs.delete(jobId)
      throw new Error(`job ${jobId} cannot be followed past ${event.type}`, { cause })
    }
  }
  return {
    see: (event) => {
      const { jobId } = event.data
      const before = jobs.get(jobId)
      if (before !== undefined && event.revision <= before.revision) return
      if (before === undefined && event.type !== 'JobStarted') return
      const job = evolved(jobId, before?.job ?? { status: 'absent' }, event)
      if (job.status !== 'running') {
        jobs.delete(jobId)
        return
      }
      const orders = new Map(before?.orders)
      if (event.type === 'StepOrdered') orders.set(event.data.key, event)
      jobs.set(jobId, { job, revision: event.revision, origin: before?.origin ?? originOf(event.metadata), orders })
    },
    ids: () => [...jobs.keys()],
    originOf: (jobId) => jobs.get(jobId)?.origin ?? { correlationId: jobId },
    awaited: () => [...jobs.values()].flatMap(({ orders }) => [...orders.values()]).filter(isAwaited),
    isAwaited,
    dueAt: (now) => [...jobs].flatMap(([jobId, { job }]) => ((due(job) ?? '~') <= now ? [jobId] : [])),
  }
}

/** @param metadata of an event; what follows from it says the same */
export const originOf = ({ correlationId, organisationId, requestId }: Metadata): Origin => ({
  correlationId,
  ...(organisationId === undefined ? {} : { organisationId }),
  ...(requestId === undefined ? {} : { requestId }),
})

/** The order as it goes out; its id is derived from its place, so that a repeat is known as one. */
export const placedOrder = ({ data }: StepOrdered): PlacedOrder => {
  const { jobId, datastoreId, step, key, attempt, course, order, notAfter, extending } = data
  const place = { step, key, attempt, course }
  const moving = extending === undefined ? {} : { extending }
  return { orderId: orderIdOf(jobId, place), jobId, datastoreId, ...place, order, notAfter, ...moving }
}
