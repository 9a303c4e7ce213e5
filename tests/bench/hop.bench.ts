import { randomUUID } from 'node:crypto'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { job } from '../../domain/job/job.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { outcomeIdOf } from '../../infra/messaging/ids.ts'
import { natsMessaging } from '../../infra/messaging/nats.ts'
import { runner } from '../../infra/runners/runner.ts'
import { sagas } from '../../sagas/index.ts'
import { exampleSpec } from '../support/examples.ts'
import { startNats } from '../support/nats.ts'
import { resultOf } from '../support/saga-world.ts'
import { until } from '../support/until.ts'
import { latency, quantile, report, startEventStore } from './measure.ts'

// From the moment a worker has published an outcome to the moment the job's next order is in a worker's hands.
const JOBS = 40

const server = await startEventStore()
const nats = await startNats()
const store = esdbEventStore({ connectionString: server.url })
const messaging = await natsMessaging({ url: nats.url, ackWaitMs: 10_000 })
const stopping = new AbortController()
const { signal } = stopping
const now = () => new Date().toISOString()
const sendDatastore = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
const running = runner({
  store,
  messaging,
  sendJob: handle({ store }, job(sagas), ({ data }) => `job-${data.jobId}`),
  sendDatastore,
  now,
  log: { warn: (fields, message) => console.error(message, fields) },
  concurrency: 32,
  signal,
})
await running.ready

const answeredAt = new Map<string, number>()
const hopMs: number[] = []
const work = async (family: 'infra' | 'cmon') => {
  for await (const { message, ack } of messaging.orders(family, { concurrency: 32, signal })) {
    const before = answeredAt.get(message.jobId)
    if (before !== undefined) hopMs.push(performance.now() - before)
    const { orderId, jobId, step, key, attempt, course, order } = message
    const result = resultOf(order, message)
    const outcome = { orderId, jobId, step, key, attempt, course, at: now(), kind: 'succeeded', result } as const
    await messaging.answer(outcome, outcomeIdOf(orderId, 'succeeded'), {})
    answeredAt.set(jobId, performance.now())
    await ack()
  }
}
const workers = Promise.all([work('infra'), work('cmon')])

for (let n = 0; n < JOBS; n++) {
  const [datastoreId, jobId, commandId] = [randomUUID(), randomUUID(), randomUUID()]
  await sendDatastore(
    { type: 'CreateDatastore', data: { datastoreId, jobId, spec: exampleSpec(1), fingerprint: '', now: now() } },
    { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'bench' } },
  )
  const eventTypes = async () => (await store.read(`datastore-${datastoreId}`)).events.map(({ type }) => type)
  await until(async () => (await eventTypes()).includes('JobEnded'), { withinMs: 60_000 })
}
const p99 = quantile(hopMs, 0.99)
report(`job step hop (${hopMs.length} hops)`, latency(hopMs), { ok: p99 <= 50, text: 'p99 ≤ 50 ms' })
stopping.abort()
await Promise.all([running.ended, workers])
await messaging.close()
await store.close()
await nats.stop()
await server.stop()
