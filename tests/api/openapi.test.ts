import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { authEndpoints } from '../../command-handlers/auth/endpoints.ts'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { problems, problemsPage } from '../../infra/http/problems.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { startRest } from '../support/rest.ts'
import { openPersonalData } from '../support/personal-data.ts'

const docs = suite('the description of the API')

const unused = () => Promise.reject(new Error('BUG: nothing is called here'))
const ports = { now: () => noon, personal: openPersonalData, traceparent: () => undefined, store: memoryEventStore() }
const endpoints = [
  ...commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 }),
  ...authEndpoints({
    ...ports,
    secure: false,
    directory: {
      accountByLogin: unused, accountById: unused, clientById: unused, clientsOf: unused, clientsIn: unused,
      organisationsOf: unused,
    },
    credentials: {
      keep: unused, issue: unused, verify: unused, forget: unused, lastUsed: unused, set: unused, rotate: unused,
    },
    sessions: {
      open: unused, find: unused, end: unused, endAllOf: unused, listOf: unused, endOne: unused, endOthers: unused,
    },
    mailTokens: { issue: unused, accountOf: unused, spend: unused },
    throttle: { take: unused },
    outbox: { put: unused },
    registrationOpen: true,
    jwtIssuers: { verify: unused },
    jwtLogins: { claim: unused, standing: unused, end: unused },
    jwtSessionSeconds: 60,
    loginRedirectUrl: 'http://127.0.0.1',
    publicUrl: 'http://127.0.0.1',
    later: () => undefined,
    attempts: { begin: unused, succeed: unused },
  }),
]

const Operation = z.object({
  parameters: z.array(z.looseObject({ name: z.string().optional(), in: z.string().optional() })),
  requestBody: z.object({ content: z.record(z.string(), z.object({ schema: z.looseObject({}) })) }).optional(),
  responses: z.record(z.string(), z.looseObject({})),
})
const Document = z.object({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
})

docs('tells every endpoint, its parameters, its body and its replies', async () => {
  const rest = await startRest(endpoints)
  const { status, body } = await rest.ask('GET', '/api/docs/openapi.json')
  await rest.close()
  assert.is(status, 200)
  const { paths } = Document.parse(body)
  for (const { method, path, body: wanted, replies, bodyType } of endpoints) {
    const what = `${method} ${path}`
    const operation = paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
    assert.ok(operation, what)
    const inPath = operation?.parameters.filter((one) => one.in === 'path').map(({ name }) => name)
    assert.equal(
      inPath,
      [...path.matchAll(/:(\w+)/g)].map(([, name]) => name),
      what,
    )
    assert.equal(Object.keys(operation?.responses ?? {}), [...Object.keys(replies), 'default'], what)
    const type = bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
    assert.equal(Object.keys(operation?.requestBody?.content ?? {}), wanted === undefined ? [] : [type], what)
  }
  assert.is(Object.values(paths).flatMap((methods) => Object.keys(methods)).length, endpoints.length)
})

docs('tells a field as the one who sends it sees it: a version may be absent, null or text', async () => {
  const rest = await startRest(endpoints)
  const { body } = await rest.ask('GET', '/api/docs/openapi.json')
  await rest.close()
  const schema =
    Document.parse(body).paths['/api/prov/api/v2/cluster']?.['post']?.requestBody?.content['application/json']?.schema
  const General = z.object({
    properties: z.object({
      general: z.object({ required: z.array(z.string()), properties: z.record(z.string(), z.looseObject({})) }),
    }),
  })
  const { general } = General.parse(schema).properties
  assert.equal(general.required, ['cluster_name', 'cluster_size', 'db_vendor'])
  assert.equal(general.properties['db_version'], { anyOf: [{ type: 'string', maxLength: 128 }, { type: 'null' }] })
})

docs('can be read in a browser, with and without a slash, and loads nothing from elsewhere', async () => {
  const rest = await startRest(endpoints)
  for (const path of ['/api/docs', '/api/docs/']) {
    const { status, text, headers } = await rest.ask('GET', path)
    assert.is(status, 200)
    assert.match(headers.get('content-type') ?? '', /^text\/html/)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'/)
    assert.not.match(text, /https?:/)
    for (const [, asset] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      assert.is((await rest.ask('GET', asset ?? '')).status, 200, asset)
    }
  }
  await rest.close()
})

docs('has a page on problems that is the table of the code', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/problems.md'), 'utf8')
  assert.is(page, problemsPage(), 'run: node infra/http/write-problems.ts')
  for (const { status } of Object.values(problems)) assert.ok(status >= 400 && status < 600)
})

docs('has a page for every type of problem', async () => {
  const rest = await startRest(endpoints)
  const refused = await rest.ask('GET', '/api/prov')
  const { type } = z.object({ type: z.string() }).parse(refused.body)
  assert.equal((await rest.ask('GET', type)).body, { code: 'not-found', ...problems['not-found'] })
  assert.is((await rest.ask('GET', '/problems/constructor')).status, 404)
  await rest.close()
})

docs('cannot hold two endpoints of one method and path', async () => {
  const [first] = endpoints
  await startRest([...endpoints, ...(first === undefined ? [] : [first])]).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), /two endpoints are POST \/api\/prov/),
  )
})

docs.run()
