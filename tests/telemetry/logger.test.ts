import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { keptLog } from '../support/log.ts'

const test = suite('the log')

const Line = z.looseObject({ level: z.string(), service: z.string(), msg: z.string(), time: z.iso.datetime() })
const parsed = (lines: readonly string[]) => lines.map((line) => Line.parse(JSON.parse(line)))

test('a line is a sentence with ids as fields', () => {
  const { log, lines } = keptLog('ccx-deployer')
  log.child({ jobId: 'job_1' }).info({ orderId: 'ord_1', revision: 7n }, 'an order is answered')
  const [{ time, ...line } = { time: '' }] = parsed(lines)
  assert.ok(time)
  assert.equal(line, {
    level: 'info',
    service: 'ccx-deployer',
    jobId: 'job_1',
    orderId: 'ord_1',
    revision: '7',
    msg: 'an order is answered',
  })
})

test('no secret is written, wherever it hides', () => {
  const canary = 'canary-3f9d1c77'
  const { log, lines } = keptLog()
  const pem = `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`
  const foreign = Object.assign(new Error(`cannot reach postgres://ccx:${canary}@db/ccx`), {
    detail: `row (${canary})`,
    config: { headers: { authorization: canary } },
  })
  log.info({ password: canary, adminPassword: canary, client_secret: canary, apiKey: canary, keyPem: canary }, 'a')
  log.info({ deep: { list: [{ accessToken: canary }, new Map([['token', canary]])] } }, 'b')
  log.info({ request: { headers: { Authorization: canary, cookie: canary, 'x-api-key': canary } } }, 'c')
  log.info({ text: `Authorization: Bearer ${canary}`, url: `nats://test:${canary}@host`, pem }, 'd')
  log.child({ masterKey: canary, bytes: Buffer.from(canary) }).warn({}, `lost postgres://ccx:${canary}@db/ccx`)
  log.error({ err: new Error('outer', { cause: foreign }) }, 'e')
  assert.is(lines.length, 6)
  for (const line of lines) assert.not.match(line, canary)
  assert.match(lines[0] ?? '', '[redacted]')
})

test('an error is told with its causes, each once and with its code', () => {
  const { log, lines } = keptLog()
  const root = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const away = new Error('the cloud is away', { cause: root })
  log.error({ err: new TypeError('no machine', { cause: away }) }, 'it failed')
  const Told = z.object({ type: z.string(), message: z.string(), code: z.string().optional(), stack: z.string() })
  const { err } = z.object({ err: Told.extend({ causes: z.array(Told) }) }).parse(JSON.parse(lines[0] ?? ''))
  assert.equal([err, ...err.causes].map(({ type, message, code }) => [type, message, code]), [
    ['TypeError', 'no machine', undefined],
    ['Error', 'the cloud is away', undefined],
    ['Error', 'connect ECONNREFUSED', 'ECONNREFUSED'],
  ])
})

test('a value without end does not hang the log', () => {
  const { log, lines } = keptLog()
  const loop: Record<string, unknown> = { name: 'loop' }
  loop['self'] = loop
  const error = new Error('it causes itself')
  error.cause = error
  log.info({ loop, many: Array(10_000).fill('x'), err: error }, 'still here')
  assert.is(lines.length, 1)
  assert.ok((lines[0] ?? '').length < 100_000)
})

test.run()
