import { setImmediate } from 'node:timers/promises'
import type { Delivery, Position, Recorded } from '../../domain/kernel/event-store.ts'
import { type Answer, decode } from './esdb-decode.ts'
import { recordedOf } from './esdb-event.ts'
import type { ReadCall } from './esdb-read.ts'
import { StoreUnavailable } from './transient.ts'

/** Where a log begins, for the one delivery that has nothing else to tell: an empty log is caught up with. */
const BEFORE_ALL: Position = { commit: 0n, prepare: 0n }

type Following = {
  readonly after: Position | 'start'
  /** Whether an earlier call of the same subscription had caught up. */
  readonly caughtUp: boolean
  readonly batchMax: number
  readonly signal: AbortSignal
}

/** What has arrived on a call and is not delivered yet. */
const inbox = (call: ReadCall, { after, caughtUp, batchMax }: Following) => {
  const events: Recorded[] = []
  let position = after === 'start' ? BEFORE_ALL : after
  let reached = caughtUp
  let told = caughtUp
  let news = false
  let failure: unknown
  let arrived = Promise.withResolvers<void>()

  const take = (answer: Answer): void => {
    if (answer.kind === 'event') {
      const recorded = recordedOf(answer.event)
      events.push(recorded)
      position = recorded.position
      if (events.length >= 2 * batchMax) call.pause()
    } else if (answer.kind === 'checkpoint') {
      position = answer.position
      news = true
    } else if (answer.kind === 'caught-up') {
      reached = true
      news = true
    }
  }
  const fail = (error: unknown): void => {
    failure ??= error
    arrived.resolve()
  }
  call.on('data', (message: Buffer) => {
    if (failure !== undefined) return
    try {
      take(decode(message))
      arrived.resolve()
    } catch (error) {
      fail(error)
    }
  })
  call.on('error', fail)
  call.on('end', () => fail(new StoreUnavailable('the event store ended the subscription')))

  return {
    wake: () => arrived.resolve(),
    /**
     * Resolves when there may be something to deliver; at the next turn of the event loop, so that more comes along.
     */
    wait: async (): Promise<void> => {
      if (call.isPaused()) call.resume()
      await arrived.promise
      await setImmediate()
    },
    /**
     * What there is, or undefined when there is nothing. @throws what ended the call, once everything before it is
     * delivered
     */
    next: (): Delivery | undefined => {
      arrived = Promise.withResolvers()
      if (events.length === 0 && !news) {
        if (failure !== undefined) throw failure
        return undefined
      }
      const batch = events.splice(0, batchMax)
      const left = events.length > 0
      news = left && news
      told ||= reached && !left
      return { events: batch, position: left ? (batch.at(-1)?.position ?? position) : position, caughtUp: told }
    },
  }
}

/**
 * Turns one subscription call into deliveries, in order, until the signal aborts.
 *
 * @throws what ended the call, after everything that came before it; MalformedEvent
 */
export async function* follow(call: ReadCall, following: Following): AsyncGenerator<Delivery, void> {
  const { signal } = following
  const { wait, wake, next } = inbox(call, following)
  signal.addEventListener('abort', wake)
  try {
    while (!signal.aborted) {
      await wait()
      for (let delivery = next(); delivery !== undefined && !signal.aborted; delivery = next()) yield delivery
    }
  } finally {
    signal.removeEventListener('abort', wake)
    call.cancel()
  }
}
