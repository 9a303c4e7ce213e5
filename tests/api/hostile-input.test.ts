import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { type Rest, startRest } from '../support/rest.ts'
import { openPersonalData } from '../support/personal-data.ts'

// Every answer is checked by `startRest`: below 500, in the one form for refusals, or as the endpoint documents it.
const hostile = suite('hostile input')

const CLUSTER = '/api/prov/api/v2/cluster'
const store = memoryEventStore()
let rest: Rest

hostile.before(async () => {
  const catalogue = readCatalogue()
  const ports = { store, now: () => noon, personal: openPersonalData, traceparent: () => undefined }
  rest = await startRest(commandEndpoints({ ...ports, catalogue, sagas, domain: 'ccx.test', ttlSeconds: 15 }))
})
hostile.after(() => rest.close())

const valid: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  general: { cluster_name: 'a', cluster_size: 1, db_vendor: 'postgres', db_version: '', cluster_type: '', tags: ['t'] },
  cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
  instance: { instance_size: 'nano', volume_type: 'local', volume_size: 1, volume_iops: 0 },
  network: { network_type: 'public', ha_enabled: false, vpc_uuid: '', availability_zones: null },
  notifications: { enabled: false, emails: ['me@example.com'] },
}

const VALUES: readonly unknown[] = [
  null, true, 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER, '', ' ', 'x'.repeat(5000), '\u0000', '\ud800', '__proto__',
  "'; drop table x; --", '‮🐘', '../../etc', [], [[]], [null], [{}], {}, { length: 3 }, Array.from({ length: 5000 }, () => 'a'),
]

const post = (body: unknown) => rest.ask('POST', CLUSTER, { as: 'alice', body })

hostile('in any one field makes no more than a refusal, or a datastore where it means nothing', async () => {
  for (const [part, members] of Object.entries(valid)) {
    for (const name of [...Object.keys(members), '__proto__', 'constructor', 'toString']) {
      for (const value of VALUES) {
        const changed = Object.fromEntries([...Object.entries(members), [name, value]])
        const { status } = await post({ ...valid, [part]: changed })
        assert.ok([201, 400].includes(status), `${part}.${name} = ${JSON.stringify(value).slice(0, 40)}: ${status}`)
      }
    }
    for (const value of VALUES) await post({ ...valid, [part]: value })
  }
})

const CHANGES: Readonly<Record<string, unknown>> = {
  cluster_name: 'b', new_volume_size: 0, new_instance_size: '', add_nodes: { specs: [] }, remove_nodes: { node_uuids: [] },
  notifications: { enabled: false, emails: [] }, maintenance_settings: { day_of_week: 1, start_hour: 0, end_hour: 2 },
  change_volume: { new_volume_type: '', new_volume_iops: 0, new_volume_size: 0 }, tags: [],
}

hostile('in any one field of a change makes no more than a refusal, or changes what it says', async () => {
  const { uuid } = z.object({ uuid: z.uuid() }).parse((await post(valid)).body)
  const patch = async (what: string, body: unknown): Promise<void> => {
    const { status } = await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', body })
    assert.ok([200, 400, 404, 409].includes(status), `${what}: ${status}`)
  }
  for (const [name, part] of Object.entries(CHANGES)) {
    const members = typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.keys(part) : []
    for (const value of VALUES) {
      const what = JSON.stringify(value).slice(0, 40)
      await patch(`${name} = ${what}`, { ...CHANGES, [name]: value })
      for (const member of members) {
        const changed = Object.fromEntries([...Object.entries(part ?? {}), [member, value]])
        await patch(`${name}.${member} = ${what}`, { ...CHANGES, [name]: changed })
      }
    }
  }
})

hostile('of any shape is refused whole, and nothing is half-done', async () => {
  const head = await store.head()
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (value) => {
      assert.is((await post(value)).status, 400)
    }),
    { numRuns: 150 },
  )
  assert.equal(await store.head(), head)
})

hostile('as a body of any bytes is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const { status } = await rest.ask('POST', CLUSTER, { as: 'alice', raw: new Uint8Array(bytes) })
      assert.is(status, 400)
    }),
    { numRuns: 150 },
  )
})

hostile('as an id finds nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), async (id) => {
      if (id === '.' || id === '..' || !id.isWellFormed()) return
      const { status } = await rest.ask('DELETE', `${CLUSTER}/${encodeURIComponent(id)}`, { as: 'alice' })
      assert.ok(status === 400 || status === 404, `${JSON.stringify(id)}: ${status}`)
    }),
    { numRuns: 200 },
  )
})

hostile('as a header is refused or means nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('ccx-owner', 'ccx-position', 'idempotency-key', 'x-request-id', 'traceparent', 'cookie'),
      fc.stringMatching(/^[\x21-\x7e]{1,100}$/),
      async (name, value) => {
        const { status } = await rest.ask('POST', CLUSTER, { as: 'alice', body: valid, headers: { [name]: value } })
        assert.ok([201, 400, 403, 422].includes(status), `${name}: ${value}: ${status}`)
      },
    ),
    { numRuns: 150 },
  )
})

hostile.run()
