import { setTimeout as pause } from 'node:timers/promises'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { JobCommand } from '../../domain/job/messages.ts'
import type { Cause, Delivery, EventStore, Position, Recorded } from '../../domain/kernel/event-store.ts'
import type { Messaging } from '../messaging/messaging.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { inOrder } from './in-order.ts'
import { isDatastoreEvent, isJobEvent, jobEvents } from './job-events.ts'
import { openJobs } from './open-jobs.ts'
import { type Reactor, passTime, reactToDatastore, reactToJob, recordOutcome } from './reactions.ts'

const PREFIXES = ['datastore-', 'job-']
const CHECKPOINT_EVERY_MS = 5_000
const TICK_MS = 200
const RETRY_MS_MAX = 5_000

export type RunnerLog = { readonly warn: (fields: object, message: string) => void }

export type RunnerOptions = {
  readonly store: EventStore
  readonly messaging: Messaging
  readonly sendJob: (command: JobCommand, cause: Cause) => Promise<unknown>
  readonly sendDatastore: (command: DatastoreCommand, cause: Cause) => Promise<unknown>
  readonly now: () => string
  readonly log: RunnerLog
  readonly concurrency: number
  /** Ends the runner; what is at work is finished first. */
  readonly signal: AbortSignal
}

/**
 * Runs jobs: carries out what follows from events, and turns what comes back into events. Holds no state that is not in
 * the log, so any number of runners may run, and any may be killed at any moment.
 *
 * @returns `ready` resolves when the runner has caught up with the log, `ended` when it has stopped after `signal`
 */
export const runner = (options: RunnerOptions): { readonly ready: Promise<void>; readonly ended: Promise<void> } => {
  const { store, messaging, now, log, signal } = options
  const reactor: Reactor = { ...options, open: openJobs() }
  const streams = inOrder()
  const readiness = Promise.withResolvers<void>()

  /** Until it is done: what follows from an event must follow, however long a store or the broker is away. */
  const insist = async (what: string, work: () => Promise<void>): Promise<boolean> => {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await work()
        return true
      } catch (error) {
        if (signal.aborted) break
        log.warn({ err: error, attempt }, `${what} is not done yet`)
        await pause(Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MS_MAX), undefined, { signal }).catch(() => undefined)
      }
    }
    return false
  }

  const react = (event: Recorded): Promise<boolean> =>
    streams.run(event.stream, () =>
      insist(`${event.type} on ${event.stream}`, async () => {
        if (isDatastoreEvent(event)) await reactToDatastore(reactor, event)
        else if (isJobEvent(event)) await reactToJob(reactor, event)
      }),
    )

  const recover = async (jobs: readonly string[]): Promise<void> => {
    for (const jobId of jobs) for (const event of await jobEvents(store, jobId)) reactor.open.see(event)
  }

  /** The log, from the checkpoint: what has been carried out up to a position, in order, is the next checkpoint. */
  const followLog = async (): Promise<void> => {
    const checkpoint = await readCheckpoint(store)
    await recover(checkpoint.openJobs)
    const kept = keeper(store, reactor, log)
    let live = false
    try {
      for await (const delivery of store.subscribe({ after: checkpoint.position, prefixes: PREFIXES, signal })) {
        for (const event of delivery.events) if (isJobEvent(event)) reactor.open.see(event)
        const now = delivery.events.filter((event) => live || event.type !== 'StepOrdered')
        kept.follow(delivery, Promise.all(now.map(react)))
        if (!delivery.caughtUp || live) continue
        live = true
        // Only now is it known which of the orders seen on the way are still awaited.
        await Promise.all(reactor.open.awaited().map(react))
        readiness.resolve()
        if (background.length === 0) background.push(followOutcomes(), tick())
      }
      await streams.idle()
    } finally {
      await kept.close()
    }
  }

  const followOutcomes = async (): Promise<void> => {
    for await (const delivered of messaging.outcomes({ concurrency: options.concurrency, signal })) {
      void streams.run(`outcome-${delivered.message.jobId}`, async () => {
        const done = await insist('an outcome', () => recordOutcome(reactor, delivered.message, delivered.carrier))
        if (done) await insist('an acknowledgement', delivered.ack)
      })
    }
  }

  const tick = async (): Promise<void> => {
    while (!signal.aborted) {
      await Promise.all(
        reactor.open.dueAt(now()).map((jobId) =>
          passTime(reactor, jobId).catch((error: unknown) => log.warn({ err: error, jobId }, 'time could not pass')),
        ),
      )
      await pause(TICK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  const background: Promise<void>[] = []
  const ended = (async () => {
    await insist('following the log', followLog)
    await Promise.all(background)
    await streams.idle()
  })()
  return { ready: readiness.promise, ended }
}

/** Keeps the checkpoint at the last position before which everything is carried out. */
const keeper = (store: EventStore, { open }: Reactor, log: RunnerLog) => {
  const underWay: { readonly position: Position; done: boolean }[] = []
  let reached: Position | undefined
  let written: Position | undefined
  const write = async (): Promise<void> => {
    if (reached === undefined || reached === written) return
    const position = reached
    try {
      await writeCheckpoint(store, { position, openJobs: open.ids() })
      written = position
    } catch (error) {
      log.warn({ err: error }, 'the checkpoint could not be written; the next one will do')
    }
  }
  const timer = setInterval(() => void write(), CHECKPOINT_EVERY_MS)
  return {
    follow: ({ position, events }: Delivery, carriedOut: Promise<readonly boolean[]>): void => {
      // Checkpoints of quiet times alone are no reason to write.
      if (events.length === 0 && underWay.length === 0) return
      const entry = { position, done: false }
      underWay.push(entry)
      void carriedOut.then((results) => {
        entry.done = results.every(Boolean)
        while (underWay[0]?.done === true) reached = underWay.shift()?.position
      })
    },
    close: async (): Promise<void> => {
      clearInterval(timer)
      await write()
    },
  }
}
