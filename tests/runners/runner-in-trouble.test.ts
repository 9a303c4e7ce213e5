import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { orderIdOf, outcomeIdOf } from '../../infra/messaging/ids.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { readCheckpoint } from '../../infra/runners/checkpoint.ts'
import {
  answersTo, givenClock, idsOf, orderedBy, type RunnerScene, runnerScene, willing, withinMs,
} from '../support/runner-scene.ts'
import { succeeded } from '../support/orders.ts'
import { resultOf } from '../support/saga-world.ts'
import { until } from '../support/until.ts'

const test = suite('a runner in trouble')

type Scene = RunnerScene & { readonly store: EventStore; readonly messaging: Messaging }

const fact = (sentence: string, body: (on: Scene) => Promise<void>, ackWaitMs = 1_000) =>
  test(sentence, async () => {
    const clock = givenClock()
    const messaging = memoryMessaging({ ackWaitMs })
    const store = memoryEventStore(clock.now)
    const on = runnerScene({ store, messaging }, clock)
    try {
      await body({ ...on, store, messaging })
    } finally {
      await on.end()
      await messaging.close()
    }
  })

const noDuplicates = (texts: readonly string[]) => assert.equal([...new Set(texts)], texts)

/** The store as seen over a line that can be cut. */
const overALine = (store: EventStore, line: { cut: boolean }): EventStore => {
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
    if (line.cut) throw new Error('the store is away')
    return call()
  }
  return {
    ...store,
    read: (...args) => through(() => store.read(...args)),
    append: (...args) => through(() => store.append(...args)),
    head: () => through(store.head),
  }
}

fact('a runner that is replaced after any number of orders loses none and repeats none that has ended', async (on) => {
  const worker = on.work()
  let current = on.run()
  const made = await on.create()
  for (let orders = 1; orders <= 18; orders++) {
    await until(() => worker.orders.length >= orders, { withinMs, what: `order ${orders}` })
    await current.stop()
    current = on.run()
  }
  assert.is(await on.ended(made), 'finished')
  const events = await on.events(made)
  assert.equal(worker.orders.map(({ orderId }) => orderId).toSorted(), [...idsOf(events)].toSorted())
  noDuplicates(answersTo(events))
})

fact('an order that its runner did not get to place is placed by the next one, none that has ended is', async (on) => {
  const lost: Messaging = {
    ...on.messaging,
    order: async (order, carrier) => {
      if (order.step !== 'volumes') await on.messaging.order(order, carrier)
    },
  }
  const first = on.run({ messaging: lost })
  on.work()
  const made = await on.create()
  await until(async () => orderedBy(await on.events(made)).some(({ step }) => step === 'volumes'), { withinMs })
  await first.stop()
  const placed: string[] = []
  const watched: Messaging = {
    ...on.messaging,
    order: async (order, carrier) => {
      placed.push(order.step)
      await on.messaging.order(order, carrier)
    },
  }
  await on.run({ messaging: watched }).ready
  assert.is(await on.ended(made), 'finished')
  assert.equal(placed.slice(0, 2), ['volumes', 'volumes'])
  assert.equal(placed.filter((step) => ['network', 'machines', 'addresses'].includes(step)), [])
})

fact('the checkpoint knows the open jobs, so that a start does not read the log anew', async (on) => {
  const gate = Promise.withResolvers<void>()
  on.work(async (order, tools) => {
    if (order.step === 'boot') await gate.promise
    return willing(order, tools)
  })
  const first = on.run()
  const done = await on.create()
  await until(async () => orderedBy(await on.events(done)).some(({ step }) => step === 'boot'), { withinMs })
  // Nothing is under way once these have been placed.
  await until(async () => on.lines.filter((line) => line.includes('an order is answered')).length >= 7, { withinMs })
  await first.stop()
  const checkpoint = await readCheckpoint(on.store)
  assert.equal(checkpoint.openJobs, [done.jobId])
  let after: unknown
  const watched: EventStore = {
    ...on.store,
    subscribe: (options) => {
      after = options.after
      return on.store.subscribe(options)
    },
  }
  await on.run({ store: watched }).ready
  gate.resolve()
  assert.is(await on.ended(done), 'finished')
  assert.is.not(after, 'start')
  assert.equal(after, checkpoint.position)
})

fact('without its checkpoint a runner begins at the start of the log, and places nothing of long ago', async (on) => {
  const first = on.run()
  const worker = on.work()
  const made = await on.create()
  assert.is(await on.ended(made), 'finished')
  await first.stop()
  const forgetful: EventStore = {
    ...on.store,
    read: async (stream, options) =>
      stream.startsWith('runnerCheckpoint') ? { events: [], revision: 'absent' } : on.store.read(stream, options),
  }
  const count = worker.orders.length
  const placed: string[] = []
  const messaging: Messaging = { ...on.messaging, order: async ({ orderId }) => void placed.push(orderId) }
  const before = await on.store.head()
  const second = on.run({ store: forgetful, messaging })
  await second.ready
  await second.stop()
  assert.equal(placed, [])
  assert.is(worker.orders.length, count)
  const { events } = await on.store.read(`job-${made.jobId}`)
  assert.ok(events.every(({ position }) => before !== 'start' && position.commit <= before.commit))
})

fact('an outcome outlasts a store that is away for long', async (on) => {
  const line = { cut: false }
  let first = true
  on.work(async (order, tools) => {
    if (order.step === 'machines' && first) [line.cut, first] = [true, false]
    return willing(order, tools)
  })
  await on.run({ store: overALine(on.store, line) }).ready
  const made = await on.create()
  await until(() => line.cut, { withinMs })
  // Long enough for the broker to give up an outcome that shows no sign of life.
  const before = performance.now()
  await until(() => performance.now() - before > 2_500, { withinMs })
  line.cut = false
  assert.is(await on.ended(made), 'finished')
  assert.equal(await on.messaging.deadLetters.list(), [])
  noDuplicates(answersTo(await on.events(made)))
}, 60)

fact('an outcome is handed back by a runner that ends, for the next one to take at once', async (on) => {
  const line = { cut: false }
  const worker = on.work()
  const first = on.run({ store: overALine(on.store, line) })
  await first.ready
  line.cut = true
  const made = await on.create()
  await on.messaging.answer({ ...succeeded('ord'), jobId: made.jobId }, 'ord', {})
  await until(() => on.lines.some((text) => text.includes('an outcome is not done yet')), { withinMs })
  await first.stop()
  const left = new AbortController()
  let deliveries = 0
  for await (const delivered of on.messaging.outcomes({ concurrency: 1, signal: left.signal })) {
    deliveries = delivered.deliveries
    await delivered.ack()
    left.abort()
  }
  assert.is(deliveries, 2)
  assert.equal(worker.orders, [])
}, 600_000)

fact('a broker that is away for a while loses nothing', async (on) => {
  const line = { cut: false }
  const flaky: Messaging = {
    ...on.messaging,
    order: async (order, carrier) => {
      if (line.cut) throw new Error('the broker is away')
      await on.messaging.order(order, carrier)
    },
  }
  await on.run({ messaging: flaky }).ready
  on.work()
  line.cut = true
  const jobs = await Promise.all([on.create(), on.create()])
  await until(() => on.lines.filter((text) => text.includes('is not done yet')).length >= 4, { withinMs })
  line.cut = false
  for (const made of jobs) {
    assert.is(await on.ended(made), 'finished')
    noDuplicates(idsOf(await on.events(made)))
  }
})

fact('a job whose order cannot be placed holds up no other, at the start either', async (on) => {
  const stuck = await on.create()
  const refusing: Messaging = {
    ...on.messaging,
    order: async (order, carrier) => {
      if (order.jobId === stuck.jobId) throw new Error('the message is too large')
      await on.messaging.order(order, carrier)
    },
  }
  on.work()
  await on.run({ messaging: refusing }).stop()
  const first = on.run({ messaging: refusing })
  await first.ready
  assert.is(await on.ended(await on.create()), 'finished')
  await first.stop()
  // Now it is among the open jobs of a runner that starts.
  await on.run({ messaging: refusing }).ready
  assert.is(await on.ended(await on.create()), 'finished')
})

fact('a job whose stream cannot be understood holds up no other', async (on) => {
  const id = 'b9d6f8f1-8d0c-4b0e-9d0e-3f5d0a4b7a11'
  const metadata = { commandId: id, correlationId: id, causationId: id, actor: { kind: 'system', id: 'x' } } as const
  const broken = { id, type: 'JobFinished', data: { jobId: id, datastoreId: 'clu', at: on.now() }, metadata }
  const made = await on.create()
  const first = on.run()
  await until(async () => (await on.events(made)).length > 1, { withinMs })
  await first.stop()
  // Written by a later version: of a kind that is not known here.
  const { revision } = await on.store.read(`job-${made.jobId}`)
  await on.store.append(
    `job-${made.jobId}`,
    [
      { ...broken, type: 'StepPostponed', data: { ...broken.data, jobId: made.jobId } },
      { ...broken, id: made.jobId, data: { ...broken.data, jobId: made.jobId } },
    ],
    { expected: revision },
  )
  on.work()
  await on.run().ready
  assert.is(await on.ended(await on.create()), 'finished')
})

fact('an outcome that waited for a runner counts, though the deadline has passed meanwhile', async (on) => {
  const first = on.run()
  const made = await on.create()
  await until(async () => orderedBy(await on.events(made)).length === 1, { withinMs })
  await first.stop()
  const [order] = orderedBy(await on.events(made))
  assert.ok(order)
  const { jobId, step, key, attempt, course } = order
  const orderId = orderIdOf(jobId, order)
  await on.messaging.answer(
    {
      orderId, jobId, step, key, attempt, course, at: on.now(),
      kind: 'succeeded', result: resultOf(order.order, order),
    },
    outcomeIdOf(orderId, 'succeeded'), {},
  )
  on.pass(3_600_000)
  await on.run().ready
  on.work()
  assert.is(await on.ended(made), 'finished')
  assert.equal((await on.events(made)).filter(({ type }) => type === 'StepFailed'), [])
})

fact('an outcome that a healthy store does not take is left to the broker, and holds up no other', async (on) => {
  const poisoned = await on.create()
  const picky: EventStore = {
    ...on.store,
    append: async (stream, events, options) => {
      const isPoisoned = stream === `job-${poisoned.jobId}` && events.some(({ type }) => type === 'StepSucceeded')
      if (isPoisoned) throw new Error('no')
      return on.store.append(stream, events, options)
    },
  }
  await on.run({ store: picky, concurrency: 1 }).ready
  on.work()
  await until(() => on.lines.some((text) => text.includes('an outcome is not done yet')), { withinMs })
  assert.is(await on.ended(await on.create()), 'finished')
})

fact('a runner whose broker closes for good says so', async (on) => {
  const running = on.run()
  await running.ready
  await on.messaging.close()
  const end = await running.ended.then(() => 'it ended', String)
  assert.match(end, 'broker is closed')
})

fact('a runner ends promptly though store and broker are away, and its work is done by the next', async (on) => {
  const line = { cut: false }
  const first = on.run({ store: overALine(on.store, line) })
  await first.ready
  line.cut = true
  const made = await on.create()
  await until(() => on.lines.some((text) => text.includes('is not done yet')), { withinMs })
  const began = performance.now()
  await first.stop()
  assert.ok(performance.now() - began < withinMs)
  assert.equal(await on.events(made), [])
  on.run()
  on.work()
  assert.is(await on.ended(made), 'finished')
})

fact('however much there is to catch up with, only so much is at work at once', async (on) => {
  await Promise.all(Array.from({ length: 1_500 }, on.create))
  let atOnce = 0
  let most = 0
  const counting: EventStore = {
    ...on.store,
    append: async (...args) => {
      most = Math.max(most, ++atOnce)
      await new Promise((resolve) => setImmediate(resolve))
      try {
        return await on.store.append(...args)
      } finally {
        atOnce--
      }
    },
  }
  const running = on.run({ store: counting })
  await running.ready
  await running.stop()
  assert.ok(most <= 500, `${most} at once`)
})

test.run()
