import type { Delivery, Message } from './message.ts'
import { checkpointing, progress } from './progress.ts'
import { batchSizeOf, type Settings } from './settings.ts'
import { type Candidate, STRATEGIES } from './strategies.ts'
import { type Timings, timings } from './timings.ts'

/** What a consumer can say of a message that it does not take. */
export type NackAction = 'unknown' | 'park' | 'retry' | 'skip' | 'stop'

export type Consumer = Candidate & {
  readonly inFlight: Map<string, Message>
  readonly send: (message: Message) => void
  /** If extra statistics are wanted. */
  readonly timings: Timings | undefined
  sent: number
}

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

type Outstanding = { readonly message: Message; readonly consumer: Consumer; readonly deadlineMs: number }

const idOf = ({ original }: Delivery): string => original.id

/** Messages on their way back stay in the order of the log, those from the parked ones last. */
const insert = (retries: Message[], message: Message): void => {
  const later = message.replayed ? -1 : retries.findIndex((it) => it.replayed || it.place > message.place)
  retries.splice(later === -1 ? retries.length : later, 0, message)
}

/** What waits to be handed out. */
const queues = (settings: Settings) => {
  const batchSize = batchSizeOf(settings)
  let waiting: Message[] = []
  let retries: Message[] = []
  let live = false
  let liveCount = 0

  /** Hands out what can be; the rest stays in order. Returns what stays, and whether nobody takes any more. */
  const offer = (queue: Message[], hand: (message: Message) => 'taken' | 'busy' | 'full') => {
    const kept: Message[] = []
    for (const [index, message] of queue.entries()) {
      const outcome = hand(message)
      if (outcome === 'full') return { rest: [...kept, ...queue.slice(index)], full: true }
      if (outcome === 'busy') kept.push(message)
      else if (message.live) liveCount -= 1
    }
    return { rest: kept, full: false }
  }
  return {
    room: (): number => {
      if (live && liveCount >= settings.liveBufferSize) live = false
      if (live) return settings.liveBufferSize - liveCount
      return settings.historyBufferSize - waiting.length - retries.length > batchSize ? batchSize : 0
    },
    isLive: (): boolean => live,
    caughtUp: (): void => {
      live = true
    },
    add: (message: Message): void => {
      waiting.push(message)
      if (message.live) liveCount += 1
    },
    again: (message: Message): void => insert(retries, message),
    handOut: (hand: (message: Message) => 'taken' | 'busy' | 'full'): void => {
      const back = offer(retries, hand)
      retries = back.rest
      if (!back.full) waiting = offer(waiting, hand).rest
    },
    counts: () => ({
      live, liveBuffer: liveCount, readBuffer: waiting.length - liveCount, retryBuffer: retries.length,
    }),
  }
}

/**
 * @param from the place after which the group begins or goes on; undefined for the beginning
 * @param effects what is to be written down
 */
export const engine = (settings: Settings, from: number | undefined, effects: Effects): Engine => {
  const { maxRetryCount, messageTimeoutMs } = settings
  const strategy = STRATEGIES[settings.strategy]<Consumer>()
  const main = progress(from)
  const replays = progress(undefined)
  const dueCheckpoint = checkpointing(settings, main)
  const queue = queues(settings)
  // In the order of their deadlines, since all have the same time.
  const outstanding = new Map<string, Outstanding>()
  let sent = 0

  const finish = ({ replayed, sequence }: Message): void => (replayed ? replays : main).finish(sequence)
  const checkpoint = (nowMs: number, ticking: boolean): void => {
    const place = dueCheckpoint(nowMs, ticking)
    if (place !== undefined) effects.checkpoint(place)
  }
  const handOut = (nowMs: number): void =>
    queue.handOut((message) => {
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
    })
  const release = (id: string, nowMs: number): Message | undefined => {
    const found = outstanding.get(id)
    if (found === undefined) return undefined
    outstanding.delete(id)
    found.consumer.inFlight.delete(id)
    found.consumer.timings?.end(id, nowMs)
    return found.message
  }
  const sendAgain = (message: Message): void =>
    queue.again({ ...message, retries: message.retries + 1, live: false })
  const retry = (message: Message): void => {
    if (message.retries < maxRetryCount) sendAgain(message)
    else effects.park(message, `It was tried again ${maxRetryCount} times.`)
  }
  const settle = (nowMs: number): void => {
    checkpoint(nowMs, false)
    handOut(nowMs)
  }
  const answerTo = (message: Message, action: NackAction, reason: string): void => {
    if (action === 'park') effects.park(message, `A consumer parked it. ${reason}`.trimEnd())
    else if (action === 'skip' || action === 'stop') finish(message)
    else retry(message)
  }

  return {
    room: queue.room,
    take: (events, nowMs) => {
      const live = queue.isLive()
      for (const event of events) {
        if ('passed' in event) main.pass(event.place)
        else queue.add({ ...event, sequence: main.begin(event.place), retries: 0, replayed: false, live })
      }
      settle(nowMs)
    },
    caughtUp: queue.caughtUp,
    replay: (events, nowMs) => {
      for (const event of events) {
        const sequence = replays.begin(event.place)
        if (event.event === undefined) replays.finish(sequence)
        else queue.again({ ...event, sequence, retries: 0, replayed: true, live: false })
      }
      handOut(nowMs)
    },
    join: (bufferSize, send, nowMs) => {
      const extra = settings.extraStatistics ? timings() : undefined
      const consumer = { bufferSize, send, inFlight: new Map<string, Message>(), timings: extra, sent: 0 }
      strategy.join(consumer)
      handOut(nowMs)
      return consumer
    },
    leave: (consumer, nowMs) => {
      strategy.leave(consumer)
      // Leaving is no answer: the count goes up, but nothing is parked for it.
      for (const id of [...consumer.inFlight.keys()]) {
        const message = release(id, nowMs)
        if (message !== undefined) sendAgain(message)
      }
      handOut(nowMs)
    },
    ack: (ids, nowMs) => {
      for (const id of ids) {
        const message = release(id, nowMs)
        if (message !== undefined) finish(message)
      }
      settle(nowMs)
    },
    nack: (ids, action, reason, nowMs) => {
      for (const id of ids) {
        const message = release(id, nowMs)
        if (message !== undefined) answerTo(message, action, reason)
      }
      settle(nowMs)
    },
    parked: (message, nowMs) => {
      finish(message)
      settle(nowMs)
    },
    tick: (nowMs) => {
      for (const [id, { deadlineMs }] of outstanding) {
        if (deadlineMs > nowMs) break
        const message = release(id, nowMs)
        if (message !== undefined) retry(message)
      }
      handOut(nowMs)
      checkpoint(nowMs, true)
    },
    replayedUpTo: () => {
      const { place } = replays.reached()
      return place === undefined ? undefined : place + 1
    },
    counts: () => ({ ...queue.counts(), sent, outstanding: outstanding.size }),
  }
}
