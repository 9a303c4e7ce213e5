import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Checks, serveHealth } from '../../infra/telemetry/health.ts'
import { startMetrics } from '../../infra/telemetry/metrics.ts'

const test = suite('the health of a worker')

const served = async (
  checks: Checks,
  body: (get: (path: string) => Promise<{ status: number; text: string }>) => Promise<void>,
): Promise<void> => {
  const { metrics, metricsHandler, stop } = startMetrics({ service: 'test' })
  metrics.order('infra.boot-machine', 'succeeded', 0.02)
  metrics.command('CreateDatastore', 'accepted', 0.004)
  metrics.request('GET', '/datastores/:id', 200, 0.003)
  metrics.projector('datastores', { position: 42n, lagSeconds: 0.5 })
  metrics.deadLetter('infra.boot-machine')
  metrics.hop(0.01)
  const { port, close } = await serveHealth({ port: 0, checks, metricsHandler, checkTimeoutMs: 50 })
  try {
    await body(async (path) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      return { status: response.status, text: await response.text() }
    })
  } finally {
    await close()
    await stop()
  }
}

test('a worker is ready when everything it needs is', () =>
  served({ broker: async () => undefined, postgres: async () => undefined }, async (get) => {
    assert.is((await get('/healthz')).status, 200)
    const { status, text } = await get('/readyz')
    assert.equal([status, JSON.parse(text)], [200, { ready: true, checks: { broker: 'ok', postgres: 'ok' } }])
    assert.is((await get('/elsewhere')).status, 404)
  }))

test('a worker that is not ready names what is missing, and stays alive', () => {
  const broker = () => Promise.reject(new Error('no way to nats://test:canary@127.0.0.1'))
  return served({ broker, postgres: () => new Promise(() => {}), store: async () => undefined }, async (get) => {
    assert.is((await get('/healthz')).status, 200)
    const { status, text } = await get('/readyz')
    assert.equal([status, JSON.parse(text)], [
      503,
      {
        ready: false,
        checks: {
          broker: 'no way to nats://[redacted]@127.0.0.1',
          postgres: 'no answer within 50 ms',
          store: 'ok',
        },
      },
    ])
  })
})

test('what is counted can be scraped', () =>
  served({}, async (get) => {
    const { status, text } = await get('/metrics')
    assert.is(status, 200)
    for (const line of [
      /^ccx_order_seconds_count\{.*subject="infra.boot-machine".*result="succeeded".*\} 1$/m,
      /^ccx_command_seconds_count\{.*type="CreateDatastore".*outcome="accepted".*\} 1$/m,
      /^ccx_http_request_seconds_bucket\{.*route="\/datastores\/:id".*le="0.005".*\} 1$/m,
      /^ccx_projector_position\{.*projection="datastores".*\} 42$/m,
      /^ccx_projector_lag_seconds\{.*\} 0.5$/m,
      /^ccx_dead_letters_total\{.*\} 1$/m,
      /^ccx_hop_seconds_sum(\{.*\})? 0.01$/m,
    ]) {
      assert.match(text, line)
    }
  }))

test.run()
