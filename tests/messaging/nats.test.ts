import { glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'nats'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { natsMessaging, type NatsOptions } from '../../infra/messaging/nats.ts'
import { connectionOptionsOf } from '../../infra/messaging/nats-link.ts'
import { startNats, type TestNats } from '../support/nats.ts'
import { everyOrder, placed, succeeded } from '../support/orders.ts'
import { until } from '../support/until.ts'

const test = suite('messaging over a nats-server that fails')
const withinMs = 30_000
let server: TestNats | undefined

const broker = (): TestNats => {
  if (server === undefined) throw new Error('BUG: a test runs after its suite has started')
  return server
}
let ending = new AbortController()
const opened: { readonly close: () => Promise<void> }[] = []
const kept = <T extends { readonly close: () => Promise<void> }>(connection: T): T => {
  opened.push(connection)
  return connection
}
const open = async (more: Partial<NatsOptions> = {}) =>
  kept(await natsMessaging({ url: broker().url, ackWaitMs: 1_000, ...more }))
const operating = async () => kept(await connect(connectionOptionsOf(broker().url))).jetstreamManager()

const rejects = async (promise: Promise<unknown>, expected: RegExp): Promise<Error> => {
  const error = await promise.then(
    () => assert.unreachable('it was to fail'),
    (reason: unknown) => reason,
  )
  assert.instance(error, Error)
  if (!(error instanceof Error)) throw new Error('BUG: asserted above')
  assert.match(error.message, expected)
  return error
}

test.before(async () => {
  server = await startNats()
})
// A reader that a failed test left behind would keep the process from ending.
test.after.each(async () => {
  ending.abort()
  ending = new AbortController()
  for (const connection of opened.splice(0)) await connection.close()
})
test.after(() => server?.stop())

test('readers and senders live through a server killed again and again, and nothing is lost', async () => {
  const [sender, reader] = await Promise.all([open(), open()])
  const { signal } = ending
  const taken = new Set<string>()
  const answered = new Set<string>()
  const readingOrders = (async () => {
    for await (const each of reader.orders('infra', { concurrency: 4, signal })) {
      taken.add(each.message.orderId)
      const outcome = succeeded(each.message.orderId)
      // Answer, then acknowledge, as a worker does; what fails comes again.
      void reader.answer(outcome, `out ${outcome.orderId}`, {}).then(each.ack).catch(() => undefined)
    }
  })()
  const readingOutcomes = (async () => {
    for await (const each of sender.outcomes({ concurrency: 4, signal })) {
      answered.add(each.message.orderId)
      void each.ack().catch(() => undefined)
    }
  })()
  const wanted: string[] = []
  const sending = async (round: number): Promise<void> => {
    for (let n = 0; n < 40; n++) {
      const id = `ord_${round}_${n}`
      wanted.push(id)
      await sender.order(placed(id), {})
    }
  }
  for (let round = 0; round < 3; round++) {
    const sent = sending(round)
    await until(() => taken.size > round * 40 + 5, { withinMs, what: 'taking some orders' })
    await broker().kill()
    await broker().restart()
    await sent
  }
  await until(() => answered.size === wanted.length, { withinMs, what: 'every order answered' })
  assert.equal([...answered].toSorted(), wanted.toSorted())
  ending.abort()
  await Promise.all([readingOrders, readingOutcomes])
})

test('a server that forgot how far a stream was still hands out what comes', async () => {
  const messaging = await open()
  const taken: string[] = []
  const reading = (async () => {
    for await (const each of messaging.outcomes({ concurrency: 4, signal: ending.signal })) {
      await each.ack()
      taken.push(each.message.orderId)
    }
  })()
  const answer = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) await messaging.answer(succeeded(id), `out ${id}`, {})
    await until(() => ids.every((id) => taken.includes(id)), { withinMs, what: `${ids.join()} taken` })
  }
  await answer(['ord_a', 'ord_b', 'ord_c', 'ord_d'])
  await broker().kill()
  for await (const blocks of glob('store/**/streams/OUTCOMES/msgs', { cwd: broker().dir })) {
    await rm(join(broker().dir, blocks), { recursive: true })
  }
  await broker().restart()
  await answer(['ord_e', 'ord_f'])
  ending.abort()
  await reading
})

test('an order placed while there is no server waits for it', async () => {
  const messaging = await open()
  await broker().kill()
  const sending = messaging.order(placed('ord_waiting'), {})
  await rejects(messaging.ping(), /./)
  await broker().restart()
  await sending
  for await (const each of messaging.orders('infra', { concurrency: 1, signal: ending.signal })) {
    assert.is(each.message.orderId, 'ord_waiting')
    await each.ack()
    ending.abort()
  }
  await messaging.ping()
})

test('an order placed while there is no server is given up in the end', async () => {
  const messaging = await open({ patienceMs: 300 })
  await broker().kill()
  await rejects(messaging.order(placed('ord_lost'), {}), /^publishing on infra.boot-machine: no success within 300 ms$/)
  await broker().restart()
})

test('streams that were lost are made again', async () => {
  const messaging = await open()
  const taken: string[] = []
  const reading = (async () => {
    for await (const each of messaging.orders('cmon', { concurrency: 1, signal: ending.signal })) {
      taken.push(each.message.orderId)
      await each.ack()
    }
  })()
  const manager = await operating()
  await manager.streams.delete('ORDERS')
  await broker().kill()
  await broker().restart()
  await messaging.order(placed('ord_again', { order: everyOrder['cmon.forget-cluster'] }), {})
  await until(() => taken.length === 1, { withinMs })
  assert.equal(taken, ['ord_again'])
  ending.abort()
  await reading
})

test('processes that start at the same moment agree on the streams, and change them when asked', async () => {
  const manager = await operating()
  for (const name of ['ORDERS', 'OUTCOMES', 'DEAD']) await manager.streams.delete(name)
  await Promise.all(Array.from({ length: 6 }, () => open()))
  await open({ ackWaitMs: 7_000 })
  const consumers = await Promise.all(
    [['ORDERS', 'deployer'], ['ORDERS', 'controller'], ['OUTCOMES', 'runner']].map(async ([stream = '', name = '']) => {
      const { config } = await manager.consumers.info(stream, name)
      return [config.durable_name, config.filter_subject, config.ack_wait]
    }),
  )
  assert.equal(consumers, [
    ['deployer', 'infra.>', 7e9],
    ['controller', 'cmon.>', 7e9],
    ['runner', 'outcome.>', 7e9],
  ])
  const { config } = await manager.streams.info('ORDERS')
  assert.equal([config.retention, config.storage, config.duplicate_window], ['workqueue', 'file', 1_200e9])
})

test('wrong credentials are refused at once, and not repeated in the message', async () => {
  const wrong = broker().url.replace(/:[^:@]+@/, ':wrong-password@')
  const error = await rejects(natsMessaging({ url: wrong, ackWaitMs: 1_000 }), /does not let us in$/)
  assert.not.match(JSON.stringify([error.message, String(error.cause)]), 'wrong-password')
})

test('no server is told as such when the patience ends', async () => {
  const url = 'nats://127.0.0.1:1'
  await rejects(natsMessaging({ url, ackWaitMs: 1_000, patienceMs: 200 }), /^connecting: no success within 200 ms$/)
})

test.run()
