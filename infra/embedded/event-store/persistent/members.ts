import type { Refusal } from '../refusal.ts'
import type { Engine, NackAction } from './engine.ts'
import type { Consumer } from './hands.ts'
import type { Message } from './message.ts'
import { type ConsumerStatistics, rates } from './statistics.ts'

/** Who reads, and how it is told. */
export type Subscriber = {
  readonly bufferSize: number
  readonly connectionName: string
  readonly from: string
  readonly username: string
  readonly send: (message: Message) => void
  readonly drop: (because: Refusal) => void
}

/** A consumer's way to speak to its group. What it says when it is dropped or has left is not heard. */
export type Membership = {
  readonly ack: (ids: readonly string[]) => void
  readonly nack: (ids: readonly string[], action: NackAction, reason: string) => void
  readonly leave: () => void
}

export type Members = {
  readonly count: () => number
  readonly join: (subscriber: Subscriber) => Membership
  readonly drop: (because: Refusal) => void
  readonly statistics: () => readonly ConsumerStatistics[]
}

type Member = { readonly subscriber: Subscriber; readonly consumer: Consumer; readonly measure: ReturnType<typeof rates> }

const statisticsOf = ({ subscriber, consumer, measure }: Member, nowMs: number): ConsumerStatistics => ({
  connectionName: subscriber.connectionName,
  from: subscriber.from,
  username: subscriber.username,
  ...measure(consumer.sent, nowMs),
  inFlight: consumer.inFlight.size,
  availableSlots: consumer.bufferSize - consumer.inFlight.size,
  measured: consumer.timings?.measured() ?? new Map(),
})

/**
 * The consumers of a group.
 *
 * @param now the time in ms
 * @param onChange called after whatever may have made room
 */
export const membersOf = (engine: Engine, now: () => number, onChange: () => void): Members => {
  const members = new Set<Member>()
  const heard = (member: Member, act: () => void): void => {
    if (!members.has(member)) return
    act()
    onChange()
  }
  return {
    count: () => members.size,
    join: (subscriber) => {
      const consumer = engine.join(subscriber.bufferSize, subscriber.send, now())
      const member = { subscriber, consumer, measure: rates() }
      members.add(member)
      onChange()
      return {
        ack: (ids) => heard(member, () => engine.ack(ids, now())),
        nack: (ids, action, reason) => heard(member, () => engine.nack(ids, action, reason, now())),
        leave: () => heard(member, () => {
          members.delete(member)
          engine.leave(consumer, now())
        }),
      }
    },
    drop: (because) => {
      const all = [...members]
      // First of all nobody is a member: what one had in hand must not go to another that is dropped as well.
      members.clear()
      for (const { subscriber } of all) subscriber.drop(because)
    },
    statistics: () => [...members].map((it) => statisticsOf(it, now())),
  }
}
