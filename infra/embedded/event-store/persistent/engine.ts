import { type Consumer, hands } from './hands.ts'
import type { Delivery, Message } from './message.ts'
import { checkpointing, progress } from './progress.ts'
import { queues } from './queues.ts'
import type { Settings } from './settings.ts'

/** What a consumer can say of a message that it does not take. */
export type NackAction = 'unknown' | 'park' | 'retry' | 'skip' | 'stop'

/** What the engine wants done. Each is called at once, from within a call to the engine. */
export type Effects = {
  /** Write the message down as parked, then say so by `parked`. */
  readonly park: (message: Message, reason: string) => void
  /** Everything up to `place` is finished: write that down. */
  readonly checkpoint: (place: number) => void
}

export type Placed = Delivery & { readonly place: number }

/** An event that the group's filter leaves out. */
export type Passed = { readonly place: number; readonly passed: true }

/** The messages of one group: taken on, handed out, sent again, parked, finished. Has no clock and waits for nothing. */
export type Engine = {
  /** How many more events it would take now. It falls behind when more come live than its live buffer holds. */
  readonly room: () => number
  /** What comes next in the log. */
  readonly take: (events: readonly (Placed | Passed)[], nowMs: number) => void
  /** There is nothing more to read: what comes from now on is live. */
  readonly caughtUp: () => void
  /** Parked events to be sent again. */
  readonly replay: (events: readonly Placed[], nowMs: number) => void
  readonly join: (bufferSize: number, send: (message: Message) => void, nowMs: number) => Consumer
  /** What it had in hand goes to others. */
  readonly leave: (consumer: Consumer, nowMs: number) => void
  readonly ack: (ids: readonly string[], nowMs: number) => void
  readonly nack: (ids: readonly string[], action: NackAction, reason: string, nowMs: number) => void
  readonly parked: (message: Message, nowMs: number) => void
  /** To be called every now and then: sends again what nobody has answered in time, and sets checkpoints by time. */
  readonly tick: (nowMs: number) => void
  /** Every parked event before this revision has been sent again and finished; undefined if none has. */
  readonly replayedUpTo: () => number | undefined
  readonly counts: () => Counts
}

/** What is where, in numbers of events. */
export type Counts = {
  readonly live: boolean
  readonly sent: number
  readonly readBuffer: number
  readonly liveBuffer: number
  readonly retryBuffer: number
  readonly outstanding: number
}

/** What is finished, of the events of the log and of those that are sent again. */
const books = (settings: Settings, from: number | undefined, effects: Effects) => {
  const main = progress(from)
  const replays = progress(undefined)
  const due = checkpointing(settings, main)
  return {
    begin: ({ place }: Placed): number => main.begin(place),
    pass: ({ place }: Passed): void => main.pass(place),
    beginAgain: ({ place }: Placed): number => replays.begin(place),
    finish: ({ replayed, sequence }: Pick<Message, 'replayed' | 'sequence'>): void =>
      (replayed ? replays : main).finish(sequence),
    checkpoint: (nowMs: number, ticking: boolean): void => {
      const place = due(nowMs, ticking)
      if (place !== undefined) effects.checkpoint(place)
    },
    replayedUpTo: (): number | undefined => {
      const { place } = replays.reached()
      return place === undefined ? undefined : place + 1
    },
  }
}

/**
 * @param from the place after which the group begins or goes on; undefined for the beginning
 * @param effects what is to be written down
 */
export const engine = (settings: Settings, from: number | undefined, effects: Effects): Engine => {
  const { begin, pass, beginAgain, finish, checkpoint, replayedUpTo } = books(settings, from, effects)
  const queue = queues(settings)
  const { join, leave, give, release, overdue, count, sent } = hands(settings)

  const handOut = (nowMs: number): void => queue.handOut((message) => give(message, nowMs))
  const settle = (nowMs: number): void => {
    checkpoint(nowMs, false)
    handOut(nowMs)
  }
  const finishAll = (messages: readonly Message[], nowMs: number): void => {
    for (const message of messages) finish(message)
    settle(nowMs)
  }
  const sendAgain = (message: Message): void =>
    queue.again({ ...message, retries: message.retries + 1, live: false })
  const retry = (message: Message): void => {
    if (message.retries < settings.maxRetryCount) sendAgain(message)
    else effects.park(message, `It was tried again ${settings.maxRetryCount} times.`)
  }
  const refuse = (message: Message, action: NackAction, reason: string): void => {
    if (action === 'park') effects.park(message, `A consumer parked it. ${reason}`.trimEnd())
    else if (action === 'skip' || action === 'stop') finish(message)
    else retry(message)
  }

  return {
    room: queue.room,
    caughtUp: queue.caughtUp,
    replayedUpTo,
    take: (events, nowMs) => {
      const live = queue.isLive()
      for (const event of events) {
        if ('passed' in event) pass(event)
        else queue.add({ ...event, sequence: begin(event), retries: 0, replayed: false, live })
      }
      settle(nowMs)
    },
    replay: (events, nowMs) => {
      for (const event of events) {
        const message = { ...event, sequence: beginAgain(event), retries: 0, replayed: true, live: false }
        if (event.event === undefined) finish(message)
        else queue.again(message)
      }
      handOut(nowMs)
    },
    join: (bufferSize, send, nowMs) => {
      const consumer = join(bufferSize, send)
      handOut(nowMs)
      return consumer
    },
    leave: (consumer, nowMs) => {
      // Leaving is no answer: the count goes up, but nothing is parked for it.
      for (const message of leave(consumer, nowMs)) sendAgain(message)
      handOut(nowMs)
    },
    ack: (ids, nowMs) => finishAll(release(ids, nowMs), nowMs),
    parked: (message, nowMs) => finishAll([message], nowMs),
    nack: (ids, action, reason, nowMs) => {
      for (const message of release(ids, nowMs)) refuse(message, action, reason)
      settle(nowMs)
    },
    tick: (nowMs) => {
      for (const message of overdue(nowMs)) retry(message)
      handOut(nowMs)
      checkpoint(nowMs, true)
    },
    counts: () => ({ ...queue.counts(), sent: sent(), outstanding: count() }),
  }
}
