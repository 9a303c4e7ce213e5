import { flushQueue } from './flush-queue.ts'
import { APPEND_BYTES_MAX, FIRST_POSITION, lengthOf, type LogRecord } from './record.ts'
import type { Storage } from './storage.ts'
import { streamReader, type StreamReader } from './stream-reader.ts'
import { tail as tailFrom } from './tail.ts'
import { writer, type Writer } from './writer.ts'

export type { Appended } from './writer.ts'

export type Log = Writer & Omit<StreamReader, 'written'> & {
  readonly storage: Storage
  /** What one append may weigh, in bytes: types, data and metadata of its events. */
  readonly appendBytesMax: number
  /** The position of the last durable event; FIRST_POSITION - 1 when there is none. */
  readonly head: () => number
  /** Durable events after a position: from memory if they are recent, else from storage. */
  readonly after: (position: number, max: number) => Promise<readonly LogRecord[]>
  /**
   * Calls back once, when events behind `position` are durable; at once if there are some. Returns how to forget about
   * it.
   */
  readonly whenPast: (position: number, wake: () => void) => () => void
  /** Whether there is room for more appends in memory. */
  readonly hasRoom: () => boolean
  /** Calls back once there is room for more appends; at once if there is. */
  readonly whenRoom: (go: () => void) => void
  /** Resolves when nothing is being written. */
  readonly idle: () => Promise<void>
}

/**
 * Opens the log: one writer that decides order in memory, and readers that see only what is durable, in order.
 * What it needs at start is the last event, so starting takes no longer as the log grows.
 *
 * @param options.appendBytesMax what a client's append may weigh; default 1 MiB
 * @param options.onFailure called once when a flush fails; the process must end then, since memory is ahead of the disk
 */
export const openLog = async (
  storage: Storage,
  { appendBytesMax = APPEND_BYTES_MAX, onFailure }: {
    readonly appendBytesMax?: number | undefined
    readonly onFailure: (cause: unknown) => void
  },
): Promise<Log> => {
  const last = await storage.last()
  const nextPosition = last === undefined ? FIRST_POSITION : last.position + lengthOf(last, last.stream)
  let head = last?.position ?? FIRST_POSITION - 1
  const recent = tailFrom(head)
  const { written, readStream, metadataOf } = streamReader(storage)
  let watchers = new Set<() => void>()

  const queue = flushQueue(async (records) => {
    await storage.insert(records)
    written(records)
    recent.push(records)
    head = records.at(-1)?.position ?? head
    const woken = watchers
    watchers = new Set()
    for (const wake of woken) wake()
  }, onFailure)

  return {
    ...writer({ storage, queue, nextPosition }),
    storage,
    appendBytesMax,
    readStream,
    metadataOf,
    head: () => head,
    after: async (position, max) => {
      if (recent.covers(position)) return recent.after(position, max)
      return storage.scanAll(position + 1, max, false)
    },
    whenPast: (position, wake) => {
      if (head > position) wake()
      else watchers.add(wake)
      return () => void watchers.delete(wake)
    },
    hasRoom: queue.hasRoom,
    whenRoom: queue.whenRoom,
    idle: queue.idle,
  }
}
