import type { Log } from '../log.ts'
import type { Refusal } from '../refusal.ts'
import { checkpointOf } from './checkpoint.ts'
import { type Consumer, engine, type NackAction } from './engine.ts'
import { follow } from './follow.ts'
import { insist } from './insist.ts'
import type { Message } from './message.ts'
import { parkingOf } from './parking.ts'
import { batchSizeOf, type Settings } from './settings.ts'
import { nameOf, type Source } from './source.ts'
import { type ConsumerStatistics, rates, type Statistics } from './statistics.ts'

/** A group as it was asked for. */
export type GroupOrder = {
  readonly source: Source
  readonly name: string
  readonly settings: Settings
  /** The first event of interest, by revision or position. */
  readonly startFrom: number | 'end'
  /** Where the end was when the group began there. */
  readonly endWas: number
}

/** Who reads, and how it is told. */
export type Subscriber = {
  readonly bufferSize: number
  readonly connectionName: string
  readonly from: string
  readonly username: string
  readonly send: (message: Message) => void
  readonly drop: (because: Refusal) => void
}

/** A consumer's way to speak to its group. */
export type Membership = {
  readonly ack: (ids: readonly string[]) => void
  readonly nack: (ids: readonly string[], action: NackAction, reason: string) => void
  readonly leave: () => void
}

/** A group that runs. */
export type Group = {
  readonly order: GroupOrder
  readonly isFull: () => boolean
  readonly join: (subscriber: Subscriber) => Membership
  /** Sends parked events again; all of them, or those before a revision of the parked stream. */
  readonly replayParked: (stopAt: number | undefined) => void
  readonly tick: () => void
  readonly statistics: () => Statistics
  /** Stops reading and drops all consumers. What they had in hand comes again when the group is opened anew. */
  readonly close: (because: Refusal) => Promise<void>
  /** To be called when it is closed: forgets how far it came and what was parked. */
  readonly forget: () => Promise<void>
}

/** @returns what identifies a group */
export const keyOf = (source: Source, name: string): string => `${nameOf(source)}::${name}`

type Member = { readonly subscriber: Subscriber; readonly consumer: Consumer; readonly rates: ReturnType<typeof rates> }

const consumerStatistics = ({ subscriber, consumer, rates: measure }: Member, nowMs: number): ConsumerStatistics => ({
  connectionName: subscriber.connectionName,
  from: subscriber.from,
  username: subscriber.username,
  ...measure(consumer.sent, nowMs),
  inFlight: consumer.inFlight.size,
  availableSlots: consumer.bufferSize - consumer.inFlight.size,
  measured: consumer.timings?.measured() ?? new Map(),
})

/** A signal that wakes whoever waits for it. */
const bell = () => {
  let next = Promise.withResolvers<void>()
  return {
    heard: (): Promise<void> => next.promise,
    ring: (): void => {
      next.resolve()
      next = Promise.withResolvers()
    },
  }
}

/** What follows the start: before the checkpoint there is what was ordered, after it nothing else counts. */
const placeBefore = ({ startFrom, endWas }: GroupOrder): number => (startFrom === 'end' ? endWas : startFrom - 1)

/**
 * Opens a group where its checkpoint says, and begins to read ahead.
 *
 * @param now the time in ms since 1970
 * @throws when the log cannot be read
 */
export const openGroup = async ({ log, order, now }: {
  readonly log: Log
  readonly order: GroupOrder
  readonly now: () => number
}): Promise<Group> => {
  const { source, settings } = order
  const key = keyOf(source, order.name)
  const stopping = new AbortController()
  const { signal } = stopping
  const checkpoint = checkpointOf(log, key, source, signal)
  const parking = parkingOf(log, key)
  const [reached] = await Promise.all([checkpoint.load(), parking.load()])
  let checkpointed = reached
  let known = reached
  let replaying = false
  const members = new Set<Member>()
  const parks = new Set<Promise<void>>()
  const room = bell()
  const measure = rates()

  /** Whatever fails is tried again until the group is closed. */
  const unlessOver = (error: unknown): void => {
    if (!signal.aborted) throw error
  }
  const core = engine(settings, reached, {
    // A group that is closed writes nothing more: its successor may be ahead of it.
    checkpoint: (place) => {
      if (signal.aborted) return
      checkpointed = place
      checkpoint.save(place)
    },
    park: (message, reason) => {
      const parked = insist(() => parking.park(message, reason, now()), signal)
        .then(() => core.parked(message, now()))
        .catch(unlessOver)
      parks.add(parked)
      void parked.finally(() => {
        parks.delete(parked)
        room.ring()
      })
    },
  })
  const take: typeof core.take = (events, nowMs) => {
    known = events.findLast((it) => !('passed' in it))?.place ?? known
    core.take(events, nowMs)
  }
  const following = {
    log, source, resolveLinks: settings.resolveLinks, roomier: room.heard, signal,
    engine: { room: core.room, caughtUp: core.caughtUp, take },
  }
  const reading = follow(following, reached ?? placeBefore(order), now).catch(unlessOver)
  const replay = async (stopAt: number): Promise<void> => {
    for (;;) {
      const events = await insist(() => parking.take(stopAt, batchSizeOf(settings)), signal)
      if (events.length === 0) return
      core.replay(events, now())
    }
  }
  /** What a consumer says counts as long as it is one. */
  const from = (member: Member, act: () => void): void => {
    if (!members.has(member)) return
    act()
    room.ring()
  }

  return {
    order,
    isFull: () => settings.maxSubscriberCount !== 0 && members.size >= settings.maxSubscriberCount,
    join: (subscriber) => {
      const consumer = core.join(subscriber.bufferSize, subscriber.send, now())
      const member = { subscriber, consumer, rates: rates() }
      members.add(member)
      room.ring()
      return {
        ack: (ids) => from(member, () => core.ack(ids, now())),
        nack: (ids, action, reason) => from(member, () => core.nack(ids, action, reason, now())),
        leave: () => from(member, () => {
          members.delete(member)
          core.leave(consumer, now())
        }),
      }
    },
    replayParked: (stopAt = Infinity) => {
      if (replaying) return
      replaying = true
      replay(stopAt).catch(unlessOver).finally(() => {
        replaying = false
      })
    },
    tick: () => {
      core.tick(now())
      // What is not written now is tried again at the next tick.
      parking.truncate(core.replayedUpTo() ?? 0).catch(() => undefined)
      room.ring()
    },
    statistics: () => ({
      counts: core.counts(),
      ...measure(core.counts().sent, now()),
      checkpointed,
      known,
      parked: parking.count(),
      consumers: [...members].map((it) => consumerStatistics(it, now())),
    }),
    close: async (because) => {
      stopping.abort()
      room.ring()
      for (const { subscriber } of members) subscriber.drop(because)
      members.clear()
      await Promise.all([reading, checkpoint.idle(), ...parks])
    },
    forget: async () => {
      await checkpoint.forget()
      await parking.forget()
    },
  }
}
