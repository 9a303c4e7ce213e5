import { randomUUID } from 'node:crypto'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { job } from '../../domain/job/job.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { Place, PlacedOrder } from '../../domain/job/orders.ts'
import { later } from '../../domain/kernel/time.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { orderIdOf } from '../../infra/messaging/ids.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { type Handle, workOn } from '../../infra/messaging/worker.ts'
import { isDatastoreEvent, jobEvents } from '../../infra/runners/job-events.ts'
import { type RunnerOptions, runner } from '../../infra/runners/runner.ts'
import { sagas } from '../../sagas/index.ts'
import { exampleSpec, noon } from './examples.ts'
import { keptLog } from './log.ts'
import { resultOf } from './saga-world.ts'
import { until } from './until.ts'

export const withinMs = 20_000

export type Ids = { readonly datastoreId: string; readonly jobId: string }

/** Does at once whatever is ordered. */
export const willing: Handle = async (order) => resultOf(order.order, order)

/** A clock that goes only when it is told to. */
export const givenClock = () => {
  let time = noon
  return {
    now: () => time,
    pass: (ms: number): void => {
      time = later(time, ms)
    },
  }
}

type Ports = Pick<RunnerOptions, 'store' | 'messaging'>

/**
 * Runners and workers over a store and a broker, ended all together.
 *
 * @param ports.store what the test itself reads and writes; a runner may be given another face of it
 */
export const runnerScene = ({ store, messaging }: Ports, clock = givenClock()) => {
  const { now, pass } = clock
  const { log, lines } = keptLog()
  const ending: (() => Promise<void>)[] = []
  const streamOf = ({ data }: DatastoreCommand) => `datastore-${data.datastoreId}`
  const sendTo = (to: EventStore) => handle({ store: to }, datastore, streamOf)

  const run = (differing: Partial<RunnerOptions> = {}) => {
    const stopping = new AbortController()
    const own = differing.store ?? store
    const started = runner({
      store: own,
      messaging,
      sendJob: handle({ store: own }, job(sagas), ({ data }) => `job-${data.jobId}`),
      sendDatastore: sendTo(own),
      now,
      log,
      concurrency: 16,
      signal: stopping.signal,
      ...differing,
    })
    // A test that waits for the end sees it; the others see it when the scene ends.
    started.ended.catch(() => undefined)
    const stop = async (): Promise<void> => {
      stopping.abort()
      await started.ended
    }
    ending.push(() => stop().catch(() => undefined))
    return { ...started, stop }
  }

  const work = (by: Handle = willing, over: Messaging = messaging) => {
    const stopping = new AbortController()
    const { signal } = stopping
    const orders: PlacedOrder[] = []
    const of = (family: 'infra' | 'cmon') =>
      workOn({
        messaging: over, family, concurrency: 16, signal, now, log, drainTimeoutMs: 1_000,
        handle: (order, tools) => {
          orders.push(order)
          return by(order, tools)
        },
      })
    const done = Promise.allSettled([of('infra'), of('cmon')])
    const stop = async (): Promise<void> => {
      stopping.abort()
      await done
    }
    ending.push(stop)
    return { orders, stop }
  }

  const send = async (type: 'CreateDatastore' | 'DeleteDatastore', { datastoreId, jobId }: Ids): Promise<void> => {
    const commandId = randomUUID()
    const about = { datastoreId, jobId, now: now() }
    const command: DatastoreCommand =
      type === 'DeleteDatastore'
        ? { type, data: about }
        : { type, data: { ...about, spec: exampleSpec(2), fingerprint: '' } }
    const actor = { kind: 'user', id: 'usr_1' } as const
    await sendTo(store)(command, { commandId, correlationId: commandId, causationId: commandId, actor })
  }
  const create = async (): Promise<Ids> => {
    const ids = { datastoreId: randomUUID(), jobId: randomUUID() }
    await send('CreateDatastore', ids)
    return ids
  }
  const remove = async ({ datastoreId }: Pick<Ids, 'datastoreId'>): Promise<Ids> => {
    const ids = { datastoreId, jobId: randomUUID() }
    await send('DeleteDatastore', ids)
    return ids
  }

  const eventsOf = async ({ jobId }: Pick<Ids, 'jobId'>): Promise<readonly JobEvent[]> => jobEvents(store, jobId)
  const ended = ({ datastoreId, jobId }: Ids): Promise<string> =>
    until(
      async () => {
        const { events } = await store.read(`datastore-${datastoreId}`)
        return events
          .filter(isDatastoreEvent)
          .flatMap(({ type, data }) => (type === 'JobEnded' && data.jobId === jobId ? [data.end] : []))[0]
      },
      { withinMs, what: `the end of job ${jobId}` },
    )
  const end = async (): Promise<void> => {
    for (const stop of ending.toReversed()) await stop()
  }
  return { now, pass, lines, run, work, create, remove, events: eventsOf, ended, end }
}

export type RunnerScene = ReturnType<typeof runnerScene>

type StepOrdered = Extract<JobEvent, { type: 'StepOrdered' }>

/** The orders of a job, as its stream has them. */
export const orderedBy = (events: readonly JobEvent[]): readonly StepOrdered['data'][] =>
  events.flatMap((event) => (event.type === 'StepOrdered' ? [event.data] : []))

export const placeText = ({ step, key, attempt, course }: Place): string =>
  `${course} ${step} ${key} ${attempt}`

export const idsOf = (events: readonly JobEvent[]): readonly string[] =>
  orderedBy(events).map((order) => orderIdOf(order.jobId, order))

/** What each order came to: no order has two answers. */
export const answersTo = (events: readonly JobEvent[]): readonly string[] =>
  events.flatMap(({ type, data }) =>
    type === 'StepSucceeded' || type === 'StepFailed' ? [placeText(data)] : [],
  )
