import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { PREFIXES } from '../../projections/known-event.ts'
import { until } from '../support/until.ts'
import { fail, startReceiver } from '../support/webhook-receiver.ts'
import { startWebhooks } from '../support/webhook-scene.ts'

// Every answer is checked by the scene's server: its form, and that the endpoint documents it.
const test = suite('webhooks over REST')

const PATH = '/api/v1/webhooks'
const URL = 'https://203-0-113-7.example/hook?token=canary-in-an-address'
const RESOLVED = [{ address: '8.8.8.8', family: 4 }]
const scene = await startWebhooks({
  rules: {
    allowHttp: true,
    resolve: async (host) => {
      if (host.endsWith('.internal')) return [{ address: '10.0.0.5', family: 4 }]
      if (host.endsWith('.example')) return RESOLVED
      throw new Error('no such name')
    },
  },
})
const { rest, asAlice } = scene

const Created = z.object({ id: z.uuid(), url: z.string(), description: z.string().nullable(), secret: z.string() })
const Problem = z.object({ type: z.string() })
const List = z.object({ webhooks: z.array(z.looseObject({ id: z.string(), url: z.string() })) })
const create = async (more: object = {}, key?: string) => {
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
  const answer = await rest.ask('POST', PATH, { as: 'alice', body: { url: URL, ...more }, headers })
  assert.is(answer.status, 201, answer.text)
  return Created.parse(answer.body)
}
const problemOf = (body: unknown) => Problem.parse(body).type.replace('/problems/', '')
const listed = async (as = 'alice') => List.parse((await rest.ask('GET', PATH, { as })).body).webhooks

test.after.each(async () => {
  for (const { id } of await listed()) await asAlice('DELETE', `/${id}`)
})
test.after(scene.close)

test('a webhook is made, read, listed, changed and deleted by its owner', async () => {
  const types = ['dev.ccx.job.*']
  const { id } = await create({ description: ' mine ', types })
  const { body } = await asAlice('GET', `/${id}`)
  const expected = { id, url: URL, description: 'mine', types, subjects: [], status: 'active', paused_because: null }
  assert.equal(z.object({}).loose().parse(body), { ...z.record(z.string(), z.json()).parse(body), ...expected })
  assert.equal((await listed()).map(({ id }) => id), [id])
  assert.is((await asAlice('PATCH', `/${id}`, { description: null, subjects: ['jobs/x'] })).status, 200)
  const changed = z.looseObject({}).parse((await asAlice('GET', `/${id}`)).body)
  assert.equal([changed['description'], changed['types'], changed['subjects'], changed['url']], [null, types, ['jobs/x'], URL])
  assert.is((await asAlice('DELETE', `/${id}`)).status, 204)
  assert.is((await asAlice('GET', `/${id}`)).status, 404)
  assert.equal(await listed(), [])
})

test('another\'s webhook does not exist, whatever is asked of it', async () => {
  const { id } = await create()
  const calls = [
    ['GET', ''], ['PATCH', ''], ['DELETE', ''], ['POST', '/pause'], ['POST', '/resume'], ['POST', '/rotate-secret'],
    ['POST', '/test'], ['POST', '/replay?from=start'], ['GET', '/deliveries'], ['GET', '/dead-letters'],
    ['POST', '/dead-letters/0a000000-0000-4000-8000-000000000009/replay'],
  ] as const
  for (const [method, path] of calls) {
    const asked = { as: 'bob', ...(method === 'PATCH' ? { body: { description: 'x' } } : {}) }
    const { status, body } = await rest.ask(method, `${PATH}/${id}${path}`, asked)
    assert.equal([status, problemOf(body)], [404, 'webhook-not-found'], `${method} ${path}`)
    assert.is((await rest.ask(method, `${PATH}/${id}${path}`)).status, 401)
  }
  assert.equal(await listed('bob'), [])
  assert.is((await listed()).length, 1)
})

test('an address that must not be sent to is refused when it is named, and when it is changed', async () => {
  const { id } = await create()
  const bad = [
    'http://127.0.0.1@evil.example/', 'https://10.0.0.1/', 'https://169.254.169.254/latest/meta-data', 'https://[::1]/',
    'https://db.internal/', 'https://nowhere.invalid/', 'https://user:secret@ok.example/', 'https://ok.example:25/',
    'ftp://ok.example/',
  ]
  for (const url of bad) {
    for (const { status, body } of [await asAlice('POST', '', { url }), await asAlice('PATCH', `/${id}`, { url })]) {
      assert.equal([status, problemOf(body)], [400, 'webhook-target-refused'], url)
    }
  }
  assert.is((await listed()).length, 1)
})

test('filters that fit nothing are refused', async () => {
  const { status, body } = await asAlice('POST', '', { url: URL, types: ['**'] })
  assert.equal([status, problemOf(body)], [400, 'malformed-filter'])
})

test('an organisation has twenty webhooks at most', async () => {
  for (let n = 0; n < 20; n++) await create()
  const { status, body } = await asAlice('POST', '', { url: URL })
  assert.equal([status, problemOf(body)], [422, 'webhook-limit-reached'])
})

test('the same request makes one webhook, and tells its secret again to whoever has the key', async () => {
  const first = await create({}, 'my-hook')
  assert.equal(await create({}, 'my-hook'), first)
  assert.is((await listed()).length, 1)
  const headers = { 'idempotency-key': 'my-hook' }
  const other = await rest.ask('POST', PATH, { as: 'alice', body: { url: `${URL}2` }, headers })
  assert.equal([other.status, problemOf(other.body)], [422, 'idempotency-key-reused'])
})

test('the same request tells no secret of a webhook that was deleted since', async () => {
  const { id } = await create({}, 'short-lived')
  await asAlice('DELETE', `/${id}`)
  const headers = { 'idempotency-key': 'short-lived' }
  const again = await rest.ask('POST', PATH, { as: 'alice', body: { url: URL }, headers })
  assert.equal([again.status, problemOf(again.body)], [404, 'webhook-not-found'])
})

test('neither the secret nor the address nor the description is anywhere in the log or the tables as it is', async () => {
  const { id, secret } = await create({ description: 'canary-in-a-description' }, 'canary')
  const rotated = z.object({ secret: z.string() }).parse((await asAlice('POST', `/${id}/rotate-secret`)).body)
  const events = await scene.store.readAll({ after: 'start', prefixes: [...PREFIXES, 'request-'], limit: 10_000 })
  const { rows: tables } = await scene.pool.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname !~ '^(pg_|information_schema)'",
  )
  const log = JSON.stringify(events, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  const texts = [log, ...scene.lines]
  for (const { name } of tables) {
    const { rows } = await scene.pool.query<{ row: string }>(`select t::text as row from ${name} t`)
    texts.push(...rows.map(({ row }) => row))
  }
  const all = texts.join('\n')
  assert.ok(all.includes(id))
  for (const canary of ['canary-in-an-address', 'canary-in-a-description', secret, rotated.secret]) {
    assert.not(all.includes(canary.replace('whsec_', '')), canary)
  }
})

test('events say who asked, and for whom', async () => {
  const { id } = await create()
  await asAlice('POST', `/${id}/pause`)
  const { events } = await scene.store.read(`webhook-${id}`)
  assert.equal(events.map(({ type, metadata }) => [type, metadata.actor.kind, metadata.organisationId]), [
    ['WebhookCreated', 'user', '0a000000-0000-4000-8000-000000000001'],
    ['WebhookPaused', 'user', '0a000000-0000-4000-8000-000000000001'],
  ])
})

test('the log of deliveries is read newest first, part by part, and shows what the endpoint answered', async () => {
  const sending = scene.startSender()
  const receiver = await startReceiver(fail)
  try {
    const { id } = await create({ url: receiver.url })
    for (let n = 1; n <= 5; n++) {
      await asAlice('POST', `/${id}/test`)
      await until(async () => (await scene.deliveries(id)).length === n, { withinMs: 20_000 })
    }
    const Page = z.object({
      deliveries: z.array(z.looseObject({ event_id: z.string(), response: z.string().nullable() })),
      cursor: z.string().nullable(),
    })
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const asked: string = `/${id}/deliveries?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`
      const page = Page.parse((await asAlice('GET', asked)).body)
      for (const { response } of page.deliveries) assert.is(response, 'no')
      seen.push(...page.deliveries.map(({ event_id }) => event_id))
      cursor = page.cursor
    }
    assert.equal(seen, receiver.ids().toReversed())
    const { rows } = await scene.pool.query<{ response_head: string }>('select response_head from webhooks.attempt')
    assert.ok(rows.every(({ response_head: head }) => head.startsWith('sealed:')))
  } finally {
    await sending.stop()
    await receiver.close()
  }
})

test('hostile input makes no more than a refusal', async () => {
  const { id } = await create()
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('\u0000', '\ud800', 'x'.repeat(5_000), URL))
  const body = fc.oneof(value, fc.record({ url: value, description: value, types: value, subjects: value }, { requiredKeys: [] }))
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom('POST', 'PATCH'), async (wanted, method) => {
      const { status } = await asAlice(method, method === 'PATCH' ? `/${id}` : '', wanted)
      assert.ok([200, 201, 400, 422].includes(status), `${status}`)
    }),
    { numRuns: 150 },
  )
  const text = fc.string({ unit: 'binary', maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(text, text, async (one, other) => {
      const [a, b] = [encodeURIComponent(one.toWellFormed()), encodeURIComponent(other.toWellFormed())]
      for (const path of [`/${a || 'x'}`, `/${id}/deliveries?cursor=${a}&limit=${b}`, `/${id}/dead-letters?cursor=${a}`]) {
        assert.ok((await asAlice('GET', path)).status < 500)
      }
      assert.ok((await asAlice('POST', `/${id}/replay?from=${a}`)).status < 500)
    }),
    { numRuns: 60 },
  )
})

test.run()
