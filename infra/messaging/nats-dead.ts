import { type JetStreamManager, NatsError } from 'nats'
import type { DeadLetter, Messaging } from './messaging.ts'
import { carrierIn, headersOf, type Link } from './nats-link.ts'
import type { Raw } from './nats-pull.ts'

const PREFIX = 'dead.'
const BECAUSE = 'Ccx-Because'

/** A header is one line of text. */
const oneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 1_000)

/**
 * Moves a message that nobody can use out of the way, keeping its payload as it came.
 *
 * @param because what is wrong with it, for an operator
 * @throws when the broker does not take it; the message is then still where it was
 */
export const bury = async ({ connection, insist }: Link, stream: string, raw: Raw, because: string): Promise<void> => {
  // The same message buried twice (we died before the acknowledgement) has the same id, and is dropped.
  const headers = headersOf(raw.carrier, { [BECAUSE]: oneLine(because), 'Nats-Msg-Id': `${stream}:${raw.sequence}` })
  await insist('burying a message', (timeout) =>
    connection.jetstream().publish(`${PREFIX}${raw.subject}`, raw.payload, { headers, timeout }),
  )
  await raw.ack()
}

const nothingThere = (error: unknown): boolean => error instanceof NatsError && error.api_error?.code === 404

const found = async <T>(lookUp: Promise<T>): Promise<T | undefined> => {
  try {
    return await lookUp
  } catch (error) {
    if (nothingThere(error)) return undefined
    throw error
  }
}

/** The first letter at or after `seq`. */
const letterFrom = (manager: JetStreamManager, seq: number) => {
  const next = { seq, next_by_subj: `${PREFIX}>` }
  return found(manager.streams.getMessage('DEAD', next))
}

/** The dead letters of the broker, oldest first. */
export const deadLetters = ({ connection, insist }: Link): Messaging['deadLetters'] => {
  const manager = (timeout: number) => connection.jetstreamManager({ timeout, checkAPI: false })
  return {
    list: () =>
      insist('listing the dead letters', async (timeout) => {
        const letters: DeadLetter[] = []
        const asked = await manager(timeout)
        for (let seq = 1; ; ) {
          const letter = await letterFrom(asked, seq)
          if (letter === undefined) return letters
          letters.push({
            id: String(letter.seq),
            subject: letter.subject.slice(PREFIX.length),
            because: letter.header.get(BECAUSE),
            at: letter.time.toISOString(),
            payload: letter.string(),
          })
          seq = letter.seq + 1
        }
      }),

    replay: async (id) => {
      if (!/^[1-9]\d{0,14}$/.test(id)) return false
      return insist('replaying a dead letter', async (timeout) => {
        const asked = await manager(timeout)
        const letter = await found(asked.streams.getMessage('DEAD', { seq: Number(id) }))
        if (letter === undefined) return false
        // Not the id it first had: within the duplicate window the server would drop it as a repeat.
        const headers = headersOf(carrierIn(letter.header), { 'Nats-Msg-Id': `replay:${id}` })
        await connection.jetstream().publish(letter.subject.slice(PREFIX.length), letter.data, { headers, timeout })
        await found(asked.streams.deleteMessage('DEAD', letter.seq))
        return true
      })
    },
  }
}
