import type { LogRecord } from '../record.ts'

/** An event on its way to a consumer: what stands in the log, and what it points to if it is a link that was followed. */
export type Delivery = {
  /** What is acknowledged: the event itself, or the link. */
  readonly original: LogRecord
  /** Undefined when a link's target is gone. */
  readonly event: LogRecord | undefined
}

/** A delivery that a group has taken on and has not finished. */
export type Message = Delivery & {
  /** The original's revision, or its position in `$all`: what the order of messages goes by. */
  readonly place: number
  /** What its tracker knows it by. */
  readonly sequence: number
  readonly retries: number
  /** Parked once, and sent again on request. */
  readonly replayed: boolean
  /** Came when nothing older was left to read. */
  readonly live: boolean
}
