import type { Message } from './message.ts'
import { batchSizeOf, type Settings } from './settings.ts'

/** How one message fared that was to be handed out: `full` means that nobody takes any more. */
export type Offered = 'taken' | 'busy' | 'full'

/** What waits to be handed out: messages from the log, and before them those that have been out already. */
export type Queues = {
  /** How many more events may come. When more come live than the live buffer holds, live it is no longer. */
  readonly room: () => number
  readonly isLive: () => boolean
  readonly caughtUp: () => void
  readonly add: (message: Message) => void
  /** Back in the queue: in the order of the log, those that were parked after the others. */
  readonly again: (message: Message) => void
  /** Hands out what can be, in order; the rest stays. */
  readonly handOut: (hand: (message: Message) => Offered) => void
  readonly counts: () => {
    readonly live: boolean
    readonly readBuffer: number
    readonly liveBuffer: number
    readonly retryBuffer: number
  }
}

const insert = (retries: Message[], message: Message): void => {
  const later = message.replayed ? -1 : retries.findIndex((it) => it.replayed || it.place > message.place)
  retries.splice(later === -1 ? retries.length : later, 0, message)
}

export const queues = (settings: Settings): Queues => {
  const { liveBufferSize, historyBufferSize } = settings
  const batchSize = batchSizeOf(settings)
  let waiting: Message[] = []
  let retries: Message[] = []
  let live = false
  let liveCount = 0

  const offer = (queue: readonly Message[], hand: (message: Message) => Offered) => {
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
    room: () => {
      if (live && liveCount >= liveBufferSize) live = false
      if (live) return liveBufferSize - liveCount
      return historyBufferSize - waiting.length - retries.length > batchSize ? batchSize : 0
    },
    isLive: () => live,
    caughtUp: () => {
      live = true
    },
    add: (message) => {
      waiting.push(message)
      if (message.live) liveCount += 1
    },
    again: (message) => insert(retries, message),
    handOut: (hand) => {
      const back = offer(retries, hand)
      retries = back.rest
      if (!back.full) waiting = offer(waiting, hand).rest
    },
    counts: () => ({
      live, liveBuffer: liveCount, readBuffer: waiting.length - liveCount, retryBuffer: retries.length,
    }),
  }
}
