import { setTimeout as pause } from 'node:timers/promises'
import type { z } from 'zod'
import { decoded, OutcomeMessage, PlacedOrderMessage } from './messages.ts'
import type { Carrier, Delivered, Messaging, Reading } from './messaging.ts'
import { bury, deadLetters } from './nats-dead.ts'
import { headersOf, link, type Link } from './nats-link.ts'
import { ObservationMessage } from './observation.ts'
import { pulled, type Raw } from './nats-pull.ts'
import { CONSUMERS, ensureTopology } from './nats-topology.ts'

export type NatsOptions = {
  /** `nats://user:password@host:port`, several separated by commas; `tls://` for TLS. */
  readonly url: string
  /** How long the server waits for an acknowledgement before it hands a message out again. */
  readonly ackWaitMs: number
  /** A message handed out more often than this is poison; default 20. */
  readonly deliveriesMax?: number
  /** What the server shows for this connection; default `ccx`. */
  readonly name?: string
  /** How long a call may take while there is no server; default 10,000. */
  readonly patienceMs?: number
  /** Told of each message that was moved to the dead letters. */
  readonly onDeadLetter?: (letter: { readonly subject: string; readonly because: string }) => void
}

const BURIAL_RETRY_MS = 1_000
const RESTORE_PAUSE_MS = 1_000
const PING_TIMEOUT_MS = 2_000

/** What the message says it is must be where it was found: a payload on a foreign subject is not to be trusted. */
const misplaced = (subject: string, said: string): string | undefined =>
  subject === said ? undefined : `it says ${said} and came on ${subject}`

const understood = <T>(schema: z.ZodType<T>, subjectOf: (message: T) => string, raw: Raw) => {
  const read = decoded(schema, raw.text)
  if ('undecodable' in read) return read
  const undecodable = misplaced(raw.subject, subjectOf(read.message))
  return undecodable === undefined ? read : { undecodable }
}

const outcomeSubject = (kind: string): string => `outcome.${kind}`
const observationSubject = (kind: string): string => `observed.${kind}`

type Reader = {
  readonly link: Link
  readonly deliveriesMax: number
  readonly onDeadLetter: NatsOptions['onDeadLetter']
}

async function* delivered<T>(
  { link, deliveriesMax, onDeadLetter }: Reader,
  consumer: (typeof CONSUMERS)[keyof typeof CONSUMERS],
  { schema, subjectOf }: { readonly schema: z.ZodType<T>; readonly subjectOf: (message: T) => string },
  options: Reading,
): AsyncGenerator<Delivered<T>> {
  const dispose = async (raw: Raw, because: string): Promise<void> => {
    try {
      await bury(link, consumer.stream, raw, because)
      onDeadLetter?.({ subject: raw.subject, because })
    } catch {
      // The broker is away. The message is still there, comes again, and is buried then.
      await raw.nak(BURIAL_RETRY_MS)
    }
  }
  for await (const raw of pulled(link, consumer, options)) {
    const read = understood(schema, subjectOf, raw)
    if ('undecodable' in read) await dispose(raw, `it cannot be read: ${read.undecodable}`)
    else if (raw.deliveries > deliveriesMax) {
      await dispose(raw, `it was handed out ${deliveriesMax} times without success`)
    } else {
      const { carrier, deliveries, ack, nak, extend } = raw
      yield { message: read.message, carrier, deliveries, ack, nak, extend }
    }
  }
}

/** A server that came back with an empty store gets its streams again. */
const keepRestoring = (link: Link): void => {
  let again = Promise.resolve()
  const restore = async (): Promise<void> => {
    while (link.online() && !link.closed.aborted) {
      try {
        return await ensureTopology(link)
      } catch {
        await pause(RESTORE_PAUSE_MS)
      }
    }
  }
  link.onChange((online) => {
    if (online) again = again.then(restore)
  })
}

/**
 * Messaging over NATS JetStream, server 2.9 or later. Makes its streams and consumers, reconnects for ever.
 *
 * @throws when there is no server within `patienceMs`, or it refuses the credentials
 */
export const natsMessaging = async (options: NatsOptions): Promise<Messaging> => {
  const { url, ackWaitMs, deliveriesMax = 20, name = 'ccx', patienceMs = 10_000, onDeadLetter } = options
  const broker = await link({ url, name, ackWaitMs, patienceMs })
  try {
    await ensureTopology(broker)
  } catch (error) {
    await broker.close()
    throw error
  }
  keepRestoring(broker)
  const reader: Reader = { link: broker, deliveriesMax, onDeadLetter }
  const { connection, insist } = broker
  const jetstream = connection.jetstream()

  const publish = async (subject: string, message: object, id: string, carrier: Carrier): Promise<void> => {
    const payload = JSON.stringify(message)
    const headers = headersOf(carrier, { 'Nats-Msg-Id': id })
    await insist(`publishing on ${subject}`, (timeout) => jetstream.publish(subject, payload, { headers, timeout }))
  }

  return {
    ackWaitMs,
    order: (order, carrier) => publish(order.order.subject, order, order.orderId, carrier),
    answer: (outcome, outcomeId, carrier) => publish(outcomeSubject(outcome.kind), outcome, outcomeId, carrier),
    orders: (family, reading) =>
      delivered(
        reader,
        CONSUMERS[family],
        { schema: PlacedOrderMessage, subjectOf: ({ order }) => order.subject },
        reading,
      ),
    outcomes: (reading) =>
      delivered(
        reader,
        CONSUMERS.outcomes,
        { schema: OutcomeMessage, subjectOf: ({ kind }) => outcomeSubject(kind) },
        reading,
      ),
    observe: (observation, observationId, carrier) =>
      publish(observationSubject(observation.kind), observation, observationId, carrier),
    observations: (reading) =>
      delivered(
        reader,
        CONSUMERS.observations,
        { schema: ObservationMessage, subjectOf: ({ kind }) => observationSubject(kind) },
        reading,
      ),
    deadLetters: deadLetters(broker),
    ping: async () => {
      if (!broker.online()) throw new Error('there is no connection to the broker')
      await connection.request('$JS.API.INFO', '', { timeout: PING_TIMEOUT_MS })
    },
    close: broker.close,
  }
}
