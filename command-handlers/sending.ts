import type { Command, Event } from '../domain/kernel/decider.ts'
import type { Request } from '../domain/kernel/endpoint.ts'
import type { Cause, EventStore } from '../domain/kernel/event-store.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import { answerOnce } from './answer-once.ts'
import { causeOf } from './cause.ts'
import type { Send } from './handle.ts'

/** What every call that sends commands stands on. */
export type Sending = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly personal: PersonalData
  readonly now: () => Instant
  /** Of the span at work. */
  readonly traceparent: () => string | undefined
  /** Put around the sending of commands, to count and trace them. */
  readonly around?: <C extends Command, E extends Event, S, Code extends string>(
    send: Send<C, E, S, Code>,
  ) => Send<C, E, S, Code>
}

/** What an event says of the request that led to it, and requests that are carried out once for each key. */
export const asking = ({ store, personal, traceparent }: Sending) => {
  const cause = (request: Request<unknown, unknown, unknown>, commandId: string): Promise<Cause> =>
    causeOf(request, commandId, { seal: personal.seal, traceparent: traceparent() })
  return { cause, once: answerOnce({ store, personal, cause }) }
}
