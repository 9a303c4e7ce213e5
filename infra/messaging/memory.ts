import type { z } from 'zod'
import { decoded, OutcomeMessage, PlacedOrderMessage } from './messages.ts'
import type { Carrier, DeadLetter, Messaging, Reading } from './messaging.ts'
import { ObservationMessage } from './observation.ts'
import { bell, places, type Taken } from './places.ts'

const DUPLICATE_WINDOW_MS = 1_200_000

type Letter = {
  readonly subject: string
  readonly payload: string
  readonly carrier: Carrier
  deliveries: number
}
type Queue = { readonly letters: Letter[]; readonly readers: Set<() => void> }

export type MemoryMessaging = Messaging & {
  /** Puts a payload on a subject as it is, as a sender who errs would. */
  readonly put: (subject: string, payload: string) => void
}

const queueOf = (subject: string): 'infra' | 'cmon' | 'outcome' | 'observed' => {
  const first = subject.split('.')[0]
  if (first === 'infra' || first === 'cmon' || first === 'outcome' || first === 'observed') return first
  throw new Error(`BUG: no queue takes ${subject}`)
}

/** Timers that all end together. */
const alarms = () => {
  const set = new Set<NodeJS.Timeout>()
  const cancel = (timer: NodeJS.Timeout): void => {
    clearTimeout(timer)
    set.delete(timer)
  }
  const after = (delayMs: number, act: () => void): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      set.delete(timer)
      act()
    }, delayMs)
    set.add(timer)
    return timer
  }
  return { after, cancel, cancelAll: () => set.forEach(cancel) }
}

/** The letters of all subjects, and who waits for them. */
const postOffice = (ackWaitMs: number) => {
  const queue = (): Queue => ({ letters: [], readers: new Set() })
  const queues = { infra: queue(), cmon: queue(), outcome: queue(), observed: queue() }
  const { after, cancel, cancelAll } = alarms()
  const enqueue = (letter: Letter): void => {
    const { letters, readers } = queues[queueOf(letter.subject)]
    letters.push(letter)
    for (const wake of readers) wake()
  }

  /** What its reader may do with a letter; until he does, its time runs. */
  const handOut = (letter: Letter, place: Taken) => {
    let settled = false
    const settle = (then: () => void): void => {
      if (settled) return
      settled = true
      cancel(lapse)
      place.giveBack()
      then()
    }
    const again = (): void => settle(() => enqueue(letter))
    let lapse = after(ackWaitMs, again)
    return {
      ack: async (): Promise<void> => settle(() => {}),
      nak: async (delayMs: number): Promise<void> => settle(() => void after(delayMs, () => enqueue(letter))),
      extend: (): void => {
        if (settled) return
        cancel(lapse)
        place.extend()
        lapse = after(ackWaitMs, again)
      },
    }
  }
  return { queues, enqueue, handOut, close: cancelAll }
}

/** What nobody can use, by id, in the order of its burial. */
const graveyard = (now: () => number, enqueue: (letter: Letter) => void) => {
  const dead = new Map<string, { readonly letter: Letter; readonly entry: DeadLetter }>()
  let buried = 0
  const bury = (letter: Letter, because: string): void => {
    const id = String(++buried)
    const { subject, payload } = letter
    dead.set(id, { letter, entry: { id, subject, because, at: new Date(now()).toISOString(), payload } })
  }
  const deadLetters: Messaging['deadLetters'] = {
    list: async () => [...dead.values()].map(({ entry }) => entry),
    replay: async (id) => {
      const found = dead.get(id)
      if (found === undefined) return false
      dead.delete(id)
      enqueue({ ...found.letter, deliveries: 0 })
      return true
    },
  }
  return { bury, deadLetters }
}

/** Remembers ids for the duplicate window, as the server does. */
const repeats = (now: () => number) => {
  const seen = new Map<string, number>()
  return (id: string): boolean => {
    const at = now()
    for (const [old, seenAt] of seen) if (at - seenAt > DUPLICATE_WINDOW_MS) seen.delete(old)
    if (seen.has(id)) return true
    seen.set(id, at)
    return false
  }
}

/**
 * Messaging within one process and for its lifetime: the semantics of the real broker without one.
 *
 * @param options.ackWaitMs how long before an unacknowledged message is handed out again
 * @param options.deliveriesMax a message handed out more often is poison; default 20
 * @param options.now milliseconds since the epoch; default the system's clock
 */
export const memoryMessaging = (options: {
  readonly ackWaitMs: number
  readonly deliveriesMax?: number
  readonly now?: () => number
}): MemoryMessaging => {
  const { ackWaitMs, deliveriesMax = 20, now = Date.now } = options
  const { queues, enqueue, handOut, close } = postOffice(ackWaitMs)
  const { bury, deadLetters } = graveyard(now, enqueue)
  const isRepeat = repeats(now)
  const closed = new AbortController()

  const put = (subject: string, payload: string, carrier: Carrier = {}): void =>
    enqueue({ subject, payload, carrier, deliveries: 0 })
  const publish = async (subject: string, message: object, id: string, carrier: Carrier): Promise<void> => {
    if (closed.signal.aborted) throw new Error(`publishing on ${subject}: the broker is closed`)
    if (!isRepeat(`${queueOf(subject)}/${id}`)) put(subject, JSON.stringify(message), carrier)
  }

  async function* read<T>(from: Queue, schema: z.ZodType<T>, { concurrency, signal }: Reading) {
    const stop = AbortSignal.any([signal, closed.signal])
    const change = bell()
    const inHand = places(concurrency, ackWaitMs, change.ring)
    from.readers.add(change.ring)
    stop.addEventListener('abort', change.ring)
    try {
      while (!stop.aborted) {
        const letter = inHand.free() > 0 ? from.letters.shift() : undefined
        if (letter === undefined) {
          await change.rings()
          continue
        }
        const deliveries = ++letter.deliveries
        const understood = decoded(schema, letter.payload)
        if ('undecodable' in understood) bury(letter, `it cannot be read: ${understood.undecodable}`)
        else if (deliveries > deliveriesMax) bury(letter, `it was handed out ${deliveriesMax} times without success`)
        else yield { ...understood, carrier: letter.carrier, deliveries, ...handOut(letter, inHand.take()) }
      }
    } finally {
      from.readers.delete(change.ring)
      stop.removeEventListener('abort', change.ring)
    }
  }

  return {
    ackWaitMs,
    put,
    order: (order, carrier) => publish(order.order.subject, order, order.orderId, carrier),
    answer: (outcome, outcomeId, carrier) => publish(`outcome.${outcome.kind}`, outcome, outcomeId, carrier),
    orders: (family, reading) => read(queues[family], PlacedOrderMessage, reading),
    outcomes: (reading) => read(queues.outcome, OutcomeMessage, reading),
    observe: (observation, observationId, carrier) =>
      publish(`observed.${observation.kind}`, observation, observationId, carrier),
    observations: (reading) => read(queues.observed, ObservationMessage, reading),
    deadLetters,
    ping: async () => {
      if (closed.signal.aborted) throw new Error('the broker is closed')
    },
    close: async () => {
      closed.abort()
      close()
    },
  }
}
