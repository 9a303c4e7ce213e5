import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { endpoint } from '../../domain/kernel/endpoint.ts'
import { errorOf } from '../support/auth-calls.ts'
import { startRest } from '../support/rest.ts'

const test = suite('pages of other sites')

let acted = 0
const replies = { 200: { description: 'It is so.' } }
const call = (method: 'GET' | 'POST' | 'DELETE', access: 'public' | 'user') =>
  endpoint({
    method,
    path: `/api/${access}`,
    summary: 'A call',
    tag: 'Test',
    access,
    replies,
    handle: async () => {
      acted += 1
      return { status: 200, body: {} }
    },
  })

const OURS = 'https://ccx.example'
const ELSEWHERE = 'https://console.example'
let rest: Awaited<ReturnType<typeof startRest>>
test.before(async () => {
  const endpoints = [call('GET', 'user'), call('POST', 'user'), call('DELETE', 'user'), call('POST', 'public')]
  const principal = {
    kind: 'user', userId: 'u', login: 'u', isAdmin: false, ownerId: 'u', role: 'owner', ownerNamed: false,
  } as const
  rest = await startRest(endpoints, {
    publicUrl: `${OURS}/`,
    allowedOrigins: [ELSEWHERE],
    authenticate: async (header) => (header('cookie') === 'ccx-session=x' || header('authorization') ? principal : undefined),
  })
})
test.after(() => rest.close())

const status = async (method: string, path: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  (await rest.ask(method, path, { headers: { cookie: 'ccx-session=x', ...headers } })).status

test('cannot act with the cookie of whoever looks at them, nor sign him in as somebody else', async () => {
  acted = 0
  const foreign: readonly Readonly<Record<string, string>>[] = [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: 'https://other.ccx.example' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${OURS}.evil.example` },
    { origin: 'nonsense' },
  ]
  for (const headers of foreign) {
    for (const [method, path] of [['POST', '/api/user'], ['DELETE', '/api/user'], ['POST', '/api/public']] as const) {
      const answer = await rest.ask(method, path, { headers: { cookie: 'ccx-session=x', ...headers } })
      assert.is(answer.status, 403, JSON.stringify(headers))
      assert.match(errorOf(answer).type, 'cross-site')
    }
  }
  assert.is(acted, 0)
})

test('may read nothing that they could not read anyway, so reading is not refused', async () => {
  assert.is(await status('GET', '/api/user', { 'sec-fetch-site': 'cross-site' }), 200)
})

test('our own pages act, and those that the configuration names', async () => {
  assert.is(await status('POST', '/api/user', { 'sec-fetch-site': 'same-origin', origin: OURS }), 200)
  assert.is(await status('POST', '/api/user', { origin: OURS }), 200)
  assert.is(await status('POST', '/api/user', { origin: rest.url }), 200, 'by whatever name the browser called us')
  assert.is(await status('POST', '/api/user', { 'sec-fetch-site': 'cross-site', origin: ELSEWHERE }), 200)
})

test('programs act as they are, and a token from wherever', async () => {
  assert.is(await status('POST', '/api/user', {}), 200)
  assert.is(await status('POST', '/api/public', { 'user-agent': 'node' }), 200)
  const page = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  assert.is(await status('POST', '/api/user', { ...page, authorization: 'Bearer x' }), 200)
})

test.run()
