import type { DeadLetter, Messaging } from '../../messaging/messaging.ts'
import { deadLetters as deadLettersOf } from '../../messaging/nats-dead.ts'
import { link } from '../../messaging/nats-link.ts'
import { runningConfig } from './running.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const PATIENCE_MS = 10_000
const PAYLOAD_SHOWN = 400

/** A payload may hold anything; a terminal must not be told what to do by it. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?')

const told = ({ id, at, subject, because, payload }: DeadLetter): readonly string[] => [
  `${id}  ${at}  ${printable(subject)}`,
  `    because: ${printable(because)}`,
  `    payload: ${printable(payload.slice(0, PAYLOAD_SHOWN))}${payload.length > PAYLOAD_SHOWN ? ' …' : ''}`,
]

/**
 * Carries the command out over the broker's dead letters.
 *
 * @returns the lines to print
 * @throws UsageError for any other words; an error when there is no letter with that id
 */
export const onDeadLetters = async (
  letters: Messaging['deadLetters'],
  [verb, id, ...rest]: readonly string[],
): Promise<readonly string[]> => {
  if (verb === 'list' && id === undefined) {
    const found = await letters.list()
    return found.length === 0 ? ['There are no dead letters.'] : found.flatMap(told)
  }
  if (verb !== 'replay' || id === undefined || rest.length > 0) {
    throw new UsageError('dead-letters wants: list, or replay ID')
  }
  if (!(await letters.replay(id))) throw new Error(`there is no dead letter ${printable(id)}`)
  return [`${id} is back where it came from.`]
}

/** Shows what was put aside because nobody could use it, and puts it back once the cause is mended. */
export const deadLetters: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' } },
    allowPositionals: true,
  })
  const { natsUrl, orderAckWaitMs } = await runningConfig(values.state)
  // The bare connection: the streams are the services' to make and to set.
  const broker = await link({ url: natsUrl, name: 'ccx-cli', ackWaitMs: orderAckWaitMs, patienceMs: PATIENCE_MS })
  try {
    for (const line of await onDeadLetters(deadLettersOf(broker), positionals)) console.log(line)
  } finally {
    await broker.close()
  }
  return 0
}
