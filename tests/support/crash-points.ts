import { connect } from 'nats'
import { z } from 'zod'
import { connectionOptionsOf } from '../../infra/messaging/nats-link.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { isJobEvent } from '../../infra/runners/job-events.ts'
import type { RunningInstance } from './instance.ts'

/** A step of a job of a datastore, of which an order is seen for the first time. */
export type Point = { readonly datastoreId: string; readonly jobId: string; readonly step: string }

export type Watch = {
  /** Rejects when something failed at a crash point. */
  readonly failed: Promise<never>
  readonly close: () => Promise<void>
}

const Order = z.object({ datastoreId: z.string(), jobId: z.string(), step: z.string() })

/**
 * Calls `reached` once for each step of each job, as soon as an order of it is seen: published on the broker, or, where
 * `by` says so, recorded in the log just before that.
 */
export const watchPoints = async (
  { natsUrl, config }: Pick<RunningInstance, 'natsUrl' | 'config'>,
  by: 'broker' | 'log',
  reached: (point: Point) => Promise<void>,
): Promise<Watch> => {
  const seen = new Set<string>()
  const failure = Promise.withResolvers<never>()
  // Nobody may be listening yet.
  failure.promise.catch(() => undefined)
  const see = ({ datastoreId, jobId, step }: Point): void => {
    const key = `${jobId} ${step}`
    if (seen.has(key)) return
    seen.add(key)
    reached({ datastoreId, jobId, step }).catch(failure.reject)
  }

  if (by === 'broker') {
    const connection = await connect({
      ...connectionOptionsOf(natsUrl), name: 'crash-points', maxReconnectAttempts: -1, reconnectTimeWait: 20,
    })
    for (const subject of ['infra.>', 'cmon.>']) {
      connection.subscribe(subject, { callback: (_, message) => see(Order.parse(message.json())) })
    }
    await connection.flush()
    return { failed: failure.promise, close: () => connection.close() }
  }
  const store = esdbEventStore({ connectionString: config.eventStoreUrl })
  const closing = new AbortController()
  const caughtUp = Promise.withResolvers<void>()
  const following = (async () => {
    let live = false
    for await (const delivery of store.subscribe({ after: 'start', prefixes: ['job-'], signal: closing.signal })) {
      for (const event of delivery.events) {
        if (live && isJobEvent(event) && event.type === 'StepOrdered') see(event.data)
      }
      live ||= delivery.caughtUp
      if (live) caughtUp.resolve()
    }
  })()
  following.catch(failure.reject)
  await Promise.race([caughtUp.promise, failure.promise])
  return {
    failed: failure.promise,
    close: async () => {
      closing.abort()
      await following
      await store.close()
    },
  }
}
