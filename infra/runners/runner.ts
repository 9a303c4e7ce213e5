import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { JobCommand } from '../../domain/job/messages.ts'
import type { Cause, EventStore, Recorded } from '../../domain/kernel/event-store.ts'
import type { Messaging } from '../messaging/messaging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { readCheckpoint } from './checkpoint.ts'
import { hops } from './hops.ts'
import { inOrder } from './in-order.ts'
import { insisting } from './insist.ts'
import { isDatastoreEvent, isJobEvent, jobEvents } from './job-events.ts'
import { keeper } from './keeper.ts'
import { followObservations } from './observations.ts'
import { openJobs } from './open-jobs.ts'
import { followOutcomes } from './outcomes.ts'
import { followTime } from './passing-time.ts'
import { type Reactor, reactToDatastore, reactToJob } from './reactions.ts'

const PREFIXES = ['datastore-', 'job-']
/** Events being carried out at most. So many would have to be stuck before they held up the others. */
const AT_WORK_MAX = 500

type Line = (fields: object, message: string) => void
export type RunnerLog = { readonly warn: Line; readonly info?: Line }

export type RunnerOptions = {
  readonly store: EventStore
  readonly messaging: Messaging
  readonly sendJob: (command: JobCommand, cause: Cause) => Promise<unknown>
  readonly sendDatastore: (command: DatastoreCommand, cause: Cause) => Promise<unknown>
  readonly now: () => string
  readonly log: RunnerLog
  readonly metrics?: Pick<Metrics, 'hop'>
  readonly concurrency: number
  /** Ends the runner; what is at work is finished first. */
  readonly signal: AbortSignal
}

/**
 * Runs jobs: carries out what follows from events, and turns what comes back into events. Holds no state that is not in
 * the log, so any number of runners may run, and any may be killed at any moment.
 *
 * @returns `ready` resolves when the runner has caught up with the log, `ended` when it has stopped after `signal`;
 *   `ended` rejects when the broker's connection closes for good
 */
export const runner = (options: RunnerOptions): { readonly ready: Promise<void>; readonly ended: Promise<void> } => {
  const { log, concurrency, metrics } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const reactor: Reactor = { ...options, open: openJobs(), hops: hops(metrics?.hop ?? (() => undefined)) }
  const readiness = Promise.withResolvers<void>()
  const background: Promise<void>[] = []
  const caughtUp = (): void => {
    readiness.resolve()
    if (background.length > 0) return
    const outcomes = followOutcomes({ reactor, log, concurrency, signal })
    const observations = followObservations({ reactor, log, concurrency, signal })
    const ending = (error: unknown): void => failed.abort(error)
    background.push(outcomes.catch(ending), observations.catch(ending), followTime({ reactor, log, signal }))
  }
  const follow = followingLog({ reactor, log, signal, caughtUp })
  const ended = (async () => {
    await insisting({ log, signal })('following the log', follow)
    await Promise.all(background)
    failed.signal.throwIfAborted()
  })()
  return { ready: readiness.promise, ended }
}

/** Follows the log from the checkpoint until `signal`: what has been carried out up to a position is the next one. */
const followingLog = ({ reactor, log, signal, caughtUp }: {
  readonly reactor: Reactor
  readonly log: RunnerLog
  readonly signal: AbortSignal
  readonly caughtUp: () => void
}) => {
  const { store, open } = reactor
  const streams = inOrder()
  const insist = insisting({ log, signal })

  /** What cannot be understood, a later version's event it may be, must not keep the other jobs from going on. */
  const see = (event: Recorded): void => {
    if (!isJobEvent(event)) return
    try {
      open.see(event)
    } catch (err) {
      log.warn({ err, stream: event.stream, type: event.type }, 'a job is not understood and not followed')
    }
  }

  const react = async (event: Recorded): Promise<Promise<boolean>[]> => {
    await streams.room(AT_WORK_MAX)
    const done = streams.run(event.stream, () =>
      insist(`${event.type} on ${event.stream}`, async () => {
        if (isDatastoreEvent(event)) await reactToDatastore(reactor, event)
        else if (isJobEvent(event)) await reactToJob(reactor, event)
      }),
    )
    // In a list, or awaiting the room would be awaiting the work.
    return [done]
  }
  const reactTo = async (events: readonly Recorded[]): Promise<readonly Promise<boolean>[]> => {
    const underWay: Promise<boolean>[] = []
    for (const event of events) underWay.push(...(await react(event)))
    return underWay
  }

  return async (): Promise<void> => {
    const checkpoint = await readCheckpoint(store)
    for (const jobId of checkpoint.openJobs) for (const event of await jobEvents(store, jobId)) see(event)
    const kept = keeper(store, open, log)
    let live = false
    try {
      for await (const delivery of store.subscribe({ after: checkpoint.position, prefixes: PREFIXES, signal })) {
        delivery.events.forEach(see)
        const first: boolean = delivery.caughtUp && !live
        const now = await reactTo(delivery.events.filter(({ type }) => live || type !== 'StepOrdered'))
        // Only now is it known which of the orders seen on the way are still awaited.
        const late = first ? await reactTo(open.awaited()) : []
        live ||= first
        kept.follow(delivery, Promise.all([...now, ...late]))
        if (first) caughtUp()
      }
      await streams.idle()
    } finally {
      await kept.close()
    }
  }
}
