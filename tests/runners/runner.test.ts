import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { DUPLICATE_WINDOW_MS } from '../../infra/messaging/nats-topology.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import type { OrderOutcome, PlacedOrder } from '../../domain/job/orders.ts'
import { sagas } from '../../sagas/index.ts'
import { everyPlan } from '../support/every-plan.ts'
import { newInput } from '../support/examples.ts'
import {
  answersTo, givenClock, idsOf, orderedBy, placeText, type RunnerScene, runnerScene, willing, withinMs,
} from '../support/runner-scene.ts'
import { resultOf } from '../support/saga-world.ts'
import { until } from '../support/until.ts'

const test = suite('a runner')

type Scene = RunnerScene & { readonly messaging: Messaging }

const fact = (sentence: string, body: (on: Scene) => Promise<void>) =>
  test(sentence, async () => {
    const clock = givenClock()
    const messaging = memoryMessaging({ ackWaitMs: 1_000 })
    const on = runnerScene({ store: memoryEventStore(clock.now), messaging }, clock)
    try {
      await body({ ...on, messaging })
    } finally {
      await on.end()
      await messaging.close()
    }
  })

const noDuplicates = (texts: readonly string[]) => assert.equal([...new Set(texts)], texts)

const answerTo = (order: PlacedOrder, at: string): OrderOutcome => {
  const { orderId, jobId, step, key, attempt, course } = order
  return { orderId, jobId, step, key, attempt, course, at, kind: 'succeeded', result: resultOf(order.order, order) }
}

fact('a job that is admitted is carried to its end, each order placed once', async (on) => {
  await on.run().ready
  const worker = on.work()
  const made = await on.create()
  assert.is(await on.ended(made), 'finished')
  const events = await on.events(made)
  assert.equal(worker.orders.map(({ orderId }) => orderId).toSorted(), idsOf(events).toSorted())
  noDuplicates(answersTo(events))
  const steps = sagas['deploy-datastore'](newInput(3)).steps.map(({ name }) => name)
  assert.equal([...new Set(orderedBy(events).map(({ step }) => step))], steps)
  assert.equal(on.lines.filter((line) => line.includes('"warn"')), [])
})

fact('a job that is cancelled unwinds, and the next one in the queue begins', async (on) => {
  await on.run().ready
  const gate = Promise.withResolvers<void>()
  const worker = on.work(async (order, tools) => {
    if (order.step === 'boot') await gate.promise
    return willing(order, tools)
  })
  const made = await on.create()
  await until(() => worker.orders.filter(({ step }) => step === 'boot').length === 4, { withinMs })
  const removal = await on.remove(made)
  await until(async () => (await on.events(made)).some(({ type }) => type === 'JobCancelled'), { withinMs })
  const undone = async () =>
    orderedBy(await on.events(made)).flatMap(({ course, step }) => (course === 'back' ? [step] : []))
  assert.equal(await undone(), [], 'what is under way is waited for')
  gate.resolve()
  assert.is(await on.ended(made), 'cancelled')
  assert.equal([...new Set(await undone())], ['boot', 'volumes', 'addresses', 'machines', 'network'])
  assert.is(await on.ended(removal), 'finished')
})

fact('two runners at once do the work of one', async (on) => {
  await Promise.all([on.run().ready, on.run().ready])
  const worker = on.work()
  const jobs = await Promise.all([on.create(), on.create(), on.create()])
  for (const made of jobs) assert.is(await on.ended(made), 'finished')
  const removals = await Promise.all(jobs.map(on.remove))
  for (const removal of removals) assert.is(await on.ended(removal), 'finished')
  const all = (await Promise.all([...jobs, ...removals].map(on.events))).flat()
  noDuplicates(idsOf(all))
  assert.equal(worker.orders.map(({ orderId }) => orderId).toSorted(), [...idsOf(all)].toSorted())
  for (const ids of [...jobs, ...removals]) noDuplicates(answersTo(await on.events(ids)))
})

fact('an outcome that comes twice, late, or for a job that nobody knows changes nothing', async (on) => {
  await on.run().ready
  const worker = on.work()
  const made = await on.create()
  assert.is(await on.ended(made), 'finished')
  const before = await on.events(made)
  const [first] = worker.orders
  assert.ok(first)
  await on.messaging.answer(answerTo(first, on.now()), 'again', {})
  await on.messaging.answer({ ...answerTo(first, on.now()), jobId: 'no-such-job' }, 'unknown', {})
  await on.messaging.answer({ ...answerTo(first, on.now()), kind: 'failed', because: 'late', final: true }, 'late', {})
  // Outcomes are taken in turn: what follows them shows that they have been taken.
  const next = await on.create()
  assert.is(await on.ended(next), 'finished')
  assert.equal(await on.events(made), before)
  assert.equal(await on.messaging.deadLetters.list(), [])
  assert.equal(on.lines.filter((line) => line.includes('"warn"')), [])
})

fact('an order that nobody answers is repeated after its deadline, with back-off, and then given up', async (on) => {
  await on.run().ready
  const made = await on.create()
  const placed = async () => orderedBy(await on.events(made)).map(placeText)
  const step = sagas['deploy-datastore'](newInput(3)).steps[0]
  assert.ok(step)
  for (let attempt = 1; attempt <= step.attemptsMax; attempt++) {
    const isPlaced = async () => (await placed()).includes(`forward network all ${attempt}`)
    await until(isPlaced, { withinMs, what: `attempt ${attempt}` })
    const answers = answersTo(await on.events(made)).length
    on.pass(step.timeoutMs + 2_000)
    const isGivenUp = async () => answersTo(await on.events(made)).length > answers
    await until(isGivenUp, { withinMs, what: `deadline ${attempt}` })
    if (attempt === step.attemptsMax) break
    assert.is((await placed()).length, attempt, 'it is not repeated before its time')
    on.pass(60_000)
  }
  const worker = on.work()
  assert.is(await on.ended(made), 'failed')
  assert.equal((await placed()).slice(step.attemptsMax), ['back network all 1'])
  assert.ok(worker.orders.every(({ course }) => course === 'back'), 'an order past its time is not done')
})

fact('an order that fails is repeated, and one that fails for good unwinds the job', async (on) => {
  await on.run().ready
  const failures = new Set<string>()
  on.work(async (order, tools) => {
    if (order.step === 'machines' && order.course === 'forward' && order.attempt < 3) {
      failures.add(`${order.key} ${order.attempt}`)
      throw new Failure('no luck')
    }
    if (order.step === 'primary' && order.course === 'forward') {
      throw new Failure('the disk is too small', { final: true })
    }
    return willing(order, tools)
  })
  const made = await on.create()
  let end: string | undefined
  void on.ended(made).then((how) => (end = how))
  const passesUntilItEnds = () => {
    on.pass(500)
    return end
  }
  assert.is(await until(passesUntilItEnds, { withinMs }), 'failed')
  assert.equal([...failures].toSorted(), ['nod_1 1', 'nod_1 2', 'nod_2 1', 'nod_2 2'])
  const last = (await on.events(made)).at(-1)
  assert.ok(last?.type === 'JobUnwound' && last.data.because.endsWith('the disk is too small'))
})

test('an order that is placed again is known as a repeat for as long as it may be carried out', () => {
  const steps = everyPlan.flatMap(({ saga }) => saga.steps)
  for (const { name, timeoutMs } of steps) assert.ok(timeoutMs < DUPLICATE_WINDOW_MS, name)
})

test.run()
