import type { OrderOutcome, PlacedOrder } from '../../domain/job/orders.ts'
import type { Observation } from './observation.ts'

/** Carried beside a message so that one trace follows it (W3C trace context). */
export type Carrier = Readonly<Record<string, string>>

export type Delivered<T> = {
  readonly message: T
  readonly carrier: Carrier
  /** How often it has been handed out, this time included. */
  readonly deliveries: number
  /** The effect is recorded: never hand it out again. */
  readonly ack: () => Promise<void>
  /** Hand it out again after `delayMs`. */
  readonly nak: (delayMs: number) => Promise<void>
  /** Still at work: start the acknowledgement's time limit anew. */
  readonly extend: () => void
}

export type DeadLetter = {
  readonly id: string
  readonly subject: string
  readonly because: string
  readonly at: string
  readonly payload: string
}

export type Reading = {
  /** At most so many messages are unacknowledged at once. */
  readonly concurrency: number
  /** Ends the reading. */
  readonly signal: AbortSignal
}

/** Orders, outcomes and observations in flight. At least once, each with a derived id; nothing lives here only. */
export type Messaging = {
  /** How long the broker waits for an acknowledgement or an `extend` before it hands a message out again. */
  readonly ackWaitMs: number
  /** Publishes on the order's subject. A repeat with the same `orderId` within the duplicate window is dropped. */
  readonly order: (order: PlacedOrder, carrier: Carrier) => Promise<void>
  /** `outcomeId` is derived from the order and the kind, so that a repeat is dropped. */
  readonly answer: (outcome: OrderOutcome, outcomeId: string, carrier: Carrier) => Promise<void>
  /** Orders under `infra` or `cmon`, shared among all workers of that family. */
  readonly orders: (family: 'infra' | 'cmon', options: Reading) => AsyncIterable<Delivered<PlacedOrder>>
  readonly outcomes: (options: Reading) => AsyncIterable<Delivered<OrderOutcome>>
  /**
   * Tells what was seen of a datastore. `observationId` is derived from it. What nobody has taken within an hour is of no use
   * to anyone and goes by itself.
   */
  readonly observe: (observation: Observation, observationId: string, carrier: Carrier) => Promise<void>
  readonly observations: (options: Reading) => AsyncIterable<Delivered<Observation>>
  readonly deadLetters: {
    readonly list: () => Promise<readonly DeadLetter[]>
    /** Puts it back where it came from, and forgets it. False when there is none with this id. */
    readonly replay: (id: string) => Promise<boolean>
  }
  /** Resolves when the server answers, rejects otherwise. For readiness. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
