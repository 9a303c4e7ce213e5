import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import { workOn } from '../../infra/messaging/worker.ts'
import {
  carrierFrom,
  carrierOf,
  startTelemetry,
  traceparent,
  withCarrier,
  withSpan,
} from '../../infra/telemetry/tracing.ts'
import { startCollector, type SpanSeen } from '../support/collector.ts'
import { keptLog } from '../support/log.ts'
import { placed } from '../support/orders.ts'
import { until } from '../support/until.ts'

const test = suite('a trace')

test('one request is one trace through the event, the order, its worker and the outcome', async () => {
  const sink = await startCollector()
  const telemetry = startTelemetry({ service: 'test', otlpEndpoint: sink.url })
  const messaging = memoryMessaging({ ackWaitMs: 5_000 })
  const { log, lines } = keptLog()
  const stopping = new AbortController()
  const { signal } = stopping
  const now = () => '2026-01-01T12:00:00.000Z'
  const handle = () => withSpan('make a machine', {}, async () => ({}))
  const working = workOn({ messaging, family: 'infra', concurrency: 1, signal, handle, now, log })

  const metadata = await withSpan('POST /datastores', {}, async () => ({ traceparent: traceparent() }))
  await withCarrier(carrierFrom(metadata), 'react to DatastoreCreated', {}, () =>
    messaging.order(placed('ord_1'), carrierOf()),
  )
  for await (const { message, carrier, ack } of messaging.outcomes({ concurrency: 1, signal })) {
    await withCarrier(carrier, `outcome ${message.kind}`, {}, ack)
    stopping.abort()
  }
  await working
  await telemetry.stop()
  await until(() => sink.spans.length >= 5, { withinMs: 10_000 })
  await messaging.close()
  await sink.close()

  const byId = new Map(sink.spans.map((span) => [span.spanId, span]))
  const lineage = (span: SpanSeen | undefined): string[] =>
    span === undefined ? [] : [...lineage(byId.get(span.parentSpanId ?? '')), span.name]
  assert.equal(lineage(sink.spans.find(({ name }) => name === 'outcome succeeded')), [
    'POST /datastores',
    'react to DatastoreCreated',
    'order infra.boot-machine',
    'outcome succeeded',
  ])
  assert.equal(lineage(sink.spans.find(({ name }) => name === 'make a machine')).slice(-2), [
    'order infra.boot-machine',
    'make a machine',
  ])
  const traces = new Set(sink.spans.map(({ traceId }) => traceId))
  assert.is(traces.size, 1)
  const [traceId] = traces
  assert.ok(lines.some((line) => line.includes('an order is answered') && line.includes(`"traceId":"${traceId}"`)))
})

test('without a collector ids are made all the same, and nothing is sent', async () => {
  const telemetry = startTelemetry({ service: 'test' })
  const carrier = await withSpan('anything', {}, async () => carrierOf())
  assert.match(carrier['traceparent'] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  await telemetry.stop()
})

test('before telemetry is started work runs without a trace', async () => {
  assert.is(await withSpan('anything', {}, async () => traceparent()), undefined)
  assert.equal(carrierOf(), {})
})

test('a collector that is not there keeps nobody from ending', async () => {
  const telemetry = startTelemetry({ service: 'test', otlpEndpoint: 'http://127.0.0.1:1' })
  await withSpan('anything', {}, async () => undefined)
  await telemetry.stop()
})

test('what a span throws is thrown on', async () => {
  const telemetry = startTelemetry({ service: 'test' })
  const thrown = new Error('as it was')
  const caught = await withSpan('anything', {}, () => Promise.reject(thrown)).catch((error: unknown) => error)
  assert.is(caught, thrown)
  await telemetry.stop()
})

test.run()
