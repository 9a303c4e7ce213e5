import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { onDeadLetters } from '../../infra/main/cli/dead-letters.ts'
import { UsageError } from '../../infra/main/cli/usage.ts'
import type { OrderOutcome } from '../../domain/job/orders.ts'
import type { Messaging, Reading } from '../../infra/messaging/messaging.ts'
import { deadLetters } from '../../infra/messaging/nats-dead.ts'
import { link } from '../../infra/messaging/nats-link.ts'
import { natsMessaging } from '../../infra/messaging/nats.ts'
import { startNats } from '../support/nats.ts'
import { succeeded } from '../support/orders.ts'
import { until } from '../support/until.ts'

const test = suite('an operator and the dead letters')
const withinMs = 20_000

const server = await startNats()
const options = { url: server.url, ackWaitMs: 500 }
const messaging = await natsMessaging({ ...options, deliveriesMax: 1 })
// As the command has it: a connection of its own that touches no stream.
const broker = await link({ ...options, name: 'test', patienceMs: 5_000 })
const letters: Messaging['deadLetters'] = deadLetters(broker)

test.after(async () => {
  await broker.close()
  await messaging.close()
  await server.stop()
})

const failsWith = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(() => 'it succeeded', (error: unknown) => error)

test('none are shown while there are none', async () => {
  assert.equal(await onDeadLetters(letters, ['list']), ['There are no dead letters.'])
})

test('a message that nobody could use is shown, with why, and put back once', async () => {
  const ending = new AbortController()
  const reading: Reading = { concurrency: 1, signal: ending.signal }
  const taken: OrderOutcome[] = []
  let isMended = false
  const reader = (async () => {
    for await (const { message, ack, nak } of messaging.outcomes(reading)) {
      if (!isMended) {
        await nak(0)
        continue
      }
      taken.push(message)
      await ack()
    }
  })()
  await messaging.answer(succeeded('ord_1'), 'ord_1', {})
  const shown = await until(async () => {
    const lines = await onDeadLetters(letters, ['list'])
    return lines.length > 1 ? lines : undefined
  }, { withinMs })
  assert.match(shown[0] ?? '', /^1 {2}\S+Z {2}outcome\.succeeded$/)
  assert.is(shown[1], '    because: it was handed out 1 times without success')
  assert.match(shown[2] ?? '', '"orderId":"ord_1"')
  isMended = true
  assert.equal(await onDeadLetters(letters, ['replay', '1']), ['1 is back where it came from.'])
  await until(() => taken.length === 1, { withinMs })
  assert.equal(taken, [succeeded('ord_1')])
  assert.equal(await onDeadLetters(letters, ['list']), ['There are no dead letters.'])
  assert.match(String(await failsWith(onDeadLetters(letters, ['replay', '1']))), 'there is no dead letter 1')
  ending.abort()
  await reader
})

test('anything else is a wrong use', async () => {
  for (const words of [[], ['replay'], ['list', '1'], ['replay', '1', '2'], ['bury', '1']]) {
    assert.instance(await failsWith(onDeadLetters(letters, words)), UsageError)
  }
  assert.match(String(await failsWith(onDeadLetters(letters, ['replay', 'x\u001b[31m']))), 'no dead letter x?[31m')
})

test.run()
