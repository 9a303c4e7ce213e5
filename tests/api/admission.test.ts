import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { knownDatastore } from '../../command-handlers/datastore-tools.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { principals, type Rest, startRest } from '../support/rest.ts'

const calls = suite('the admission of new jobs')

const CLUSTER = '/api/prov/api/v2/cluster'
const ADMISSION = '/api/admin/v1/admission'
const Created = z.object({ uuid: z.uuid() })
const Problem = z.object({ type: z.string(), error: z.string() })
const Listed = z.object({ stopped: z.array(z.object({ scope: z.string(), name: z.string().nullable(), reason: z.string() })) })

const store = memoryEventStore()
let rest: Rest

calls.before(async () => {
  const personal = openPersonalData
  const settings = { store, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15, now: () => noon, personal }
  rest = await startRest(commandEndpoints({ ...settings, traceparent: () => undefined }))
})
calls.after(() => rest.close())

const create = (as: string, headers = {}) =>
  rest.ask('POST', CLUSTER, {
    as, headers,
    body: {
      general: { cluster_name: 'alpha', cluster_size: 2, db_vendor: 'postgres' },
      cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
      instance: { instance_size: 'nano', volume_size: 10 },
    },
  })
const ordered = async (verb: 'stop' | 'start', body: object) => rest.ask('POST', `${ADMISSION}/${verb}`, { as: 'olga', body })
const reason = 'the region is being rebuilt'
const stateOf = async (uuid: string) => (await knownDatastore({ store }, uuid, undefined)).state

const refused = ({ status, body, headers }: Awaited<ReturnType<Rest['ask']>>): void => {
  assert.is(status, 409)
  assert.is(Problem.parse(body).type, '/problems/admission-stopped')
  assert.match(Problem.parse(body).error, new RegExp(reason))
  assert.is(headers.get('retry-after'), '60')
}

for (const [scope, name] of [
  ['all', undefined], ['organisation', principals.alice.userId], ['region', 'local-1'], ['engine', 'postgres'],
] as const) {
  calls(`is stopped for ${scope}: what needs a job is refused whole, with the reason; then it is taken again`, async () => {
    const uuid = Created.parse((await create('alice')).body).uuid
    const key = randomUUID()
    await create('alice', { 'Idempotency-Key': key })
    const stopped = await ordered('stop', { scope, ...(name === undefined ? {} : { name }), reason })
    assert.equal(Listed.parse(stopped.body).stopped, [{ scope, name: name ?? null, reason }])

    refused(await create('alice'))
    assert.is((await create('alice', { 'Idempotency-Key': key })).status, 201, 'what was taken before is answered as it was')
    const { revision } = await store.read(`datastore-${uuid}`)
    const body = { cluster_name: 'beta', add_nodes: { specs: [{}] } }
    refused(await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', body }))
    refused(await rest.ask('PATCH', `${CLUSTER}/${uuid}?dryRun=true`, { as: 'alice', body }))
    assert.is((await store.read(`datastore-${uuid}`)).revision, revision, 'nothing of it is done')
    const renamed = await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', body: { cluster_name: 'beta' } })
    assert.is(renamed.status, 200, 'what needs no job is done')
    assert.is((await create('bob')).status, scope === 'organisation' ? 201 : 409)
    assert.is((await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })).status, 200)
    assert.is((await stateOf(uuid)).status, 'deleting')

    const opened = await ordered('start', { scope, ...(name === undefined ? {} : { name }) })
    assert.equal(Listed.parse(opened.body).stopped, [])
    assert.is((await create('alice')).status, 201)
  })
}

calls('may be stopped for deletions as well', async () => {
  const uuid = Created.parse((await create('alice')).body).uuid
  await ordered('stop', { scope: 'all', reason, allow_deletions: false })
  refused(await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' }))
  await ordered('start', { scope: 'all' })
  assert.is((await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })).status, 200)
})

calls('is for operators alone, and of what there is', async () => {
  assert.is((await rest.ask('GET', ADMISSION, { as: 'alice' })).status, 403)
  assert.is((await rest.ask('POST', `${ADMISSION}/stop`, { as: 'alice', body: { scope: 'all', reason } })).status, 403)
  for (const body of [
    { scope: 'all' }, { scope: 'all', reason: ' ' }, { scope: 'all', name: 'x', reason }, { scope: 'region', reason },
    { scope: 'region', name: 'nowhere', reason }, { scope: 'organisation', name: 'x', reason }, { scope: 'moon', reason }, {},
  ]) assert.is((await ordered('stop', body)).status, 400, JSON.stringify(body))
  assert.equal((await rest.ask('GET', ADMISSION, { as: 'olga' })).body, { stopped: [] })
})

calls.run()
