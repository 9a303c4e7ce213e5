import type { EventStoreDBClient } from '@eventstore/db-client'
import {
  type EventStore, isAfter, type NewEvent, type Position, type Recorded, type Revision, RevisionConflict,
} from '../../domain/kernel/event-store.ts'
import { appender, AppendRefused } from './esdb-append.ts'
import { esdbClient } from './esdb-client.ts'
import type { Answer } from './esdb-decode.ts'
import { MalformedEvent, recordedOf } from './esdb-event.ts'
import { follow } from './esdb-follow.ts'
import { allRequest, lastRequest, openRead, readToEnd, streamRequest, subscriptionRequest } from './esdb-read.ts'
import { backOffMs, isTransient, pause, ReadRefused, StoreUnavailable } from './transient.ts'

/**
 * What a read or an append may take in all, attempts and pauses together, as a multiple of the limit for one attempt.
 */
const ATTEMPTS_WORTH = 6

type Request = Parameters<typeof openRead>[1]

type Connection = {
  readonly client: EventStoreDBClient
  readonly timeoutMs: number
  /** Aborts when the store is closed. */
  readonly closing: AbortSignal
}

/** Tries again while `again` says so and there is time; then the last error is the caller's. */
const insist = async <T>(
  { timeoutMs, closing }: Connection,
  attempt: () => Promise<T>,
  again: (error: unknown) => boolean,
): Promise<T> => {
  const giveUpAt = performance.now() + ATTEMPTS_WORTH * timeoutMs
  for (let count = 0; ; count++) {
    try {
      return await attempt()
    } catch (error) {
      if (!again(error) || closing.aborted || performance.now() > giveUpAt) throw error
    }
    await pause(backOffMs(count), closing)
  }
}

/** Reads anew as often as it takes; `fresh` gives each attempt an empty list to fill. */
const readAnew = async <T>(
  connection: Connection,
  request: Request,
  read: (answer: Answer, into: T[]) => void,
): Promise<T[]> => {
  const attempt = async (): Promise<T[]> => {
    const into: T[] = []
    const call = await openRead(connection.client, request)
    await readToEnd(call, (answer) => read(answer, into), connection.timeoutMs)
    return into
  }
  try {
    return await insist(connection, attempt, isTransient)
  } catch (error) {
    throw readFailure(error)
  }
}

/** What is foreign stops here. */
const readFailure = (cause: unknown): unknown => {
  if (cause instanceof MalformedEvent) return cause
  if (isTransient(cause)) return new StoreUnavailable('the event store cannot be read', { cause })
  return new ReadRefused('the event store refuses this read', { cause })
}

const recordedFrom = (answer: Answer, into: Recorded[]): void => {
  if (answer.kind === 'event') into.push(recordedOf(answer.event))
}

const reading = (connection: Connection): Pick<EventStore, 'read' | 'readAll' | 'head'> => {
  const headOf = async (stream: string): Promise<Revision> => {
    const request = streamRequest(stream, { from: undefined, limit: 1, backward: true })
    const [last] = await readAnew<Recorded>(connection, request, recordedFrom)
    return last?.revision ?? 'absent'
  }
  return {
    read: async (stream, { from, limit = Number.MAX_SAFE_INTEGER, backward = false } = {}) => {
      const request = streamRequest(stream, { from, limit, backward })
      const events = await readAnew<Recorded>(connection, request, recordedFrom)
      const last = backward ? events[0] : events.at(-1)
      const sawEnd = last !== undefined && (backward ? from === undefined : events.length < limit)
      return { events, revision: sawEnd ? last.revision : await headOf(stream) }
    },
    readAll: async ({ after, prefixes, limit }) => {
      if (prefixes.length === 0 || limit <= 0) return []
      // A read from a position begins with the event there, if that one has a prefix asked for.
      const request = allRequest(after, prefixes, limit + 1)
      const events = await readAnew<Recorded>(connection, request, recordedFrom)
      return events.filter(({ position }) => isAfter(position, after)).slice(0, limit)
    },
    head: async () => {
      const [last] = await readAnew<Position>(connection, lastRequest(), (answer, into) => {
        if (answer.kind === 'event') into.push(answer.event.position)
      })
      return last ?? 'start'
    },
  }
}

const isFinal = (error: unknown): boolean => error instanceof RevisionConflict || error instanceof AppendRefused

const appending = (connection: Connection, once: ReturnType<typeof appender>['append']): EventStore['append'] =>
  async (stream, events: readonly NewEvent[], { expected }) => {
    if (events.length === 0) throw new Error('BUG: an append has at least one event')
    try {
      return await insist(connection, () => once(stream, events, expected), (error) => !isFinal(error))
    } catch (cause) {
      if (isFinal(cause)) throw cause
      throw new StoreUnavailable(`whether the events were appended to stream ${stream} is not known`, { cause })
    }
  }

async function* subscribing(
  connection: Connection,
  { after, prefixes, signal, batchMax = 500 }: Parameters<EventStore['subscribe']>[0],
): ReturnType<EventStore['subscribe']> extends AsyncIterable<infer T> ? AsyncGenerator<T, void> : never {
  const until = AbortSignal.any([signal, connection.closing])
  let position = after
  let caughtUp = false
  for (let attempt = 0; !until.aborted; attempt++) {
    try {
      const call = await openRead(connection.client, subscriptionRequest(position, prefixes))
      for await (const delivery of follow(call, { after: position, caughtUp, batchMax, signal: until })) {
        attempt = 0
        position = delivery.position
        caughtUp = delivery.caughtUp
        yield delivery
      }
    } catch (error) {
      if (!isTransient(error)) throw readFailure(error)
    }
    await pause(backOffMs(attempt), until)
  }
}

/**
 * The event store on EventStoreDB 23.10 or later, or on the embedded one. One per process.
 *
 * Appends whose outcome is not known are repeated with the same ids and the same expected revision, which the server
 * recognises for ever; reads are repeated; subscriptions are taken up again where they were.
 *
 * @param options.connectionString `esdb://…` or `esdb+discover://…`
 * @param options.appendTimeoutMs how long one attempt may stay without an answer; six times as long for all attempts
 *   together. The same holds for reads.
 * @throws StoreUnavailable from any call when that time has passed; AppendRefused for events the store never takes;
 *   MalformedEvent from reads and subscriptions
 */
export const esdbEventStore = ({
  connectionString,
  appendTimeoutMs = 5_000,
}: {
  readonly connectionString: string
  readonly appendTimeoutMs?: number
}): EventStore & { readonly close: () => Promise<void>; readonly ping: () => Promise<void> } => {
  const client = esdbClient(connectionString)
  const closed = new AbortController()
  const connection: Connection = { client, timeoutMs: appendTimeoutMs, closing: closed.signal }
  const { append, close } = appender(client, appendTimeoutMs)
  return {
    ...reading(connection),
    append: appending(connection, append),
    subscribe: (options) => subscribing(connection, options),
    ping: async () => {
      try {
        await readToEnd(await openRead(client, lastRequest()), () => undefined, appendTimeoutMs)
      } catch (error) {
        throw readFailure(error)
      }
    },
    close: async () => {
      closed.abort()
      await close()
      await client.dispose()
      const channel = await client['getChannel']()
      channel.close()
    },
  }
}
