import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { endpoint } from '../../domain/kernel/endpoint.ts'
import { type RateLimits, rateLimiter } from '../../infra/http/rate-limit.ts'
import { type Ask, startRest } from '../support/rest.ts'

const test = suite('rate limits')

const answer = async () => ({ status: 200, body: {} })
const replies = { 200: { description: 'It is so.' } }
const call = (path: string, access: 'public' | 'user' | 'admin') =>
  endpoint({ method: 'GET', path, summary: 'A call', tag: 'Test', access, replies, handle: answer })
const endpoints = [
  call('/api/mine', 'user'),
  call('/api/operators', 'admin'),
  call('/api/auth/open', 'public'),
  call('/api/open', 'public'),
]

const LIMITS: RateLimits = {
  user: { perSecond: 2, burst: 10 },
  address: { perSecond: 1, burst: 5 },
  signIn: { perSecond: 0.5, burst: 3 },
}

let clockMs = 0
let rest: Awaited<ReturnType<typeof startRest>>
test.before.each(async () => {
  rest = await startRest(endpoints, { limiter: rateLimiter(LIMITS, { clockMs: () => clockMs }), behindProxy: true })
})
test.after.each(() => rest.close())

const from = (address: string, as?: string): Ask => ({
  headers: { 'x-forwarded-for': address },
  ...(as === undefined ? {} : { as }),
})
const letThrough = async (times: number, path: string, options: Ask): Promise<number> => {
  let count = 0
  for (let n = 0; n < times; n++) if ((await rest.ask('GET', path, options)).status !== 429) count += 1
  return count
}

test('a user asks so much at once, then so much each second, and is told when to come again', async () => {
  assert.is(await letThrough(15, '/api/mine', { as: 'alice' }), 10)
  const held = await rest.ask('GET', '/api/mine', { as: 'alice' })
  assert.equal([held.status, held.headers.get('retry-after')], [429, '1'])
  clockMs += 2_000
  assert.is(await letThrough(15, '/api/mine', { as: 'alice' }), 4)
})

test('no user is held up by another, at the same address or by who is nobody there', async () => {
  assert.is(await letThrough(20, '/api/mine', from('192.0.2.1', 'alice')), 10)
  assert.is(await letThrough(20, '/api/mine', from('192.0.2.1', 'stranger')), 5)
  assert.is(await letThrough(20, '/api/auth/open', from('192.0.2.1')), 3)
  assert.is(await letThrough(20, '/api/mine', from('192.0.2.1', 'bob')), 10)
})

test('a user is counted wherever he asks from, and for what he may not too', async () => {
  assert.is(await letThrough(6, '/api/mine', from('192.0.2.1', 'alice')), 6)
  assert.is(await letThrough(6, '/api/operators', from('192.0.2.2', 'alice')), 4)
  assert.is(await letThrough(1, '/api/mine', from('192.0.2.3', 'alice')), 0)
})

test('an address that is nobody’s is limited, to sign in more than else, and no other address by it', async () => {
  assert.is(await letThrough(10, '/api/open', from('192.0.2.1')), 5)
  assert.is(await letThrough(10, '/api/auth/open', from('192.0.2.1')), 3)
  assert.is(await letThrough(10, '/api/nowhere', from('192.0.2.1')), 0)
  assert.is(await letThrough(10, '/api/nowhere', from('192.0.2.2')), 5)
  assert.is(await letThrough(4, '/api/auth/open', from('2001:db8::1')), 3)
  assert.is(await letThrough(4, '/api/auth/open', from('2001:db8::2')), 0, 'one network of IPv6 is one address')
  assert.is(await letThrough(4, '/api/auth/open', from('2001:db8:0:1::1')), 3)
})

test('health is never refused', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) assert.is(await letThrough(20, path, {}), 20, path)
})

test('what is full again is forgotten, and a limit may be none', () => {
  let nowMs = 0
  const limiter = rateLimiter({ ...LIMITS, user: undefined }, { clockMs: () => nowMs })
  for (let n = 0; n < 100; n++) assert.is(limiter.take('user', 'alice'), undefined)
  for (let n = 0; n < 5; n++) assert.is(limiter.take('address', 'a'), undefined)
  assert.is(limiter.take('address', 'a'), 1)
  nowMs += 60_000
  for (let n = 0; n < 5; n++) assert.is(limiter.take('address', 'a'), undefined)
})

test.run()
