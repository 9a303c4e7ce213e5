import type { Delivery, Message } from './message.ts'
import type { Offered } from './queues.ts'
import type { Settings } from './settings.ts'
import { type Candidate, STRATEGIES } from './strategies.ts'
import { type Timings, timings } from './timings.ts'

export type Consumer = Candidate & {
  readonly inFlight: Map<string, Message>
  readonly send: (message: Message) => void
  /** If extra statistics are wanted. */
  readonly timings: Timings | undefined
  sent: number
}

/** Who has which message in hand. */
export type Hands = {
  readonly join: (bufferSize: number, send: (message: Message) => void) => Consumer
  /** @returns what it had in hand, which nobody has now */
  readonly leave: (consumer: Consumer, nowMs: number) => readonly Message[]
  /** Sends a message to the consumer whose turn it is. */
  readonly give: (message: Message, nowMs: number) => Offered
  /** @returns those of the messages that were in hand, which nobody has now */
  readonly release: (ids: Iterable<string>, nowMs: number) => readonly Message[]
  /** @returns what nobody has answered in time, which nobody has now */
  readonly overdue: (nowMs: number) => readonly Message[]
  readonly count: () => number
  /** How many messages were ever sent. */
  readonly sent: () => number
}

const idOf = ({ original }: Delivery): string => original.id

export const hands = ({ strategy: name, messageTimeoutMs, extraStatistics }: Settings): Hands => {
  const strategy = STRATEGIES[name]<Consumer>()
  // In the order of their deadlines, since all have the same time.
  const outstanding = new Map<string, { readonly message: Message; readonly consumer: Consumer; readonly deadlineMs: number }>()
  let sent = 0

  const release: Hands['release'] = (ids, nowMs) => {
    const released: Message[] = []
    for (const id of ids) {
      const found = outstanding.get(id)
      if (found === undefined) continue
      outstanding.delete(id)
      found.consumer.inFlight.delete(id)
      found.consumer.timings?.end(id, nowMs)
      released.push(found.message)
    }
    return released
  }
  return {
    release,
    join: (bufferSize, send) => {
      const extra = extraStatistics ? timings() : undefined
      const consumer = { bufferSize, send, inFlight: new Map<string, Message>(), timings: extra, sent: 0 }
      strategy.join(consumer)
      return consumer
    },
    leave: (consumer, nowMs) => {
      strategy.leave(consumer)
      return release(consumer.inFlight.keys(), nowMs)
    },
    give: (message, nowMs) => {
      const id = idOf(message)
      // Ids need be unique in a stream only: two with the same one go one after the other.
      if (outstanding.has(id)) return 'busy'
      const consumer = strategy.choose(message)
      if (typeof consumer === 'string') return consumer
      outstanding.set(id, { message, consumer, deadlineMs: nowMs + messageTimeoutMs })
      consumer.inFlight.set(id, message)
      consumer.timings?.start(id, nowMs)
      consumer.sent += 1
      sent += 1
      consumer.send(message)
      return 'taken'
    },
    overdue: (nowMs) => {
      const late: string[] = []
      for (const [id, { deadlineMs }] of outstanding) {
        if (deadlineMs > nowMs) break
        late.push(id)
      }
      return release(late, nowMs)
    },
    count: () => outstanding.size,
    sent: () => sent,
  }
}
