import { setImmediate } from 'node:timers/promises'
import { lengthOf, type LogRecord } from './record.ts'

/** What one flush takes at most, and how much may wait before writers are asked to pause. */
const FLUSH_EVENTS_MAX = 4_096
const FLUSH_BYTES_MAX = 8 * 1_048_576
const WAITING_BYTES_MAX = 32 * 1_048_576

type Pending = {
  readonly records: readonly LogRecord[]
  readonly bytes: number
  readonly durable: PromiseWithResolvers<void>
  readonly onDurable: () => void
}

export type FlushQueue = {
  /** Resolves once the records are durable, after `onDurable` was called. Rejects when a flush has failed. */
  readonly push: (records: readonly LogRecord[], onDurable: () => void) => Promise<void>
  readonly hasRoom: () => boolean
  /** Calls back once there is room for more; at once if there is. */
  readonly whenRoom: (go: () => void) => void
  /** Resolves when nothing is being written. */
  readonly idle: () => Promise<void>
}

/**
 * Group commit: all that is queued while one flush is under way goes into the next. Order is the order of the queue, and
 * what was pushed together is flushed together.
 *
 * @param flush writes records durably, all or none
 * @param onFailure called once when that fails; nothing is taken from then on
 */
export const flushQueue = (
  flush: (records: readonly LogRecord[]) => Promise<void>,
  onFailure: (cause: unknown) => void,
): FlushQueue => {
  let waiting: Pending[] = []
  let waitingBytes = 0
  let flushing: Promise<void> | undefined
  let failure: Error | undefined
  let stalled: (() => void)[] = []

  const hasRoom = (): boolean => waitingBytes < WAITING_BYTES_MAX

  const take = (): Pending[] => {
    let events = 0
    let bytes = 0
    const count = waiting.findIndex((it) => {
      events += it.records.length
      bytes += it.bytes
      return events > FLUSH_EVENTS_MAX || bytes > FLUSH_BYTES_MAX
    })
    const taken = waiting.splice(0, count === -1 ? waiting.length : Math.max(1, count))
    waitingBytes -= taken.reduce((sum, it) => sum + it.bytes, 0)
    return taken
  }

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const taken = take()
      try {
        await flush(taken.flatMap((it) => it.records))
      } catch (cause) {
        // Memory is ahead of the disk now; only a restart brings them together again.
        failure = new Error('the event log cannot be written', { cause })
        for (const it of [...taken, ...waiting.splice(0)]) it.durable.reject(failure)
        onFailure(cause)
        return
      }
      for (const it of taken) {
        it.onDurable()
        it.durable.resolve()
      }
      const released = stalled
      stalled = []
      for (const go of released) go()
    }
    flushing = undefined
  }

  return {
    push: (records, onDurable) => {
      if (failure !== undefined) return Promise.reject(failure)
      const bytes = records.reduce((sum, it) => sum + lengthOf(it, it.stream), 0)
      const durable = Promise.withResolvers<void>()
      // Whoever needs the outcome awaits it; a head that nobody asks for again must not count as unhandled.
      durable.promise.catch(() => undefined)
      waiting.push({ records, bytes, durable, onDurable })
      waitingBytes += bytes
      // A turn of the event loop first, so that what arrived together is written together.
      flushing ??= setImmediate().then(run)
      return durable.promise
    },
    hasRoom,
    idle: async () => flushing,
    whenRoom: (go) => {
      if (hasRoom()) go()
      else stalled.push(go)
    },
  }
}
