import { once } from 'node:events'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { endpoint, type Endpoint, type Request } from '../../domain/kernel/endpoint.ts'
import type { Position } from '../../domain/kernel/event-store.ts'
import { RevisionConflict } from '../../domain/kernel/event-store.ts'
import { basicGuard } from '../../infra/http/basic.ts'
import { httpServer } from '../../infra/http/server.ts'
import { keptLog } from '../support/log.ts'
import { principals, type Rest, startRest } from '../support/rest.ts'
import { until } from '../support/until.ts'

const transport = suite('the HTTP edge')

const seen: Request<unknown, unknown, unknown>[] = []
const waited: Position[] = []
let rest: Rest

const MACHINE = { username: 'machine', password: 'pass:word' }

const common = { summary: 'x', tag: 'x', access: 'user', replies: { 200: { description: 'x' } } } as const
const noted = async (request: Request<unknown, unknown, unknown>) => {
  seen.push(request)
  return { status: 200, body: {} }
}
const Thing = z.object({ name: z.string(), count: z.int().optional() })

const endpoints: readonly Endpoint[] = [
  endpoint({
    ...common,
    method: 'GET',
    path: '/api/things/:id',
    params: z.object({ id: z.string() }),
    handle: noted,
  }),
  endpoint({
    ...common,
    method: 'GET',
    path: '/api/things/defaults',
    handle: async () => ({ status: 200, body: { literal: true } }),
  }),
  endpoint({ ...common, method: 'PUT', path: '/api/things/:id', body: Thing, handle: noted }),
  endpoint({ ...common, method: 'DELETE', path: '/api/things/:id', body: Thing, handle: noted }),
  endpoint({
    ...common,
    method: 'GET',
    path: '/api/search',
    query: z.object({ limit: z.coerce.number().int().min(1).max(100).default(50), name: z.string().optional() }),
    handle: noted,
  }),
  endpoint({ ...common, method: 'GET', path: '/api/open', access: 'public', handle: noted }),
  endpoint({ ...common, method: 'GET', path: '/api/admin/only', access: 'admin', handle: noted }),
  endpoint({ ...common, method: 'GET', path: '/api/admin/machine', access: 'basic', handle: noted }),
  endpoint({ ...common, method: 'GET', path: '/api/admin/either', access: 'admin-or-basic', handle: noted }),
  endpoint({
    ...common,
    method: 'POST',
    path: '/api/form',
    bodyType: 'form',
    body: z.object({ a: z.string() }),
    handle: noted,
  }),
]

const last = () => seen.at(-1)
const errOf = (body: unknown): string => z.object({ err: z.string() }).parse(body).err

transport.before(async () => {
  rest = await startRest(endpoints, {
    isBasic: basicGuard(MACHINE),
    waitFor: async (position) => {
      waited.push(position)
      return false
    },
  })
})
transport.after(() => rest.close())

transport('reads JSON whatever the method and the content type say', async () => {
  for (const type of [undefined, 'application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense']) {
    for (const method of ['PUT', 'DELETE']) {
      const raw = new TextEncoder().encode('{"name":"a"}\n')
      const { status } = await rest.ask(method, '/api/things/1', {
        as: 'alice',
        raw,
        headers: type === undefined ? {} : { 'content-type': type },
      })
      assert.is(status, 200, `${method} with ${type}`)
      assert.equal(last()?.body, { name: 'a' })
    }
  }
})

transport('reads forms where forms are asked for', async () => {
  const { status } = await rest.ask('POST', '/api/form', { as: 'alice', raw: 'a=b%20c+d' })
  assert.is(status, 200)
  assert.equal(last()?.body, { a: 'b c d' })
})

transport('names the place of what is not JSON', async () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['{"name":abc}', /a value was expected at position 8 \(line 1, column 9\)/],
    ['{"name":"a"', /"," or "}" was expected at its end \(position 11\)/],
    ['{"name":"a",}', /a name in double quotes was expected at position 12/],
    ['{\n "name" "a"}', /":" was expected at position 10 \(line 2, column 9\)/],
    ['["a", 01]', /"," or "\]" was expected at position 7/],
    ['{"name":"a"} x', /nothing more was expected at position 13/],
    ['{"name":"a\u0001"}', /closing quote.* position 10/],
    [`"${'x'.repeat(500_000)}`, /at its end/],
    ['name=a', /a value was expected at position 0/],
  ]
  for (const [raw, message] of faults) {
    const { status, body } = await rest.ask('PUT', '/api/things/1', { as: 'alice', raw })
    assert.is(status, 400, raw.slice(0, 40))
    assert.match(errOf(body), message)
  }
})

transport('refuses what is too large, too deep, encoded, not UTF-8, or no text', async () => {
  const ask = async (raw: string | Uint8Array<ArrayBuffer>, headers: Readonly<Record<string, string>> = {}) =>
    (await rest.ask('PUT', '/api/things/1', { as: 'alice', raw, headers })).status
  assert.is(await ask(JSON.stringify({ name: 'x'.repeat(1024 * 1024) })), 413)
  assert.is(await ask('['.repeat(500_000)), 400)
  assert.is(await ask(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`), 400)
  assert.is(await ask('{"name":"a"}', { 'content-encoding': 'gzip' }), 415)
  assert.is(await ask(new Uint8Array([0x22, 0xff, 0xfe, 0x22])), 400)
  assert.is(await ask('{"name":"a\\u0000b"}'), 400)
  assert.is(await ask('{"name":"\\ud800"}'), 400)
  assert.is(await ask('{"name":"grüße 🐘 ‮","x\\u0000":1}'), 400)
  assert.is(await ask('{"name":"grüße 🐘"}'), 200)
})

transport('wrong types are refused by field, and strange keys change nothing', async () => {
  const wrong = await rest.ask('PUT', '/api/things/1', { as: 'alice', body: { name: 7, count: 1.5 } })
  assert.is(wrong.status, 400)
  assert.equal(z.object({ field: z.string(), type: z.string() }).parse(wrong.body), {
    field: 'name',
    type: '/problems/malformed-request',
  })
  for (const body of [undefined, null, [], 'text', 7, true]) {
    const { status } = await rest.ask('PUT', '/api/things/1', { as: 'alice', body })
    assert.is(status, 400, JSON.stringify(body))
  }
  const raw = '{"name":"a","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
  assert.is((await rest.ask('PUT', '/api/things/1', { as: 'alice', raw })).status, 200)
  assert.equal(last()?.body, { name: 'a' })
  assert.is(Reflect.get({}, 'polluted'), undefined)
})

transport('the query is checked as the body is', async () => {
  for (const query of [
    'limit=0',
    'limit=x',
    'limit=1&limit=2',
    'name=%00',
    'limit=1e99',
    'limit[]=1&name=a&name=b',
  ]) {
    assert.is((await rest.ask('GET', `/api/search?${query}`, { as: 'alice' })).status, 400, query)
  }
  assert.is((await rest.ask('GET', '/api/search?__proto__=1&name=%ff%zz&other', { as: 'alice' })).status, 200)
  assert.equal(last()?.query, { limit: 50, name: '\ufffd%zz' })
})

transport('what is not there is 404, and a wrong method 405 with those that are', async () => {
  for (const path of [
    '/api/nothing',
    '/api/things/1/',
    '/API/things/1',
    '/',
    '/api',
    '/api//things/1',
    '/api/%zz',
    '/api/things',
  ]) {
    assert.is((await rest.ask('GET', path, { as: 'alice' })).status, 404, path)
  }
  const { status, headers } = await rest.ask('PATCH', '/api/things/1', { as: 'alice' })
  assert.is(status, 405)
  assert.is(headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS, PUT')
  assert.is((await rest.ask('OPTIONS', '/api/things/1')).status, 200)
})

transport('strange ids are only ids', async () => {
  for (const id of ['..%2f..%2fetc', '%00', '%f0%9f%90%98', "1'--", 'x'.repeat(8000), '%E0%A4%A', 'constructor']) {
    const { status } = await rest.ask('GET', `/api/things/${id}`, { as: 'alice' })
    assert.ok(status === 200 || status === 400 || status === 404, `${id.slice(0, 20)}: ${status}`)
  }
})

transport('a literal path goes before a pattern, whatever the order they were given in', async () => {
  assert.equal((await rest.ask('GET', '/api/things/defaults', { as: 'alice' })).body, { literal: true })
})

transport('HEAD answers as GET does, without a body', async () => {
  const { status, text, headers } = await rest.ask('HEAD', '/api/open')
  assert.equal([status, text, headers.get('content-length')], [200, '', '2'])
})

transport('nobody is let in without a session or token, and only operators where operators belong', async () => {
  assert.is((await rest.ask('GET', '/api/search')).status, 401)
  assert.is((await rest.ask('GET', '/api/search', { as: 'mallory' })).status, 401)
  assert.is((await rest.ask('GET', '/api/open')).status, 200)
  assert.is((await rest.ask('GET', '/api/admin/only', { as: 'alice' })).status, 403)
  assert.is((await rest.ask('GET', '/api/admin/only', { as: 'olga' })).status, 200)
})

transport('the machine account of operators comes by HTTP Basic, and only where it is let in', async () => {
  const basic = (text: string) => ({ headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
  const status = async (path: string, options: Parameters<Rest['ask']>[2]) => (await rest.ask('GET', path, options)).status
  const right = basic(`${MACHINE.username}:${MACHINE.password}`)
  for (const wrong of [basic('machine:wrong'), basic('machine'), basic(''), { headers: { authorization: 'Basic %' } }, {}]) {
    const answer = await rest.ask('GET', '/api/admin/machine', wrong)
    assert.is(answer.status, 401)
    assert.is(answer.headers.get('www-authenticate'), 'Basic realm=Restricted')
  }
  assert.is(await status('/api/admin/machine', right), 200)
  assert.is(await status('/api/admin/machine', { as: 'olga' }), 401)
  assert.is(await status('/api/admin/either', right), 200)
  assert.is(await status('/api/admin/either', { as: 'olga' }), 200)
  assert.is(await status('/api/admin/either', { as: 'alice' }), 403)
  assert.is(await status('/api/admin/either', basic('machine:wrong')), 401)
  assert.is(await status('/api/admin/only', right), 401)
  assert.is(await status('/api/search', right), 401)
})

transport('where no machine account is set up, nobody is it', async () => {
  const guard = basicGuard(undefined)
  assert.is(guard((name) => (name === 'authorization' ? 'Basic Og==' : undefined)), false)
})

transport('CCX-Owner names a scope of the one who asks, or is refused', async () => {
  const ask = async (owner: string, as = 'alice') =>
    (await rest.ask('GET', '/api/search', { as, headers: { 'ccx-owner': owner } })).status
  assert.is(await ask(`user:${principals.alice.userId}`), 200)
  assert.is(last()?.principal.ownerNamed, true)
  assert.is(await ask(`user:${principals.bob.userId}`), 403)
  assert.is(await ask(`org:${principals.alice.userId}`), 403)
  assert.is(await ask(`admin-user:${principals.alice.userId}`), 403)
  assert.is(await ask(`admin-user:${principals.olga.userId}`, 'olga'), 200)
  for (const malformed of ['user', 'user:', 'user:1', `team:${principals.alice.userId}`, 'x'.repeat(5000)]) {
    assert.is(await ask(malformed), 400, malformed.slice(0, 50))
  }
})

transport(
  'CCX-Position holds a query until the read models have it, and the query is answered all the same',
  async () => {
    const ask = async (position: string) =>
      (await rest.ask('GET', '/api/search', { as: 'alice', headers: { 'ccx-position': position } })).status
    assert.is(await ask('120/118'), 200)
    assert.equal(waited.at(-1), { commit: 120n, prepare: 118n })
    for (const malformed of ['x', '1', '-1/2', '1/2/3', '9999999999999999999/1'])
      assert.is(await ask(malformed), 400, malformed)
  },
)

transport('an answer that goes on ends when its reader is no member of the organisation any more', async () => {
  let isMember = true
  const organisationId = '0d000000-0000-4000-8000-000000000004'
  const chunks = async function* (signal: AbortSignal): AsyncGenerator<string> {
    yield 'begun'
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  }
  const goesOn = endpoint({
    ...common,
    method: 'GET',
    path: '/api/goes-on',
    replies: { 200: { description: 'x', types: ['text/plain'] } },
    handle: async ({ signal }) => ({ status: 200, stream: { type: 'text/plain', chunks: chunks(signal) } }),
  })
  const own = await startRest([goesOn], { roleIn: async () => (isMember ? 'viewer' : undefined), stillHereEveryMs: 20 })
  const headers = { authorization: 'Bearer alice', 'ccx-owner': `org:${organisationId}` }
  const { body } = await fetch(`${own.url}/api/goes-on`, { headers })
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.is((await reader?.read())?.value, 'begun')
  isMember = false
  assert.is((await reader?.read().catch(() => ({ done: true })))?.done, true)
  await own.close()
})

transport('a request keeps the id that it came with, if that is one', async () => {
  const ask = async (id: string) =>
    (await rest.ask('GET', '/api/open', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
  assert.is(await ask('req-7'), 'req-7')
  assert.match((await ask('two words')) ?? '', /^[0-9a-f-]{36}$/)
})

transport('what is not HTTP is told so', async () => {
  const { hostname, port } = new URL(rest.url)
  for (const bytes of [
    'BREW /pot HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
    'nonsense\r\n\r\n',
  ]) {
    const socket = connect(Number(port), hostname)
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.write(bytes)
    await once(socket, 'close')
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 400 /)
  }
})

const failing = (error: () => Error): Endpoint =>
  endpoint({ ...common, access: 'public', method: 'GET', path: '/api/fails', handle: () => Promise.reject(error()) })

const served = async (endpointUnderTest: Endpoint, handleTimeoutMs?: number) => {
  const { log, lines } = keptLog()
  const server = await httpServer({
    endpoints: [endpointUnderTest],
    authenticate: async () => undefined,
    waitFor: async () => true,
    ready: async () => ({ ready: true, checks: { store: 'ok' } }),
    metricsHandler: (_, response) => void response.end('# metrics\n'),
    observe: () => undefined,
    log,
    host: '127.0.0.1',
    port: 0,
    publicUrl: 'https://ccx.example.com',
    ...(handleTimeoutMs === undefined ? {} : { handleTimeoutMs }),
  })
  return { server, lines }
}

transport('an unforeseen error tells nothing of our insides, and all of them to the log', async () => {
  const { server, lines } = await served(
    failing(() => new Error('table accounts', { cause: new Error('disk /dev/sda1') })),
  )
  const response = await fetch(`${server.url}/api/fails`)
  const text = await response.text()
  await server.close()
  assert.is(response.status, 500)
  assert.not.match(text, /accounts|sda1|Error|stack/)
  assert.is(response.headers.get('strict-transport-security'), 'max-age=31536000')
  assert.ok(lines.some((line) => line.includes('table accounts') && line.includes('disk /dev/sda1')))
})

transport(
  'a stream that does not settle is 503 with a time to come back, and so is what takes too long',
  async () => {
    const unsettled = await served(failing(() => new RevisionConflict('moved on')))
    const first = await fetch(`${unsettled.server.url}/api/fails`)
    await unsettled.server.close()
    assert.equal([first.status, first.headers.get('retry-after')], [503, '1'])

    const forever = new Promise<never>(() => undefined)
    const slow = await served(
      endpoint({ ...common, access: 'public', method: 'GET', path: '/api/fails', handle: () => forever }),
      20,
    )
    const second = await fetch(`${slow.server.url}/api/fails`)
    await slow.server.close()
    assert.is(second.status, 503)
  },
)

transport('closing lets what runs come to its end, and takes nothing more', async () => {
  let finish: () => void = () => undefined
  let running = false
  const { server } = await served(
    endpoint({
      ...common,
      access: 'public',
      method: 'GET',
      path: '/api/fails',
      handle: async () => {
        running = true
        await new Promise<void>((resolve) => (finish = resolve))
        return { status: 200, body: { done: true } }
      },
    }),
  )
  const answered = fetch(`${server.url}/api/fails`)
  await until(() => running, { withinMs: 5_000, what: 'the request running' })
  const closed = server.close()
  await fetch(`${server.url}/healthz`).then(
    () => assert.unreachable(),
    () => undefined,
  )
  finish()
  assert.equal(await (await answered).json(), { done: true })
  await closed
})

transport('health, readiness and metrics are served beside the API', async () => {
  const { server } = await served(failing(() => new Error('x')))
  const texts = await Promise.all(
    ['/healthz', '/readyz', '/metrics'].map(async (path) => (await fetch(`${server.url}${path}`)).text()),
  )
  await server.close()
  assert.equal(texts, ['{"status":"ok"}', '{"ready":true,"checks":{"store":"ok"}}', '# metrics\n'])
})

transport.run()
