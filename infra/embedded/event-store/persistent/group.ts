import type { Log } from '../log.ts'
import type { Refusal } from '../refusal.ts'
import { type Checkpoint, checkpointOf } from './checkpoint.ts'
import { type Engine, engine } from './engine.ts'
import { follow } from './follow.ts'
import { insist } from './insist.ts'
import { membersOf, type Membership, type Subscriber } from './members.ts'
import { type Parking, parkingOf } from './parking.ts'
import { batchSizeOf, type Settings } from './settings.ts'
import { nameOf, type Source } from './source.ts'
import { rates, type Statistics } from './statistics.ts'

/** A group as it was asked for. */
export type GroupOrder = {
  readonly source: Source
  readonly name: string
  readonly settings: Settings
  /** The first event of interest, by revision or position. */
  readonly startFrom: number | 'end'
  /** Where the end was when the group was made to begin there. */
  readonly endWas: number
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

/** What counts as long as there is no checkpoint. */
const placeBefore = ({ startFrom, endWas }: GroupOrder): number => (startFrom === 'end' ? endWas : startFrom - 1)

type Parts = {
  readonly order: GroupOrder
  readonly reached: number | undefined
  readonly checkpoint: Checkpoint
  readonly parking: Parking
  readonly signal: AbortSignal
  readonly now: () => number
  /** Called after whatever may have made room. */
  readonly onChange: () => void
}

/** An engine whose wishes are fulfilled. */
const working = ({ order, reached, checkpoint, parking, signal, now, onChange }: Parts) => {
  const parks = new Set<Promise<void>>()
  let checkpointed = reached
  let known = reached
  const core: Engine = engine(order.settings, reached, {
    // A group that is closed writes nothing more: its successor may be ahead of it.
    checkpoint: (place) => {
      if (signal.aborted) return
      checkpointed = place
      checkpoint.save(place)
    },
    park: (message, reason) => {
      const parked = insist(() => parking.park(message, reason, now()), signal)
        .then(() => core.parked(message, now()), unlessOver(signal))
        .finally(() => {
          parks.delete(parked)
          onChange()
        })
      parks.add(parked)
    },
  })
  const take: Engine['take'] = (events, nowMs) => {
    known = events.findLast((it) => !('passed' in it))?.place ?? known
    core.take(events, nowMs)
  }
  return {
    core: { ...core, take },
    places: () => ({ checkpointed, known }),
    /** Resolves when nothing is being written. */
    idle: async (): Promise<void> => void (await Promise.all([checkpoint.idle(), ...parks])),
  }
}

/** Whatever fails is tried again until the group is closed; then nobody asks any more. */
const unlessOver = (signal: AbortSignal) => (error: unknown): void => {
  if (!signal.aborted) throw error
}

/** Sends parked events again, one request at a time: while one is under way, others change nothing. */
const replaying = ({ parking, order, signal, now }: Parts, core: Engine): Group['replayParked'] => {
  let busy = false
  const replay = async (stopAt: number): Promise<void> => {
    for (;;) {
      const events = await insist(() => parking.take(stopAt, batchSizeOf(order.settings)), signal)
      if (events.length === 0) return
      core.replay(events, now())
    }
  }
  return (stopAt = Infinity) => {
    if (busy) return
    busy = true
    void replay(stopAt).catch(unlessOver(signal)).finally(() => {
      busy = false
    })
  }
}

/**
 * Opens a group where its checkpoint says, and begins to read ahead.
 *
 * @param options.now the time in ms since 1970, which never goes back
 * @param options.over aborts when no group is to go on
 * @throws when the log cannot be read
 */
export const openGroup = async ({ log, order, now, over }: {
  readonly log: Log
  readonly order: GroupOrder
  readonly now: () => number
  readonly over: AbortSignal
}): Promise<Group> => {
  const { source, settings } = order
  const key = keyOf(source, order.name)
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, over])
  const checkpoint = checkpointOf(log, key, source, signal)
  const parking = parkingOf(log, key)
  const [reached] = await Promise.all([checkpoint.load(), parking.load()])
  const room = bell()
  const parts = { order, reached, checkpoint, parking, signal, now, onChange: room.ring }
  const { core, places, idle } = working(parts)
  const members = membersOf(core, now, room.ring)
  const measure = rates()
  const following = { log, source, resolveLinks: settings.resolveLinks, engine: core, roomier: room.heard, signal }
  const reading = follow(following, reached ?? placeBefore(order), now).catch(unlessOver(signal))

  return {
    order,
    isFull: () => settings.maxSubscriberCount !== 0 && members.count() >= settings.maxSubscriberCount,
    join: members.join,
    replayParked: replaying(parts, core),
    tick: () => {
      core.tick(now())
      // What is not written now is tried again at the next tick.
      parking.truncate(core.replayedUpTo() ?? 0).catch(() => undefined)
      room.ring()
    },
    statistics: () => {
      const counts = core.counts()
      const consumers = members.statistics()
      return { counts, ...measure(counts.sent, now()), ...places(), parked: parking.count(), consumers }
    },
    close: async (because) => {
      stopping.abort()
      room.ring()
      members.drop(because)
      await Promise.all([reading, idle()])
    },
    forget: async () => {
      await checkpoint.forget()
      await parking.forget()
    },
  }
}
