// limit: 600 s
import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { create, jobsOf, nodesOf, order, started } from '../support/datastores.ts'
import { type DescribedCall, describedCalls, exampleOf } from '../support/described-calls.ts'
import { HOSTILE_IDS, HOSTILE_TEXTS, payloadsOf } from '../support/hostile.ts'
import { type Got, type Sent, sent, together } from '../support/hostile-client.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'

// Every call that the description of the API knows is found here by itself: a new one needs a line in `idOf` at most.
const test = suite('an API that is asked everything')

const WIDTH = 6
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const UNKNOWN = '4f1c2a9e-0000-4000-8000-00000000abcd'
const OTHER_UNKNOWN = '7e1c2a9e-0000-4000-8000-00000000dcba'

let instance: RunningInstance
let calls: readonly DescribedCall[]
const Created = z.object({ uuid: z.uuid() })

type Person = { readonly login: string; readonly cookie: () => Promise<string> }

/** Someone who signs in again whenever what he sent has signed him out. */
const person = async (): Promise<Person> => {
  const login = `p-${randomBytes(6).toString('hex')}@people.test`
  const printed = await instance.ccx('user', 'add', login)
  const password = /^password: (\S+)$/m.exec(printed)?.[1] ?? ''
  let cookie = ''
  return {
    login,
    cookie: async () => {
      const headers = { Cookie: cookie }
      if (cookie !== '' && (await sent(base(), { method: 'GET', path: '/api/auth/check', headers })).status === 200) return cookie
      const response = await fetch(`${base()}/api/v2/auth/login`, { method: 'POST', body: JSON.stringify({ login, password }) })
      assert.is(response.status, 200, `${login} cannot sign in any more`)
      await response.body?.cancel()
      cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
      return cookie
    },
  }
}

const base = (): string => instance.url

test.before(async () => {
  // What is refused for its rate has not been tried.
  const unlimited = { RATE_LIMIT_USER: 'off', RATE_LIMIT_ADDRESS: 'off', RATE_LIMIT_SIGN_IN: 'off' }
  const settings = { WEBHOOK_ALLOW_HTTP: 'true', WEBHOOK_ALLOWED_TARGETS: '127.0.0.0/8', ...unlimited }
  instance = await startInstance({ separate: false, settings })
  const { body } = await instance.api('/api/docs/openapi.json')
  calls = describedCalls(body)
})
test.after(() => instance?.down())

const pathOf = ({ path }: DescribedCall, idFor: (name: string) => string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => idFor(name))

const patternOf = (path: string): RegExp => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)

/** What may be sent although it does something: bodies that are wrong, and ids that nothing has. */
function* requestsFor(call: DescribedCall): Generator<Sent> {
  const { method, params, query } = call
  const unknown = pathOf(call, () => UNKNOWN)
  for (const name of params) {
    for (const id of HOSTILE_IDS) yield { method, path: pathOf(call, (one) => (one === name ? id : UNKNOWN)) }
  }
  for (const { name } of query) {
    for (const text of HOSTILE_TEXTS) yield { method, path: `${unknown}?${name}=${text}` }
    yield { method, path: `${unknown}?${name}=1&${name}=2` }
  }
  yield { method, path: `${unknown}?zzz=1&__proto__=x&constructor=y` }
  for (const owner of ['user:', 'org:x', `org:${UNKNOWN}`, 'admin-user:1', '\u00ff', 'x'.repeat(3_000)]) {
    yield { method, path: unknown, headers: { 'CCX-Owner': owner } }
  }
  for (const key of ['', 'x'.repeat(300), '\u00e9']) yield { method, path: unknown, headers: { 'Idempotency-Key': key } }
  yield { method, path: unknown, headers: { 'CCX-Position': '99999999999999999999/1' } }
  if (method === 'GET') return
  // With no id in its path and no body, it would only do what it is for.
  if (call.body === undefined && params.length === 0) return
  for (const payload of payloadsOf(call)) yield { method, path: unknown, payload }
}

const Problem = z.object({ code: z.int(), err: z.string().min(1), error: z.string().min(1) })

/** What holds for every answer. */
const check = ({ method, path, payload }: Sent, { status, type, text }: Got): void => {
  const asked = `${method} ${path.slice(0, 120)} ${payload?.text.slice(0, 120) ?? ''}`
  const what = `${asked} is answered with ${status}: ${text.slice(0, 200)}`
  assert.ok(status < 500, what)
  if (status < 400) return
  assert.match(type, /^application\/json/, what)
  assert.is(Problem.parse(JSON.parse(text)).code, status, what)
  assert.not.match(text, /\bat .+\.ts:\d+|node_modules|ECONNREFUSED|select .+ from/i, what)
}

test('answers whatever is sent with less than 500, in time, and what it refuses changes nothing', async () => {
  const mallory = await person()
  const refused = new Set<string>()
  let count = 0
  for (const call of calls) {
    const cookie = call.isPublic ? '' : await mallory.cookie()
    await together(requestsFor(call), WIDTH, async (request) => {
      const got = await sent(base(), { ...request, headers: { Cookie: cookie, ...request.headers } })
      check(request, got)
      if (got.status >= 400) refused.add(got.requestId)
      count += 1
    })
  }
  assert.ok(count > 50 * calls.length, `${count} requests for ${calls.length} calls`)
  const store = esdbEventStore({ connectionString: instance.config.eventStoreUrl })
  try {
    const log = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: 1_000_000 })
    assert.ok(log.length > 0)
    const traces = log.filter(({ metadata }) => refused.has(metadata.requestId ?? ''))
    assert.equal(traces.map(({ stream, type }) => `${stream} ${type}`), [], 'no event names a request that was refused')
  } finally {
    await store.close()
  }
})

test('takes no method where it is not offered, and knows no path that it does not tell of', async () => {
  const cookie = await (await person()).cookie()
  const offered = Map.groupBy(calls, ({ path }) => path)
  for (const [path, own] of offered) {
    for (const method of METHODS.filter((one) => !own.some((call) => call.method === one))) {
      // A literal may be where another path has an id.
      const isOffered = calls.some((call) => call.method === method && patternOf(call.path).test(path))
      if (isOffered) continue
      const request = { method, path: path.replaceAll(/\{\w+\}/g, UNKNOWN), headers: { Cookie: cookie } }
      const got = await sent(base(), request)
      check(request, got)
      assert.is(got.status, 405, `${method} ${path}`)
    }
    for (const beyond of [`${path}/`, `${path}/zzz/zzz/zzz`, path.toUpperCase()]) {
      const request = { method: 'GET', path: beyond.replaceAll(/\{\w+\}/gi, UNKNOWN), headers: { Cookie: cookie } }
      assert.is((await sent(base(), request)).status, 404, beyond)
    }
  }
})

test('asks who it is before anything else', async () => {
  for (const call of calls.filter(({ isPublic }) => !isPublic)) {
    for (const headers of [{}, { Cookie: 'ccx-session=x' }, { Authorization: 'Bearer x' }, { Authorization: 'Basic x' }]) {
      const got = await sent(base(), { method: call.method, path: pathOf(call, () => UNKNOWN), headers })
      assert.is(got.status, 401, `${call.method} ${call.path}: ${got.status} ${got.text}`)
    }
  }
})

const neededQueryOf = ({ query }: DescribedCall): string => {
  const needed = query.filter(({ required }) => required)
  const pairs = needed.map(({ name, schema }): [string, string] => [name, z.string().catch('1').parse(exampleOf(schema))])
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}

/** What alice has, by where its id goes in a path. */
type Things = readonly { readonly at: RegExp; readonly name: string; readonly id: string }[]

const idOf = (things: Things, path: string, name: string): string => {
  const thing = things.find((one) => one.name === name && one.at.test(path))
  if (thing === undefined) throw new Error(`BUG: tell what {${name}} of ${path} is the id of`)
  return thing.id
}

type Ask = RunningInstance['api']

/** One of everything that somebody can have. */
const everythingOf = async (api: Ask): Promise<Things> => {
  const { uuid } = Created.parse((await create(api, order({ name: 'mine', size: 1 }))).body)
  await started(api, uuid)
  const [node] = await nodesOf(api, uuid)
  const [job] = (await jobsOf(api, uuid)).jobs
  const made = async (path: string, json: z.core.util.JSONType, name = 'id'): Promise<string> => {
    const { status, body } = await api(path, { method: 'POST', json })
    assert.ok(status < 300, `${path}: ${status} ${JSON.stringify(body)}`)
    return z.record(z.string(), z.json()).transform((members) => z.string().parse(members[name])).parse(body)
  }
  const webhook = await made('/api/v1/webhooks', { url: 'http://127.0.0.1:9911/hook' })
  const client = await made('/api/v2/auth/oauth2/clients', { name: 'c', expires_at: null }, 'client_id')
  const organisation = await made('/api/v1/organisations', { name: 'us' })
  const group = await made('/api/db-configuration/v1/parameter-groups', {
    name: 'mine', database_vendor: 'postgres', database_version: '15', parameters: { log_statement: 'ddl' },
  }, 'uuid')
  const invitation = { email: 'guest@people.test', role: 'viewer' }
  const { body: me } = await api('/api/auth/check')
  const { body: own } = await api('/api/v1/sessions')
  const [session] = z.object({ sessions: z.array(z.object({ id: z.string() })) }).parse(own).sessions
  const anywhere = /^/
  return [
    { at: /\/parameter-groups\//, name: 'uuid', id: group },
    { at: anywhere, name: 'group', id: group },
    { at: anywhere, name: 'uuid', id: uuid },
    { at: anywhere, name: 'store', id: uuid },
    { at: anywhere, name: 'store_id', id: uuid },
    { at: anywhere, name: 'host', id: node?.host_uuid ?? '' },
    { at: anywhere, name: 'jobId', id: job?.job_id ?? '' },
    { at: anywhere, name: 'eventId', id: UNKNOWN },
    { at: anywhere, name: 'session_id', id: session?.id ?? '' },
    { at: anywhere, name: 'client_id', id: client },
    { at: /^\/api\/vpc/, name: 'id', id: UNKNOWN },
    { at: /^\/api\/v1\/webhooks/, name: 'id', id: webhook },
    { at: /^\/api\/v1\/organisations/, name: 'id', id: organisation },
    { at: anywhere, name: 'iid', id: await made(`/api/v1/organisations/${organisation}/invitations`, invitation) },
    { at: anywhere, name: 'userId', id: z.object({ id: z.string() }).parse(me).id },
  ]
}

test('shows nobody what is another’s, and gives no hint that there is such a thing', async () => {
  const alice = await person()
  const aliceApi = async (path: string, asking: Parameters<RunningInstance['api']>[1] = {}) =>
    instance.api(path, { ...asking, headers: { ...asking.headers, Cookie: await alice.cookie() } })
  const things = await everythingOf(aliceApi)
  const eve = await person()
  // A token is no id: whoever has it may use it.
  const isFor = ({ params, isPublic, path }: DescribedCall): boolean =>
    params.length > 0 && !params.includes('token') && !isPublic && !path.startsWith('/api/admin')
  const concerning = calls.filter(isFor)
  assert.ok(concerning.length > 20)
  for (const call of concerning) {
    const text = call.body === undefined ? undefined : JSON.stringify(exampleOf(call.body))
    const payload = text === undefined ? undefined : { text, type: 'application/json' }
    const headers = { Cookie: await eve.cookie() }
    const ask = (idFor: (name: string) => string) =>
      sent(base(), { method: call.method, path: `${pathOf(call, idFor)}${neededQueryOf(call)}`, payload, headers })
    const hers = await ask((name) => idOf(things, call.path, name))
    const nobodys = await ask(() => OTHER_UNKNOWN)
    const what = `${call.method} ${call.path}: ${hers.status} ${hers.text.slice(0, 200)}`
    // What the description cannot say of a value is found out before what it is about.
    const isGuessed = call.body !== undefined || neededQueryOf(call) !== ''
    assert.ok(hers.status === 404 || (isGuessed && hers.status === 400), what)
    const plain = ({ text }: Got): string =>
      [...things.map(({ id }) => id), OTHER_UNKNOWN].reduce((all, id) => all.replaceAll(id, '<id>'), text)
    assert.equal([hers.status, plain(hers)], [nobodys.status, plain(nobodys)], what)
  }
})

test.run()
