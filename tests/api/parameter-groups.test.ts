import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import type { Position } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { readApi } from '../../read-api/index.ts'
import { sagas } from '../../sagas/index.ts'
import { startAudit } from '../support/audit.ts'
import { carryOut } from '../support/carry-out.ts'
import { pastIn } from '../support/past.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { type Answer, startRest } from '../support/rest.ts'

const test = suite('the calls about parameters')

const WAIT_MS = 20_000
const CONFIGURATION = '/api/db-configuration/v1'
const GROUPS = `${CONFIGURATION}/parameter-groups`
const STORES = '/api/deployment/v3/data-stores'

const catalogue = readCatalogue()
const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'parameters_api')
const store = memoryEventStore()
const position = readPosition({ url: readStore.url })
const projector = startProjector(store, readStore)
const audit = await startAudit(store, readStore)
const now = () => new Date().toISOString()
const personal = openPersonalData
const endpoints = [
  ...commandEndpoints({
    store, catalogue, sagas, domain: 'ccx.test', ttlSeconds: 15, now, personal, traceparent: () => undefined,
  }),
  ...readApi({
    db: readStore.db, catalogue, personal, history: pastIn(store, readStore, audit, now), version: '0.0.1',
    openAuthority: async () => 'the certificate',
    openPassword: async () => 'S3cret',
  }),
]
await projector.caughtUp
const waitFor = (wanted: Position) => position.waitFor(wanted, WAIT_MS)
const rest = await startRest(endpoints, { waitFor, readYourWritesMs: WAIT_MS })
test.after(async () => {
  await rest.close()
  await projector.stop()
  await audit.stop()
  await position.close()
  await readStore.close()
  await server.stop()
})

const Fields = z.record(z.string(), z.json())
const Made = z.object({ uuid: z.uuid(), db_parameters: z.record(z.string(), z.string()) })
const Taken = z.object({ job_id: z.uuid() })
const Problem = z.object({ type: z.string(), error: z.string() })
const Synced = z.object({ jobs: z.array(z.object({ datastore_uuid: z.uuid(), job_id: z.uuid() })) })
const Users = z.object({ datastores: z.array(z.object({ uuid: z.uuid(), status: z.string(), error: z.string() })) })
const Listed = z.object({
  pagination: z.object({ page: z.int(), page_size: z.int(), total: z.int() }),
  parameter_groups: z.array(Users.extend({ uuid: z.uuid(), name: z.string(), db_parameters: z.undefined().optional() })),
})
const Parameters = z.object({
  parameters: z.record(z.string(), z.object({ value: z.string(), default_value: z.string() })),
  status: z.string(),
  error: z.string(),
  parameter_group_id: z.uuid().nullable(),
})

const ask = (method: string, path: string, body?: unknown, as = 'alice', headers = {}): Promise<Answer> =>
  rest.ask(method, path, { as, headers, ...(body === undefined ? {} : { body }) })

const create = async (name: string, parameters: object = {}): Promise<string> => {
  const body = { name, database_vendor: 'postgres', database_version: '15', database_type: 'postgres_streaming', parameters }
  const answer = await ask('POST', GROUPS, body)
  assert.is(answer.status, 201, answer.text)
  return Made.parse(answer.body).uuid
}
const refused = async (work: Promise<Answer>, status: number, type: string, error?: RegExp): Promise<void> => {
  const { body, text, status: found } = await work
  assert.is(found, status, text)
  const problem = Problem.parse(body)
  assert.is(problem.type.split(/[#/:]/).at(-1), type)
  if (error !== undefined) assert.match(problem.error, error)
}

/** Carries the job out, as the workers would. */
const carry = async (datastoreId: string, jobId: string, fate: { readonly fails?: string } = {}): Promise<void> => {
  const at = await carryOut(store, { datastoreId, jobId }, { now: now(), ...fate })
  assert.ok(at !== undefined && (await position.waitFor(at, WAIT_MS)))
}

const deployed = async (size = 1): Promise<string> => {
  const body = {
    general: { cluster_name: 'shop', cluster_size: size, db_vendor: 'postgres', db_version: '15' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 10 },
  }
  const { uuid } = z.object({ uuid: z.uuid() }).parse((await ask('POST', '/api/prov/api/v2/cluster', body)).body)
  const { jobs: [job] } = z
    .object({ jobs: z.array(Taken) })
    .parse((await ask('GET', `/api/deployment/v2/data-stores/${uuid}/jobs`)).body)
  await carry(uuid, job?.job_id ?? '')
  return uuid
}
const apply = async (method: 'PUT' | 'POST', group: string, uuid: string): Promise<string> => {
  const answer = await ask(method, `${GROUPS}/apply/${group}/${uuid}`)
  assert.is(answer.status, 202, answer.text)
  return Taken.parse(answer.body).job_id
}
const usersOf = async (group: string) => Users.parse((await ask('GET', `${GROUPS}/${group}`)).body).datastores
const parametersOf = async (uuid: string, query = '') =>
  Parameters.parse((await ask('GET', `${CONFIGURATION}/${uuid}${query}`)).body)

test('a group is made as one client sends it, and read back with the same values as texts', async () => {
  const answer = await ask('POST', GROUPS, {
    name: 'tuned', database_vendor: 'postgresql', database_version: '15', database_type: 'Postgres_Streaming',
    description: 'for the shop', parameters: { lock_timeout: '5000', random_page_cost: '1.10', jit: 'off' },
  })
  assert.is(answer.status, 201)
  const { uuid } = Made.parse(answer.body)
  const { created_at: _, updated_at: __, ...read } = Fields.parse((await ask('GET', `${GROUPS}/${uuid}`)).body)
  assert.equal(read, {
    uuid, name: 'tuned', description: 'for the shop',
    database_vendor: 'postgres', database_version: '15', database_type: 'postgres_streaming',
    db_parameters: { lock_timeout: '5000', random_page_cost: '1.10', jit: 'off' }, datastores: [],
  })
})

test('a group is made as the other client sends it: numbers and truth values, and much left out', async () => {
  const body = { name: 'numbers', database_vendor: 'psql', parameters: { lock_timeout: 5, jit: true, log_statement: null } }
  const made = Made.parse((await ask('POST', GROUPS, body)).body)
  assert.equal(made.db_parameters, { lock_timeout: '5', jit: 'true' })
  assert.is((await ask('PUT', `${GROUPS}/${made.uuid}`, { description: 'other' })).status, 202)
  const read = Fields.parse((await ask('GET', `${GROUPS}/${made.uuid}`)).body)
  assert.equal([read['name'], read['description'], read['db_parameters']], ['numbers', 'other', made.db_parameters])
})

test('a repeated request makes one group, and its answer is told again', async () => {
  const headers = { 'Idempotency-Key': randomUUID() }
  const body = { name: 'once', database_vendor: 'postgres', parameters: {} }
  const [one, other] = [await ask('POST', GROUPS, body, 'alice', headers), await ask('POST', GROUPS, body, 'alice', headers)]
  assert.is(one.status, 201)
  assert.equal(other.body, one.body)
  await refused(ask('POST', GROUPS, body), 409, 'parameter-group-name-taken')
})

test('what cannot be set is refused by the name of the parameter and the rule', async () => {
  const base = { name: 'wrong', database_vendor: 'postgres', database_version: '15' }
  const asked = (change: object) => ask('POST', GROUPS, { ...base, ...change })
  await refused(asked({ parameters: { lock_timeout: 'soon' } }), 400, 'malformed-parameter', /parameters\.lock_timeout must be/)
  await refused(asked({ parameters: { shared_buffers: '1GB' } }), 400, 'unknown-parameter', /parameters\.shared_buffers/)
  await refused(asked({ parameters: { max_connections: '5' } }), 400, 'unknown-parameter')
  await refused(asked({ parameters: { constructor: '5' } }), 400, 'unknown-parameter')
  await refused(asked({ database_vendor: 'oracle' }), 400, 'not-offered', /database_vendor must be one of/)
  await refused(asked({ database_version: '9.6' }), 400, 'not-offered', /database_version must be one of/)
  await refused(asked({ database_type: 'galera' }), 400, 'not-offered', /database_type must be one of/)
  for (const wrong of [{ name: '' }, { name: 5 }, { name: 'a\nb' }, { parameters: [] }, { parameters: { jit: {} } }]) {
    await refused(asked(wrong), 400, 'malformed-request')
  }
})

test('the defaults are told before any id is looked for, under any of the vendor\'s names', async () => {
  const path = `${GROUPS}/defaults?database_vendor=postgresql&database_version=15&database_type=`
  const { parameters } = z.object({ parameters: z.record(z.string(), Fields) }).parse((await ask('GET', path)).body)
  assert.equal(parameters['max_locks_per_transaction'], {
    description: 'Room in the shared lock table, per connection. Raise it where one transaction touches thousands of tables.',
    type: 'number', default_value: '64', validation_options: 'min=10,max=10000', allowed_values: [],
    unit: null, needs_restart: true,
  })
  await refused(ask('GET', `${GROUPS}/defaults?database_vendor=oracle`), 400, 'not-offered')
})

test('a group is another\'s nowhere: neither read, nor changed, applied, copied or deleted', async () => {
  const group = await create('mine')
  const uuid = await deployed()
  const path = `${GROUPS}/${group}`
  const calls = [['GET', path], ['PUT', path, {}], ['DELETE', path], ['POST', `${path}/duplicate`, { name: 'x' }]] as const
  for (const [method, where, body] of calls) {
    await refused(ask(method, where, body, 'bob'), 404, 'parameter-group-not-found')
  }
  await refused(ask('PUT', `${GROUPS}/apply/${group}/${uuid}`, undefined, 'bob'), 404, 'datastore-not-found')
  await refused(ask('PUT', `${GROUPS}/apply/${randomUUID()}/${uuid}`), 404, 'parameter-group-not-found')
  await refused(ask('PUT', `${GROUPS}/apply/${group}/${randomUUID()}`), 404, 'datastore-not-found')
  await refused(ask('GET', `${CONFIGURATION}/${uuid}`, undefined, 'bob'), 404, 'datastore-not-found')
  await refused(ask('PUT', `${CONFIGURATION}/${uuid}`, { parameters: {} }, 'bob'), 404, 'datastore-not-found')
  assert.equal(Listed.parse((await ask('GET', GROUPS, undefined, 'bob')).body).parameter_groups, [])
})

for (const method of ['PUT', 'POST'] as const) {
  test(`a group is applied by ${method}, with no body, and the datastore has it when the job is done`, async () => {
    const group = await create(`applied by ${method}`, { lock_timeout: '7' })
    const uuid = await deployed()
    const jobId = await apply(method, group, uuid)
    const { jobs: [job] } = z
      .object({ jobs: z.array(Fields) })
      .parse((await ask('GET', `/api/deployment/v2/data-stores/${uuid}/jobs?limit=10&offset=0`)).body)
    assert.equal([job?.['job_id'], job?.['type'], job?.['status']], [jobId, 'JOB_TYPE_MODIFYDBCONFIG', 'JOB_STATUS_RUNNING'])
    assert.equal(await usersOf(group), [{ uuid, status: 'pending', error: '' }])
    await carry(uuid, jobId)
    assert.is(Fields.parse((await ask('GET', `${STORES}/${uuid}`)).body)['parameter_group_id'], group)
    assert.equal(await usersOf(group), [{ uuid, status: 'synced', error: '' }])
  })
}

test('a dry run tells the plan and changes nothing', async () => {
  const group = await create('tried', { max_prepared_transactions: '5' })
  const uuid = await deployed(3)
  const { status, body } = await ask('POST', `${GROUPS}/apply/${group}/${uuid}?dryRun=true`)
  assert.is(status, 200)
  const { jobs: [job] } = z
    .object({ jobs: z.array(z.object({ kind: z.string(), steps: z.array(z.object({ name: z.string() })) })) })
    .parse(body)
  assert.is(job?.kind, 'change-parameters')
  assert.equal(job?.steps.map(({ name }) => name), ['ready', 'replica-1', 'replica-2', 'primary', 'cluster', 'check'])
  assert.equal(await usersOf(group), [])
  assert.is((await ask('DELETE', `${GROUPS}/${group}`)).status, 200)
})

test('an edited group leaves its datastores pending, and sync=true gives each of them a job', async () => {
  const group = await create('edited', { lock_timeout: '7' })
  const [one, other] = [await deployed(), await deployed()]
  for (const uuid of [one, other]) await carry(uuid, await apply('PUT', group, uuid))
  const edited = await ask('PUT', `${GROUPS}/${group}`, { parameters: { lock_timeout: '8' } })
  assert.equal(Synced.parse(edited.body).jobs, [])
  assert.equal((await usersOf(group)).map(({ status }) => status), ['pending', 'pending'])
  const whole = { name: 'edited', description: '', parameters: { lock_timeout: '9' } }
  const synced = await ask('PUT', `${GROUPS}/${group}?sync=true`, whole)
  assert.is(synced.status, 202)
  const { jobs } = Synced.parse(synced.body)
  assert.equal(jobs.map(({ datastore_uuid }) => datastore_uuid).toSorted(), [one, other].toSorted())
  const [first, second] = jobs
  await carry(first?.datastore_uuid ?? '', first?.job_id ?? '')
  await carry(second?.datastore_uuid ?? '', second?.job_id ?? '', { fails: 'apply' })
  const users = await usersOf(group)
  assert.is(users.find(({ uuid }) => uuid === first?.datastore_uuid)?.status, 'synced')
  const failed = users.find(({ uuid }) => uuid === second?.datastore_uuid)
  assert.is(failed?.status, 'failed')
  assert.match(failed?.error ?? '', /Have every server read its parameters anew/)
  assert.is((await parametersOf(second?.datastore_uuid ?? '')).parameters['lock_timeout']?.value, '7')
})

test('a datastore has one group: with another it is no longer synced with the first', async () => {
  const [one, other] = [await create('first', { jit: 'off' }), await create('second', { jit: 'on' })]
  const uuid = await deployed()
  await carry(uuid, await apply('PUT', one, uuid))
  await carry(uuid, await apply('PUT', other, uuid))
  assert.equal([await usersOf(one), (await usersOf(other)).length], [[], 1])
  assert.equal(Synced.parse((await ask('PUT', `${GROUPS}/${one}?sync=true`, {})).body).jobs, [])
  assert.is((await ask('DELETE', `${GROUPS}/${one}`)).status, 200)
  await refused(ask('DELETE', `${GROUPS}/${other}`), 409, 'parameter-group-in-use')
})

test('a group is deleted right after its last datastore, though that is still going', async () => {
  const group = await create('released', { jit: 'off' })
  const uuid = await deployed()
  const jobId = await apply('PUT', group, uuid)
  await refused(ask('DELETE', `${GROUPS}/${group}`), 409, 'parameter-group-in-use', new RegExp(uuid))
  await carry(uuid, jobId)
  assert.is((await ask('DELETE', `/api/prov/api/v2/cluster/${uuid}`)).status, 200)
  assert.is((await ask('DELETE', `${GROUPS}/${group}`)).status, 200)
  await refused(ask('DELETE', `${GROUPS}/${group}`), 404, 'parameter-group-not-found')
})

test('a copy has the values of the first, and lives on without it', async () => {
  const group = await create('origin', { jit: 'off' })
  const { uuid, db_parameters } = Made.parse((await ask('POST', `${GROUPS}/${group}/duplicate`, { name: 'copy' })).body)
  assert.equal(db_parameters, { jit: 'off' })
  await refused(ask('POST', `${GROUPS}/${group}/duplicate`, { name: 'copy' }), 409, 'parameter-group-name-taken')
  assert.is((await ask('DELETE', `${GROUPS}/${group}`)).status, 200)
  assert.is((await ask('GET', `${GROUPS}/${uuid}`)).status, 200)
})

test('the list is by page, by vendor under any of its names, and by a part of the name', async () => {
  const list = async (query: string) => Listed.parse((await ask('GET', `${GROUPS}?${query}`)).body)
  for (const n of [1, 2, 3]) await create(`Paged ${n}`)
  const { pagination, parameter_groups: groups } = await list('name=paged&page=2&page_size=2&database_vendor=psql')
  assert.equal([pagination, groups.map(({ name }) => name)], [{ page: 2, page_size: 2, total: 3 }, ['Paged 1']])
  assert.is((await list('name=paged&database_version=14')).pagination.total, 0)
  assert.is((await list('database_vendor=oracle')).pagination.total, 0)
})

test('a datastore of its own parameters has those that were set, and the past ones when it is asked', async () => {
  const uuid = await deployed()
  const path = `${CONFIGURATION}/${uuid}`
  const set = async (parameters: object): Promise<void> => {
    const answer = await ask('PUT', path, { parameters })
    assert.is(answer.status, 202, answer.text)
    await carry(uuid, Taken.parse(answer.body).job_id)
  }
  await set({ lock_timeout: { value: '5' }, jit: { value: 'off' } })
  const then = new Date().toISOString()
  await set({ lock_timeout: { value: 6 }, jit: { value: null } })
  const present = await parametersOf(uuid)
  const { lock_timeout: timeout, jit } = present.parameters
  assert.equal([timeout?.value, jit?.value, present.status], ['6', 'on', 'synced'])
  assert.is(present.parameters['lock_timeout']?.default_value, '0')
  const past = await parametersOf(uuid, `?asOf=${then}`)
  assert.equal([past.parameters['lock_timeout']?.value, past.parameters['jit']?.value], ['5', 'off'])
  await refused(ask('PUT', path, { parameters: { port: { value: '1' } } }), 400, 'unknown-parameter')
  const group = await create('instead')
  await carry(uuid, await apply('PUT', group, uuid))
  await refused(ask('PUT', path, { parameters: {} }), 409, 'parameters-in-group', new RegExp(group))
})

test('nothing of a request that is refused is left behind', async () => {
  const group = await create('for nobody')
  const uuid = await deployed()
  assert.is((await ask('DELETE', `/api/prov/api/v2/cluster/${uuid}`)).status, 200)
  await refused(ask('PUT', `${GROUPS}/apply/${group}/${uuid}`), 409, 'datastore-not-running')
  assert.is((await ask('DELETE', `${GROUPS}/${group}`)).status, 200)
})

test.run()
