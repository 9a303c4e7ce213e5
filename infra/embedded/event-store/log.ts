import { setImmediate } from 'node:timers/promises'
import { generations } from './generations.ts'
import { ABSENT, FIRST_POSITION, lengthOf, type LogRecord, type Proposed } from './record.ts'
import type { Storage, StreamHead } from './storage.ts'
import { tail as tailFrom } from './tail.ts'
import { type Expected, repeatOf, sameIds, verdictOn, type Whereabouts } from './version-rules.ts'

/** How many streams' heads, and how many recent event ids, a generation remembers. */
const HEADS_MAX = 50_000
const IDS_MAX = 32_768

/** What one flush takes at most, and how much may wait before writers are asked to pause. */
const FLUSH_EVENTS_MAX = 4_096
const FLUSH_BYTES_MAX = 8 * 1_048_576
const WAITING_BYTES_MAX = 32 * 1_048_576

/**
 * How an append ended. `revision` and `position` are those of its last event; a conflict tells the stream's own
 * revision.
 */
export type Appended =
  | { readonly outcome: 'written'; readonly revision: number; readonly position: number | undefined }
  | { readonly outcome: 'conflict'; readonly revision: number }

export type Log = {
  readonly storage: Storage
  /** Resolves once the events are durable. Rejects when the log has failed. */
  readonly append: (stream: string, expected: Expected, events: readonly Proposed[]) => Promise<Appended>
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

type Pending = {
  readonly records: readonly LogRecord[]
  readonly bytes: number
  readonly durable: PromiseWithResolvers<void>
}

/** A head that runs ahead of what is durable, until `durable` resolves. */
type Head = StreamHead & { readonly durable?: Promise<void> }

type Queue = {
  readonly push: (records: readonly LogRecord[], onDurable: () => void) => Promise<void>
  readonly hasRoom: () => boolean
  readonly whenRoom: (go: () => void) => void
  readonly idle: () => Promise<void>
}

/**
 * Group commit: all that is queued while one flush is under way goes into the next. Order is the order of the queue.
 */
const flushQueue = (
  flush: (records: readonly LogRecord[]) => Promise<void>,
  onFailure: (cause: unknown) => void,
): Queue => {
  let waiting: (Pending & { readonly onDurable: () => void })[] = []
  let waitingBytes = 0
  let flushing: Promise<void> | undefined
  let failure: Error | undefined
  let stalled: (() => void)[] = []

  const hasRoom = (): boolean => waitingBytes < WAITING_BYTES_MAX

  const take = (): typeof waiting => {
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

/** Stream heads: those ahead of the disk are pinned, the rest is a bounded cache in front of storage. */
const streamHeads = (storage: Storage) => {
  const pinned = new Map<string, Head>()
  const cached = generations<string, Head>(HEADS_MAX)
  const loading = new Map<string, Promise<void>>()
  return {
    get: (stream: string): Head | undefined => pinned.get(stream) ?? cached.get(stream),
    pin: (stream: string, head: Head): void => void pinned.set(stream, head),
    unpin: (stream: string, head: Head): void => {
      if (pinned.get(stream) !== head) return
      pinned.delete(stream)
      cached.set(stream, { revision: head.revision, position: head.position })
    },
    load: (stream: string): Promise<void> => {
      const running = loading.get(stream)
      if (running !== undefined) return running
      const started = storage
        .headOf(stream)
        .then((found) => cached.set(stream, found ?? { revision: ABSENT, position: ABSENT }))
        .finally(() => loading.delete(stream))
      loading.set(stream, started)
      return started
    },
  }
}

type Writing = { readonly storage: Storage; readonly queue: Queue; readonly nextPosition: number }

/** The writer: decides in memory, ahead of the disk, and answers when the disk has it. */
const writing = ({ storage, queue, nextPosition }: Writing): Log['append'] => {
  const heads = streamHeads(storage)
  const ids = generations<string, Whereabouts>(IDS_MAX)

  const write = async (stream: string, head: Head, events: readonly Proposed[]): Promise<Appended> => {
    const createdTicks = `${Date.now()}0000`
    let revision = head.revision
    let position = head.position
    const records = events.map((event): LogRecord => {
      position = nextPosition
      nextPosition += lengthOf(event, stream)
      revision += 1
      ids.set(event.id, { stream, revision, position })
      return { ...event, stream, revision, position, createdTicks }
    })
    const ahead: { -readonly [K in keyof Head]: Head[K] } = { revision, position }
    const durable = queue.push(records, () => heads.unpin(stream, ahead))
    ahead.durable = durable
    heads.pin(stream, ahead)
    await durable
    return { outcome: 'written', revision, position }
  }

  type Repeat = { readonly expected: number; readonly events: readonly Proposed[] }

  const compare = async (stream: string, head: Head, { expected, events }: Repeat): Promise<Appended> => {
    await head.durable
    const found = await storage.scanStream(stream, expected + 1, events.length, false)
    const last = found.at(-1)
    return last !== undefined && sameIds(events, found)
      ? { outcome: 'written', revision: last.revision, position: last.position }
      : { outcome: 'conflict', revision: head.revision }
  }

  const appendLoosely = async (stream: string, head: Head, events: readonly Proposed[]): Promise<Appended> => {
    const repeat = repeatOf(stream, events.map(({ id }) => ids.get(id)))
    if (repeat === 'new') return write(stream, head, events)
    if (repeat === 'conflict') return { outcome: 'conflict', revision: head.revision }
    await head.durable
    return { outcome: 'written', revision: repeat.revision, position: repeat.position }
  }

  return async (stream, expected, events) => {
    let head = heads.get(stream)
    while (head === undefined) {
      await heads.load(stream)
      head = heads.get(stream)
    }
    const verdict = verdictOn(expected, head.revision, events.length)
    if (verdict === 'conflict') return { outcome: 'conflict', revision: head.revision }
    if (events.length === 0) return { outcome: 'written', revision: head.revision, position: undefined }
    if (typeof expected !== 'number') return appendLoosely(stream, head, events)
    return verdict === 'compare' ? compare(stream, head, { expected, events }) : write(stream, head, events)
  }
}

/**
 * Opens the log: one writer that decides order in memory, and readers that see only what is durable, in order.
 * What it needs at start is the last event, so starting takes no longer as the log grows.
 *
 * @param onFailure called once when a flush fails; the process must end then, since memory is ahead of the disk
 */
export const openLog = async (storage: Storage, onFailure: (cause: unknown) => void): Promise<Log> => {
  const last = await storage.last()
  const nextPosition = last === undefined ? FIRST_POSITION : last.position + lengthOf(last, last.stream)
  let head = last?.position ?? FIRST_POSITION - 1
  const recent = tailFrom(head)
  let watchers = new Set<() => void>()

  const queue = flushQueue(async (records) => {
    await storage.insert(records)
    recent.push(records)
    head = records.at(-1)?.position ?? head
    const woken = watchers
    watchers = new Set()
    for (const wake of woken) wake()
  }, onFailure)

  return {
    storage,
    append: writing({ storage, queue, nextPosition }),
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
