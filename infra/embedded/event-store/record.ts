/** What a client proposes to append. `id` is a UUID in lower case. */
export type Proposed = {
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly data: Buffer
  readonly metadata: Buffer
}

/**
 * An event in the log. Positions and revisions are plain numbers in here: a log of 2^53 bytes is never reached,
 * and numbers are cheaper than bigints on the way of every event. They leave the process as decimal text only.
 */
export type LogRecord = Proposed & {
  readonly position: number
  readonly stream: string
  readonly revision: number
  /** 100 ns ticks since 1970, as text: too many for a number. */
  readonly createdTicks: string
}

/** The first position ever given out; the real log begins with records of its own as well. */
export const FIRST_POSITION = 256

/** What an append may weigh, counted on type, data and metadata, in bytes; EventStoreDB's default. */
export const APPEND_BYTES_MAX = 1_048_576

/** How many events, and how many bytes of them, are fetched from storage at once. */
const PAGE_EVENTS_MAX = 1_000
const PAGE_BYTES_MAX = 8 * 1_048_576

/** How many events to fetch after `page`, judging by their size, so that large ones do not fill the memory. */
export const nextPageSize = (page: readonly LogRecord[]): number => {
  const bytes = page.reduce((sum, it) => sum + weightOf(it), 1)
  return Math.max(1, Math.min(PAGE_EVENTS_MAX, Math.floor((PAGE_BYTES_MAX * page.length) / bytes)))
}

/** The revision of a stream without events. */
export const ABSENT = -1

/** The revision of the event that ends a stream for ever: int64's maximum on the wire and on disk, the next double here. */
export const TOMBSTONE = 2 ** 63

/** @returns what an event counts towards the limit of an append, in bytes */
export const weightOf = (event: Proposed): number =>
  Buffer.byteLength(event.type) + event.data.length + event.metadata.length

/**
 * How far the next event lies behind this one. Like a byte offset it depends on the content, so that nobody comes to
 * rely on positions being dense.
 */
export const lengthOf = (event: Proposed, stream: string): number => 64 + Buffer.byteLength(stream) + weightOf(event)
