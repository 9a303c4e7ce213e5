import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { natsMessaging } from '../../infra/messaging/nats.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { eventStores, type StartedEventStore } from '../support/event-stores.ts'
import { type TestNats, startNats } from '../support/nats.ts'
import { answersTo, givenClock, idsOf, type RunnerScene, runnerScene, withinMs } from '../support/runner-scene.ts'
import { until } from '../support/until.ts'

const test = suite('runners over a real event store and a real broker')

let events: StartedEventStore
let server: TestNats
let messaging: Messaging
let on: RunnerScene

test.before(async () => {
  const start = eventStores['esdb on the embedded server']
  assert.ok(start)
  events = await start()
  server = await startNats()
  messaging = await natsMessaging({ url: server.url, ackWaitMs: 1_000 })
})
test.after(async () => {
  await messaging.close()
  await server.stop()
  await events.stop()
})
test.before.each(() => {
  // The real store stamps events with the real time.
  const clock = { ...givenClock(), now: () => new Date().toISOString() }
  on = runnerScene({ store: events.store, messaging }, clock)
})
test.after.each(() => on.end())

const noDuplicates = (texts: readonly string[]) => assert.equal([...new Set(texts)], texts)

test('jobs are carried to their ends by two runners and two workers, each order placed and answered once', async () => {
  await Promise.all([on.run().ready, on.run().ready])
  const workers = [on.work(), on.work()]
  const jobs = await Promise.all([on.create(), on.create(), on.create()])
  for (const made of jobs) assert.is(await on.ended(made), 'finished')
  const removals = await Promise.all(jobs.map(on.remove))
  for (const removal of removals) assert.is(await on.ended(removal), 'finished')
  const all: string[] = []
  for (const ids of [...jobs, ...removals]) {
    const seen = await on.events(ids)
    noDuplicates(answersTo(seen))
    all.push(...idsOf(seen))
  }
  noDuplicates(all)
  assert.equal(workers.flatMap(({ orders }) => orders.map(({ orderId }) => orderId)).toSorted(), all.toSorted())
})

test('a runner is replaced again and again while its job runs', async () => {
  const worker = on.work()
  let current = on.run()
  const made = await on.create()
  for (const orders of [1, 3, 6, 9, 12, 15]) {
    await until(() => worker.orders.length >= orders, { withinMs, what: `order ${orders}` })
    await current.stop()
    current = on.run()
  }
  assert.is(await on.ended(made), 'finished')
  noDuplicates(answersTo(await on.events(made)))
})

test('a broker that is killed while jobs run, and comes back, loses nothing', async () => {
  await on.run().ready
  const worker = on.work()
  const jobs = await Promise.all([on.create(), on.create()])
  await until(() => worker.orders.length >= 4, { withinMs })
  await server.kill()
  await server.restart()
  for (const made of jobs) assert.is(await on.ended(made), 'finished')
  assert.equal(await messaging.deadLetters.list(), [])
})

test.run()
