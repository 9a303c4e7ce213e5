import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { type Position, positionText } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { principals, type Rest, startRest } from '../support/rest.ts'
import { openPersonalData, sealed } from '../support/personal-data.ts'

const calls = suite('datastores over REST')

const CLUSTER = '/api/prov/api/v2/cluster'

const store = memoryEventStore()
const waited: Position[] = []
let rest: Rest

calls.before(async () => {
  const endpoints = commandEndpoints({
    store,
    catalogue: readCatalogue(),
    sagas,
    domain: 'ccx.test',
    ttlSeconds: 15,
    now: () => noon,
    personal: openPersonalData,
    traceparent: () => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  })
  rest = await startRest(endpoints, {
    waitFor: async (position) => {
      waited.push(position)
      return true
    },
  })
})
calls.after(() => rest.close())

/** As the Terraform provider sends it: every key, whether meant or not, and no content type. */
const terraform = {
  general: {
    cluster_name: 'alpha',
    cluster_size: 1,
    db_vendor: 'postgres',
    db_version: '',
    cluster_type: 'postgres_streaming',
    tags: [],
  },
  cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
  instance: { instance_size: 'local.small', volume_type: 'local', volume_size: 80, volume_iops: 0 },
  network: { network_type: 'public', ha_enabled: false, vpc_uuid: '', availability_zones: null },
  notifications: { enabled: false, emails: [] },
}

/** As the MCP server sends it: only what it means. */
const mcp = {
  general: {
    cluster_name: 'postgres-local-mf3k2',
    cluster_size: 3,
    db_vendor: 'postgresql',
    db_version: '15',
    cluster_type: 'postgresql',
  },
  cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
  instance: { instance_size: 'nano', volume_type: 'local', volume_size: 10 },
  network: { network_type: 'public' },
  notifications: { enabled: false, emails: [] },
}

const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? Object.entries(body).find(([key]) => key === name)?.[1] : undefined
const uuidOf = (body: unknown): string => String(field(body, 'uuid'))
const create = (body: unknown = mcp, key?: string, as = 'alice') =>
  rest.ask('POST', CLUSTER, { as, body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }) })

calls('Terraform creates a datastore with its raw JSON and no content type', async () => {
  const raw = new TextEncoder().encode(`${JSON.stringify(terraform)}\n`)
  const { status, body } = await rest.ask('POST', CLUSTER, { as: 'alice', raw })
  assert.is(status, 201)
  const uuid = uuidOf(body)
  assert.equal(body, {
    uuid,
    cluster_uuid: uuid,
    cluster_name: 'alpha',
    cluster_type: 'postgres_streaming',
    region: 'local-1',
    cloud_provider: 'local',
    cluster_size: 1,
    database_vendor: 'postgres',
    database_version: '15',
    instance_size: 'small',
    cluster_instance_disk_type: 'local',
    iops: null,
    disk_size: 80,
    high_availability: false,
    vpc_uuid: null,
    tags: [],
    azs: ['a'],
  })
})

calls('the MCP server creates a datastore with what it means and nothing else', async () => {
  const { status, body } = await rest.ask('POST', CLUSTER, {
    as: 'alice',
    body: mcp,
    headers: { 'content-type': 'application/json', 'ccx-owner': `user:${principals.alice.userId}` },
  })
  assert.is(status, 201)
  assert.is(field(body, 'database_vendor'), 'postgres')
  assert.is(field(body, 'cluster_type'), 'postgres_streaming')
  assert.equal(field(body, 'azs'), ['a', 'b', 'c'])
})

calls('absent, null, empty and zero all mean not given', async () => {
  const sparse = (nothing: { readonly text: unknown; readonly count: unknown; readonly list: unknown }) => ({
    general: {
      cluster_name: 'x',
      cluster_size: 1,
      db_vendor: 'psql',
      db_version: nothing.text,
      cluster_type: nothing.text,
      tags: nothing.list,
    },
    cloud: terraform.cloud,
    instance: {
      instance_size: 'nano',
      volume_type: nothing.text,
      volume_size: nothing.count,
      volume_iops: nothing.count,
    },
    network: {
      network_type: nothing.text,
      ha_enabled: nothing.list,
      vpc_uuid: nothing.text,
      availability_zones: nothing.list,
    },
    notifications: nothing.list,
  })
  // Under one key they must be one request.
  const accepted = await Promise.all(
    [
      sparse({ text: undefined, count: undefined, list: undefined }),
      sparse({ text: null, count: null, list: null }),
      sparse({ text: '', count: 0, list: null }),
    ].map((body) => create(body, 'sparse')),
  )
  assert.equal(
    accepted.map(({ status }) => status),
    [201, 201, 201],
  )
  assert.is(new Set(accepted.map(({ text }) => text)).size, 1)
})

calls('a new datastore has its job in the same append, and says who asked and why', async () => {
  const { body } = await rest.ask('POST', CLUSTER, { as: 'bob', body: mcp, headers: { 'x-request-id': 'req-42' } })
  const { events } = await store.read(`datastore-${uuidOf(body)}`)
  assert.equal(
    events.map(({ type }) => type),
    ['DatastoreCreated', 'JobQueued', 'JobAdmitted'],
  )
  const { commandId = '', command, ...why } = events[0]?.metadata ?? {}
  assert.is(command?.type, 'CreateDatastore')
  assert.equal(why, {
    correlationId: commandId,
    causationId: 'req-42',
    requestId: 'req-42',
    organisationId: principals.bob.ownerId,
    actor: { kind: 'user', id: principals.bob.userId, role: 'owner', address: sealed('127.0.0.1') },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  })
})

calls('the answer is held until the read models have it, and names its position', async () => {
  const { headers, body } = await create()
  const { events } = await store.read(`datastore-${uuidOf(body)}`)
  const last = events.at(-1)
  assert.ok(last !== undefined)
  assert.is(headers.get('ccx-position'), last && positionText(last.position))
  assert.equal(waited.at(-1), last?.position)
})

calls('a repeat under an idempotency key gets the first reply and makes nothing new', async () => {
  const first = await create(mcp, 'key-1')
  const head = await store.head()
  const again = await create({ ...mcp, network: { network_type: 'public', ha_enabled: null } }, 'key-1')
  assert.is(again.status, 201)
  assert.is(again.text, first.text)
  assert.is(first.headers.get('idempotent-replayed'), null)
  assert.is(again.headers.get('idempotent-replayed'), 'true')
  assert.is(again.headers.get('ccx-position'), first.headers.get('ccx-position'))
  assert.equal(await store.head(), head)
})

calls('another request under a key that is taken is refused', async () => {
  await create(mcp, 'key-2')
  const { status, body } = await create(terraform, 'key-2')
  assert.is(status, 422)
  assert.is(field(body, 'type'), '/problems/idempotency-key-reused')
})

calls('a key belongs to its owner and its call', async () => {
  const alice = await create(mcp, 'key-3')
  const bob = await create(mcp, 'key-3', 'bob')
  assert.is.not(uuidOf(alice.body), uuidOf(bob.body))
  const uuid = uuidOf(bob.body)
  const removed = await rest.ask('DELETE', `${CLUSTER}/${uuid}`, {
    as: 'bob',
    headers: { 'idempotency-key': 'key-3' },
  })
  assert.is(removed.status, 200)
})

calls('one key sent many times at once makes one datastore and one reply', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => create(mcp, 'key-4')))
  assert.equal(new Set(answers.map(({ status }) => status)), new Set([201]))
  assert.is(new Set(answers.map(({ text }) => text)).size, 1)
  const { events } = await store.read(`datastore-${uuidOf(answers[0]?.body)}`)
  assert.is(events.length, 3)
})

calls('an idempotency key is visible ASCII, at most 255 characters', async () => {
  for (const key of ['two words', 'x'.repeat(256)]) {
    const { status, body } = await create(mcp, key)
    assert.equal([status, field(body, 'type')], [400, '/problems/malformed-idempotency-key'])
  }
  assert.is((await create(mcp, 'x'.repeat(255))).status, 201)
})

calls('a request that was refused may be mended under the same key', async () => {
  const wrong = await create({ ...mcp, cloud: { cloud_provider: 'local', cloud_region: 'nowhere' } }, 'key-5')
  assert.is(wrong.status, 400)
  const mended = await create(mcp, 'key-5')
  assert.is(mended.status, 201)
})

calls('deleting twice is no error, and the second answers as the first', async () => {
  const uuid = uuidOf((await create()).body)
  const first = await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })
  const again = await rest.ask('DELETE', `${CLUSTER}/${uuid.toUpperCase()}`, { as: 'alice' })
  assert.equal([first.status, again.status], [200, 200])
  assert.equal([first.body, again.body], [{}, {}])
  const { events } = await store.read(`datastore-${uuid}`)
  assert.is(events.filter(({ type }) => type === 'DeletionStarted').length, 1)
})

calls("another's datastore does not exist", async () => {
  const uuid = uuidOf((await create()).body)
  const head = await store.head()
  const asBob = await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'bob' })
  const unknown = await rest.ask('DELETE', `${CLUSTER}/0d000000-0000-4000-8000-00000000000d`, { as: 'bob' })
  assert.equal([asBob.status, unknown.status], [404, 404])
  assert.is(field(asBob.body, 'err'), `there is no datastore ${uuid}`)
  assert.equal(await store.head(), head)
})

calls('a refusal names the field and what is offered', async () => {
  const refusals: readonly (readonly [object, RegExp])[] = [
    [{ general: { ...mcp.general, db_vendor: 'oracle' } }, /^general\.db_vendor must be one of: postgres$/],
    [{ general: { ...mcp.general, cluster_size: 9 } }, /^general\.cluster_size must be one of: 1, 2, 3$/],
    [{ general: { ...mcp.general, cluster_size: '3' } }, /^general\.cluster_size: .*expected/],
    [{ general: { ...mcp.general, cluster_name: 'x'.repeat(65) } }, /^general\.cluster_name/],
    [{ general: { ...mcp.general, tags: ['a', 7] } }, /^general\.tags\[1\]: /],
    [{ general: { ...mcp.general, tags: ['a', 'a'] } }, /^general\.tags must not repeat/],
    [{ instance: { ...mcp.instance, volume_size: 10.5 } }, /^instance\.volume_size: /],
    [{ instance: { ...mcp.instance, volume_size: 1e9 } }, /^instance\.volume_size must be between/],
    [{ network: { network_type: 'public', availability_zones: ['a'] } }, /^network\.availability_zones/],
    [{ cloud: undefined }, /^cloud: /],
    [{ notifications: { enabled: true, emails: ['nobody'] } }, /^notifications\.emails\[0\]: must be an e-mail/],
  ]
  for (const [change, message] of refusals) {
    const { status, body } = await create({ ...mcp, ...change })
    assert.is(status, 400, String(message))
    assert.match(String(field(body, 'err')), message)
  }
})

calls.run()
