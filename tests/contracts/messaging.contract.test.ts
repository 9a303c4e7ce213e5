import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { observationIdOf } from '../../infra/messaging/ids.ts'
import type { Observation } from '../../infra/messaging/observation.ts'
import type { Delivered } from '../../infra/messaging/messaging.ts'
import { placed, everyOrder, succeeded } from '../support/orders.ts'
import { messagings, type Bench, type BenchOptions, type Started } from '../support/messagings.ts'
import { until } from '../support/until.ts'

const ackWaitMs = 700
const withinMs = 15_000
const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }

/** What reads or acknowledges at the moment: the broker is closed only after that. */
const readers = new Set<Promise<unknown>>()

/** Reads in the background and remembers; what `each` does not settle stays in hand. */
const reading = <T>(source: AsyncIterable<Delivered<T>>, each: (delivered: Delivered<T>) => unknown = () => {}) => {
  const taken: Delivered<T>[] = []
  const done = (async () => {
    for await (const delivered of source) {
      taken.push(delivered)
      await each(delivered)
    }
  })()
  readers.add(done)
  return { taken, done }
}

const ids = (taken: readonly Delivered<{ readonly orderId: string }>[]): string[] =>
  taken.map(({ message }) => message.orderId)

for (const { name, start } of messagings) {
  const test = suite(`messaging: ${name}`)
  let behind: Started | undefined
  test.before(async () => {
    behind = await start()
  })
  test.after(() => behind?.stop())

  /** A test with an empty broker of its own, whose readers end with it. */
  const fact = (
    sentence: string,
    body: (bench: Bench, signal: AbortSignal) => Promise<void>,
    options: Partial<BenchOptions> = {},
  ): void =>
    test(sentence, async () => {
      if (behind === undefined) throw new Error('BUG: a test runs after its suite has started')
      const bench = await behind.open({ ackWaitMs, ...options })
      const ending = new AbortController()
      try {
        await body(bench, ending.signal)
      } finally {
        ending.abort()
        await Promise.allSettled(readers)
        readers.clear()
        await bench.close()
      }
    })

  fact('an order of every kind arrives as it was placed, with its trace', async ({ messaging }, signal) => {
    const orders = Object.values(everyOrder).map((order) => placed(`ord ${order.subject}`, { order }))
    for (const order of orders) await messaging.order(order, trace)
    const ack = (delivered: Delivered<unknown>) => delivered.ack()
    const infra = reading(messaging.orders('infra', { concurrency: 32, signal }), ack)
    const cmon = reading(messaging.orders('cmon', { concurrency: 32, signal }), ack)
    await until(() => infra.taken.length + cmon.taken.length === orders.length, { withinMs })
    assert.equal([...infra.taken, ...cmon.taken].map(({ message }) => message), orders)
    const first = infra.taken.map(({ message }) => message.order.subject.split('.')[0])
    assert.equal(new Set(first), new Set(['infra']))
    assert.is(first.length, orders.filter(({ order: { subject } }) => subject.startsWith('infra.')).length)
    for (const { carrier, deliveries } of cmon.taken) assert.equal([carrier, deliveries], [trace, 1])
  })

  fact('a repeat of an order is dropped', async ({ messaging }, signal) => {
    for (const id of ['ord_1', 'ord_1', 'ord_1', 'ord_2']) await messaging.order(placed(id), {})
    const { taken } = reading(messaging.orders('infra', { concurrency: 8, signal }), (each) => each.ack())
    await messaging.order(placed('ord_1'), {})
    await messaging.order(placed('ord_3'), {})
    await until(() => ids(taken).includes('ord_3'), { withinMs })
    assert.equal(ids(taken), ['ord_1', 'ord_2', 'ord_3'])
  })

  fact('an order nobody acknowledges is handed out again, an acknowledged one never', async ({ messaging }, signal) => {
    await messaging.order(placed('ord_done'), {})
    await messaging.order(placed('ord_left'), {})
    const { taken } = reading(messaging.orders('infra', { concurrency: 8, signal }), (each) =>
      each.message.orderId === 'ord_done' ? each.ack() : undefined,
    )
    await until(() => taken.some(({ deliveries }) => deliveries === 3), { withinMs })
    assert.equal(ids(taken), ['ord_done', 'ord_left', 'ord_left', 'ord_left'])
  })

  fact('an order that is still worked on stays with its worker', async ({ messaging }, signal) => {
    await messaging.order(placed('ord_long'), {})
    await messaging.order(placed('ord_left'), {})
    const { taken } = reading(messaging.orders('infra', { concurrency: 8, signal }))
    await until(
      () => {
        taken.find(({ message }) => message.orderId === 'ord_long')?.extend()
        return taken.some(({ deliveries }) => deliveries === 3)
      },
      { withinMs },
    )
    assert.equal(ids(taken), ['ord_long', 'ord_left', 'ord_left', 'ord_left'])
  })

  fact('an order that is handed back comes again', async ({ messaging }, signal) => {
    await messaging.order(placed('ord_1'), {})
    const { taken } = reading(messaging.orders('infra', { concurrency: 1, signal }), (each) =>
      each.deliveries < 3 ? each.nak(each.deliveries === 1 ? 0 : 50) : each.ack(),
    )
    await until(() => taken.length === 3, { withinMs })
    assert.equal(taken.map(({ deliveries }) => deliveries), [1, 2, 3])
  })

  fact('a reader never holds more than it asked for', async ({ messaging }, signal) => {
    for (let n = 0; n < 30; n++) await messaging.order(placed(`ord_${n}`), {})
    let [held, most] = [0, 0]
    const { taken } = reading(messaging.orders('infra', { concurrency: 3, signal }), (each) => {
      most = Math.max(most, ++held)
      setImmediate(() => {
        held--
        readers.add(each.ack())
      })
    })
    await until(() => taken.length === 30 && held === 0, { withinMs })
    assert.equal(new Set(ids(taken)).size, 30)
    assert.ok(most <= 3, `held ${most}`)
  })

  fact('two readers share the orders of a family', async ({ messaging }, signal) => {
    const sharing = [1, 2].map(() =>
      reading(messaging.orders('infra', { concurrency: 2, signal }), (each) => {
        readers.add(Promise.resolve().then(() => each.ack()))
      }),
    )
    for (let n = 0; n < 40; n++) await messaging.order(placed(`ord_${n}`), {})
    const all = () => sharing.flatMap(({ taken }) => ids(taken))
    await until(() => all().length === 40, { withinMs })
    assert.equal(new Set(all()).size, 40)
  })

  fact('a reader that ends leaves what it did not acknowledge to the next', async ({ messaging }, signal) => {
    for (const id of ['ord_1', 'ord_2', 'ord_3']) await messaging.order(placed(id), {})
    const first = new AbortController()
    const { taken, done } = reading(messaging.orders('infra', { concurrency: 8, signal: first.signal }), (each) => {
      first.abort()
      return each.ack()
    })
    await done
    assert.equal(ids(taken), ['ord_1'])
    const next = reading(messaging.orders('infra', { concurrency: 8, signal }), (each) => each.ack())
    await until(() => next.taken.length === 2, { withinMs })
    assert.equal(ids(next.taken).toSorted(), ['ord_2', 'ord_3'])
  })

  fact('an outcome arrives as it was answered, once', async ({ messaging }, signal) => {
    const outcome = succeeded('ord_1')
    const { orderId, jobId, step, key, attempt, course, at } = outcome
    const place = { orderId, jobId, step, key, attempt, course, at }
    const failed = { ...place, kind: 'failed', because: 'no room left', final: true } as const
    for (const id of ['out_1', 'out_1']) await messaging.answer(outcome, id, trace)
    await messaging.answer(failed, 'out_2', trace)
    const { taken } = reading(messaging.outcomes({ concurrency: 8, signal }), (each) => each.ack())
    await until(() => taken.length === 2, { withinMs })
    assert.equal(taken.map(({ message }) => message), [outcome, failed])
    assert.is(taken[0]?.carrier['traceparent'], trace.traceparent)
  })

  fact('what was seen arrives as it was told, once, and what cannot be read is put aside', async ({ messaging, put }, signal) => {
    const volumes = [{ nodeId: 'nod_1', usedBytes: 80, totalBytes: 100 }]
    const seen: Observation = {
      kind: 'disk-usage', datastoreId: 'dst_1', ownerId: 'own_1', at: '2026-01-01T12:00:00.000Z', volumes,
    }
    const later = { ...seen, at: '2026-01-01T12:00:05.000Z' }
    assert.is.not(observationIdOf(seen), observationIdOf(later))
    await put('observed.disk-usage', '{"kind":"moon-phase"}')
    for (const one of [seen, seen, later]) await messaging.observe(one, observationIdOf(one), trace)
    const { taken } = reading(messaging.observations({ concurrency: 8, signal }), (each) => each.ack())
    await until(() => taken.length === 2, { withinMs })
    assert.equal(taken.map(({ message }) => message), [seen, later])
    assert.is(taken[0]?.carrier['traceparent'], trace.traceparent)
    const letters = await messaging.deadLetters.list()
    assert.equal(letters.map(({ subject }) => subject), ['observed.disk-usage'])
  })

  fact('what cannot be read is put aside as it came, and is in nobody\'s way', async ({ messaging, put }, signal) => {
    const foreign = JSON.stringify({ ...placed('ord_x'), order: { subject: 'infra.boot-machine', body: {} } })
    await put('infra.boot-machine', 'no JSON')
    await put('infra.boot-machine', foreign)
    await messaging.order(placed('ord_1'), {})
    const { taken } = reading(messaging.orders('infra', { concurrency: 1, signal }), (each) => each.ack())
    await until(() => taken.length === 1, { withinMs })
    const letters = await messaging.deadLetters.list()
    assert.equal(ids(taken), ['ord_1'])
    assert.equal(letters.map(({ subject, payload }) => ({ subject, payload })), [
      { subject: 'infra.boot-machine', payload: 'no JSON' },
      { subject: 'infra.boot-machine', payload: foreign },
    ])
    assert.match(letters[0]?.because ?? '', 'it is not JSON')
    assert.match(letters[1]?.because ?? '', 'order.body.nodeId')
  })

  fact(
    'an order handed out too often is put aside, and an operator can have it done again',
    async ({ messaging }, signal) => {
      await messaging.order(placed('ord_1'), trace)
      let healthy = false
      const { taken } = reading(messaging.orders('infra', { concurrency: 1, signal }), (each) =>
        healthy ? each.ack() : each.nak(0),
      )
      const [letter] = await until(
        async () => {
          const letters = await messaging.deadLetters.list()
          return letters.length > 0 ? letters : undefined
        },
        { withinMs },
      )
      assert.is(taken.length, 3)
      assert.equal(JSON.parse(letter?.payload ?? ''), placed('ord_1'))
      assert.match(letter?.because ?? '', '3 times')
      healthy = true
      assert.is(await messaging.deadLetters.replay(letter?.id ?? ''), true)
      await until(() => taken.length === 4, { withinMs })
      const again = taken[3]
      assert.equal([again?.message, again?.deliveries, again?.carrier], [placed('ord_1'), 1, trace])
      assert.equal(await messaging.deadLetters.list(), [])
      assert.is(await messaging.deadLetters.replay(letter?.id ?? ''), false)
    },
    { deliveriesMax: 3 },
  )

  fact('a dead letter that is not there cannot be replayed', async ({ messaging }) => {
    for (const id of ['1', '999', '', 'x', '-1', '1e3']) assert.is(await messaging.deadLetters.replay(id), false)
  })

  fact('a broker that answers is ready, a closed one is not', async ({ messaging }) => {
    await messaging.ping()
    await messaging.close()
    await messaging.ping().then(
      () => assert.unreachable(),
      (error: unknown) => assert.instance(error, Error),
    )
  })

  test.run()
}
