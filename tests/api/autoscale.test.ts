import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { type Rest, startRest } from '../support/rest.ts'

const test = suite('how volumes grow by themselves, over REST')

const store = memoryEventStore()
let rest: Rest
let uuid = ''

const Created = z.object({ uuid: z.uuid() })
const Problem = z.object({ err: z.string(), type: z.string(), field: z.string().optional() })

test.before(async () => {
  const ports = { store, now: () => noon, personal: openPersonalData, traceparent: () => undefined }
  rest = await startRest(commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 }))
  const body = {
    general: { cluster_name: 'shop', cluster_size: 1, db_vendor: 'postgres', tags: [] },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'small', volume_size: 1 },
  }
  uuid = Created.parse((await rest.ask('POST', '/api/prov/api/v2/cluster', { as: 'alice', body })).body).uuid
})
test.after(() => rest.close())

const put = (body: unknown, { as = 'alice', query = '', key = '' } = {}) =>
  rest.ask('PUT', `/api/v1/datastores/${uuid}/autoscale${query}`, {
    as, body, ...(key === '' ? {} : { headers: { 'idempotency-key': key } }),
  })

test('what is left out stays as it was set, and a new datastore begins with it on', async () => {
  const { status, body } = await put({ max_gib: 40 })
  assert.equal([status, body], [200, { enabled: true, threshold_percent: 75, step_percent: 20, max_gib: 40 }])
  const off = await put({ enabled: false, threshold_percent: 60 })
  assert.equal(off.body, { enabled: false, threshold_percent: 60, step_percent: 20, max_gib: 40 })
})

test('what is so already writes nothing, and neither does a dry run', async () => {
  const head = await store.head()
  assert.is((await put({ enabled: false })).status, 200)
  const { body } = await put({ enabled: true }, { query: '?dryRun=true' })
  assert.equal(z.looseObject({ settings: z.array(z.string()) }).parse(body).settings, ['autoscale'])
  assert.equal(await store.head(), head)
})

test('the same request under the same key happens once', async () => {
  const first = await put({ step_percent: 30 }, { key: 'once' })
  const head = await store.head()
  assert.equal((await put({ step_percent: 30 }, { key: 'once' })).body, first.body)
  assert.equal(await store.head(), head)
})

test('what is out of bounds is refused by its name, and changes nothing', async () => {
  const head = await store.head()
  for (const [wrong, field] of [
    [{ threshold_percent: 40 }, 'threshold_percent'], [{ step_percent: 3 }, 'step_percent'], [{ max_gib: 101 }, 'max_gib'],
    [{ enabled: 'yes' }, 'enabled'], [{ max_gib: 1.5 }, 'max_gib'],
  ] as const) {
    const { status, body } = await put(wrong)
    assert.ok(status === 400 && Problem.parse(body).err.startsWith(field), JSON.stringify(wrong))
  }
  assert.equal(await store.head(), head)
})

test("another's datastore has no volumes for the one who asks", async () => {
  const { status, body } = await put({ enabled: true }, { as: 'bob' })
  assert.equal([status, Problem.parse(body).type], [404, '/problems/datastore-not-found'])
})

test.run()
