import { createInbox, type Msg, nanos } from 'nats'
import type { Carrier, Reading } from './messaging.ts'
import { carrierIn, type Link } from './nats-link.ts'
import { bell, places, type Taken } from './places.ts'

const PULL_EXPIRES_MS = 5_000
const PULL_GRACE_MS = 2_000
const REFUSED_PAUSE_MS = 250
const BATCH_MAX = 64

/** A message as the server handed it out, not yet understood. */
export type Raw = {
  readonly subject: string
  readonly payload: Uint8Array
  readonly text: string
  readonly carrier: Carrier
  readonly deliveries: number
  /** Its place in the stream: the same at every delivery. */
  readonly sequence: number
  readonly ack: () => Promise<void>
  readonly nak: (delayMs: number) => Promise<void>
  readonly extend: () => void
}

type Source = { readonly stream: string; readonly name: string }

// The reply subject says it (NATS ADR-15): `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>…`, or, from newer
// servers, with the domain and the account's hash before the stream.
const deliveryOf = (reply: string): { readonly deliveries: number; readonly sequence: number } => {
  const tokens = reply.split('.')
  const [deliveries, sequence] = (tokens.length === 9 ? tokens.slice(4) : tokens.slice(6)).map(Number)
  if (deliveries === undefined || sequence === undefined) throw new Error('BUG: a pulled message tells its delivery')
  return { deliveries, sequence }
}

const rawOf = ({ connection, insist }: Link, message: Msg, place: Taken): Raw => {
  const reply = message.reply ?? ''
  const say = (text: string): void => {
    if (!connection.isClosed()) connection.publish(reply, text)
  }
  return {
    subject: message.subject,
    payload: message.data,
    text: message.string(),
    carrier: carrierIn(message.headers),
    ...deliveryOf(reply),
    ack: async () => {
      try {
        // With a reply asked for, the server confirms that it will never hand the message out again.
        await insist('acknowledging a message', (timeout) => connection.request(reply, '+ACK', { timeout }))
      } finally {
        place.giveBack()
      }
    },
    nak: async (delayMs) => {
      say(`-NAK ${JSON.stringify({ delay: nanos(delayMs) })}`)
      place.giveBack()
    },
    extend: () => {
      say('+WPI')
      place.extend()
    },
  }
}

/** One request for messages. `ended` is called once: all have come, none will come any more, or it was given up. */
const request = (
  { connection, online }: Link,
  { stream, name }: Source,
  { batch, arrived, ended }: {
    readonly batch: number
    readonly arrived: (message: Msg) => void
    readonly ended: (pauseMs: number) => void
  },
): { readonly giveUp: () => void } => {
  const inbox = createInbox()
  let left = batch
  let over = false
  const end = (pauseMs: number, unsubscribe: () => void): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    unsubscribe()
    ended(pauseMs)
  }
  const subscription = connection.subscribe(inbox, {
    callback: (error, message) => {
      if (error !== null) return end(REFUSED_PAUSE_MS, () => subscription.unsubscribe())
      if (message.subject !== inbox) {
        arrived(message)
        if (--left <= 0) end(0, () => subscription.unsubscribe())
        return
      }
      const code = message.headers?.code ?? 0
      // 404 and 408: nothing came in time. Anything else is a refusal (409, 503) and worth a pause.
      if (code !== 100) end(code === 404 || code === 408 ? 0 : REFUSED_PAUSE_MS, () => subscription.unsubscribe())
    },
  })
  // Draining, so that what is already on its way arrives and can be handed back.
  const leave = (): void => (online() ? void subscription.drain().catch(() => undefined) : subscription.unsubscribe())
  const giveUp = (): void => end(0, leave)
  const timer = setTimeout(giveUp, PULL_EXPIRES_MS + PULL_GRACE_MS)
  const ask = JSON.stringify({ batch, expires: nanos(PULL_EXPIRES_MS) })
  connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, ask, { reply: inbox })
  return { giveUp }
}

/**
 * Pulls from a durable consumer until `signal` aborts or the link closes, never holding more than `concurrency`
 * messages. A lost server is waited for. What was pulled and not yet yielded is handed back at the end.
 */
export async function* pulled(
  link: Link,
  source: Source,
  { concurrency, signal }: Reading,
): AsyncGenerator<Raw> {
  const stop = AbortSignal.any([signal, link.closed])
  const change = bell()
  const inHand = places(concurrency, link.ackWaitMs, change.ring)
  const waiting: { readonly raw: Raw; readonly place: Taken }[] = []
  let pull: { readonly giveUp: () => void } | undefined
  let resting: NodeJS.Timeout | undefined

  const arrived = (message: Msg): void => {
    const place = inHand.take()
    const raw = rawOf(link, message, place)
    if (stop.aborted) return void raw.nak(0)
    waiting.push({ raw, place })
    change.ring()
  }
  const ended = (pauseMs: number): void => {
    pull = undefined
    if (pauseMs > 0) {
      resting = setTimeout(() => {
        resting = undefined
        change.ring()
      }, pauseMs)
    }
    change.ring()
  }
  const unwatch = link.onChange((online) => {
    // A server that went away has forgotten what it was asked.
    if (!online) pull?.giveUp()
    change.ring()
  })
  stop.addEventListener('abort', change.ring)
  try {
    while (!stop.aborted) {
      const next = waiting.shift()
      if (next !== undefined) {
        // One that waited here for too long is with someone else by now.
        if (next.place.held()) yield next.raw
        continue
      }
      const batch = Math.min(inHand.free(), BATCH_MAX)
      if (pull === undefined && resting === undefined && batch > 0 && link.online()) {
        pull = request(link, source, { batch, arrived, ended })
      }
      await change.rings()
    }
  } finally {
    stop.removeEventListener('abort', change.ring)
    unwatch()
    clearTimeout(resting)
    for (const { raw } of waiting) void raw.nak(0)
    pull?.giveUp()
  }
}
