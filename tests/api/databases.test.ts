import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import type { AccessEndpoints } from '../../command-handlers/access-tools.ts'
import { databaseEndpoints } from '../../command-handlers/databases.ts'
import { databaseUserEndpoints } from '../../command-handlers/database-users.ts'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { knownDatastore, sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { type Rest, startRest } from '../support/rest.ts'

const calls = suite('the calls about databases and users')

const USERDB = '/api/userdb/api/v1'
const Created = z.object({ uuid: z.uuid() })
const Problem = z.object({ type: z.string(), error: z.string() })
const Told = z.object({ login_name: z.string(), database_password: z.string().optional(), status: z.string() })

const store = memoryEventStore()
const vault = new Map<string, string>()
let byHand: readonly string[] | undefined = []
let rest: Rest

calls.before(async () => {
  const options: AccessEndpoints = {
    store, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15, now: () => noon,
    personal: openPersonalData, traceparent: () => undefined, waitMs: 0,
    vault: {
      ensure: async ({ ownerId, subjectId, name }, generate) => {
        const key = `${ownerId}/${subjectId}/${name}`
        const held = vault.get(key) ?? (await generate())
        vault.set(key, held)
        return held
      },
    },
    observe: async () =>
      byHand && { databases: byHand.map((name) => ({ name })), users: byHand.map((name) => ({ name })) },
  }
  rest = await startRest([...commandEndpoints(options), ...databaseEndpoints(options), ...databaseUserEndpoints(options)])
})
calls.after(() => rest.close())

const send = sendToDatastore({ store })
const stateOf = async (datastoreId: string) => (await knownDatastore({ store }, datastoreId, undefined)).state

/** Every job that waits comes to its end, one after the other. */
const endAll = async (datastoreId: string): Promise<void> => {
  for (;;) {
    const { queue, spec } = await stateOf(datastoreId)
    const [job] = queue
    if (job === undefined) return
    const nodes = spec.nodes.map(({ nodeId }) => ({
      nodeId, role: 'primary', privateAddress: '10.0.0.1', publicAddress: '203.0.113.1',
    } as const))
    const commandId = randomUUID()
    const actor = { kind: 'system', id: 'runner' } as const
    const data = { datastoreId, jobId: job.jobId, end: 'finished', because: null, nodes, now: noon } as const
    await send({ type: 'RecordJobEnded', data }, { commandId, correlationId: commandId, causationId: commandId, actor })
  }
}

const deployed = async (): Promise<string> => {
  const body = {
    general: { cluster_name: 'alpha', cluster_size: 1, db_vendor: 'postgres' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 10 },
  }
  const { uuid } = Created.parse((await rest.ask('POST', '/api/prov/api/v2/cluster', { as: 'alice', body })).body)
  await endAll(uuid)
  return uuid
}

const ask = (method: string, path: string, body: unknown, { as = 'alice', key }: { as?: string; key?: string } = {}) =>
  rest.ask(method, `${USERDB}/${path}`, { as, body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }) })

const refusalOf = async (asked: ReturnType<typeof ask>) => {
  const { status, body } = await asked
  return [status, Problem.parse(body).type.replace('/problems/', '')]
}

calls('a database is created by a job, and says so while it is under way', async () => {
  const uuid = await deployed()
  const { status, body } = await ask('POST', `database/${uuid}`, { database_name: 'shop' })
  assert.is(status, 201)
  assert.equal(body, {
    database_name: 'shop', database_owner: 'ccxadmin', database_size: 0, number_of_tables: 0, status: 'creating',
  })
  assert.equal((await stateOf(uuid)).queue.map(({ kind }) => kind), ['create-database'])
  assert.equal(await refusalOf(ask('POST', `database/${uuid}`, { database_name: 'shop' })), [409, 'database-exists'])
})

calls('names that the system needs, or that no client would send, are refused', async () => {
  const uuid = await deployed()
  for (const name of ['POSTGRES', 'ccxdb', 'Template1', 'mysql', 'pg_x', 'ccx_x']) {
    assert.equal(await refusalOf(ask('POST', `database/${uuid}`, { database_name: name })), [400, 'reserved-name'], name)
  }
  for (const name of ['', '1a', 'a-b', 'a b', 'ä', 'a'.repeat(64)]) {
    assert.equal(await refusalOf(ask('POST', `database/${uuid}`, { database_name: name })), [400, 'malformed-name'], name)
  }
  const user = (name: string) => ask('POST', `user/${uuid}`, { database_username: name, database_password: 'long-enough' })
  for (const name of ['root', 'CCXADMIN', 'public', 'system user', 'PG_monitor', 'ccx_replication', 'mysql.sys']) {
    assert.equal(await refusalOf(user(name)), [400, 'reserved-name'], name)
  }
  for (const name of ['  ', 'a\nb', 'ä'.repeat(32)]) assert.equal(await refusalOf(user(name)), [400, 'malformed-name'], name)
  for (const name of ['ccxdb', 'postgres']) {
    assert.equal(await refusalOf(ask('DELETE', `database/${uuid}`, { database_name: name })), [403, 'name-protected'])
  }
  assert.equal(await refusalOf(ask('DELETE', `user/${uuid}`, { database_username: 'ccxadmin' })), [403, 'name-protected'])
  assert.equal((await stateOf(uuid)).queue, [])
})

calls('a user gets a password of our making, told once more to a repeat, and written nowhere', async () => {
  const uuid = await deployed()
  const key = `key-${randomUUID()}`
  const first = Told.parse((await ask('POST', `user/${uuid}`, { database_username: 'ada' }, { key })).body)
  const again = Told.parse((await ask('POST', `user/${uuid}`, { database_username: 'ada' }, { key })).body)
  assert.match(first.database_password ?? '', /^[\w-]{32}$/)
  assert.is(again.database_password, first.database_password)
  assert.equal((await stateOf(uuid)).queue.map(({ kind }) => kind), ['create-user'])
  const { events } = await store.read(`datastore-${uuid}`)
  const written = JSON.stringify(events.map(({ data, metadata }) => [data, metadata]))
  assert.not(written.includes(first.database_password ?? '') || written.includes('"ada"'))
})

calls('a password of his own choosing is not told again, must be long enough, and is kept once', async () => {
  const uuid = await deployed()
  const kept = vault.size
  const named = { database_username: 'bob' }
  for (const database_password of ['short', 'ümläute!', 'x'.repeat(129)]) {
    assert.equal(await refusalOf(ask('POST', `user/${uuid}`, { ...named, database_password })), [400, 'malformed-password'])
  }
  const { status, body } = await ask('POST', `user/${uuid}`, { ...named, database_password: 'bobs-own-password' })
  assert.equal([status, Told.parse(body).database_password], [201, undefined])
  const taken = { ...named, database_password: 'another-password' }
  assert.equal(await refusalOf(ask('POST', `user/${uuid}`, taken)), [409, 'user-exists'])
  assert.is(vault.size, kept + 1, 'what is refused leaves nothing in the vault')
})

calls('a user with a database of his own takes two jobs, or none', async () => {
  const uuid = await deployed()
  const own = { database_username: 'eve', own_database: true, database_name: 'eves' }
  assert.is((await ask('POST', `user/${uuid}`, own)).status, 201)
  assert.equal((await stateOf(uuid)).queue.map(({ kind }) => kind), ['create-user', 'create-database'])
  const second = await refusalOf(ask('POST', `user/${uuid}`, { ...own, database_username: 'other' }))
  assert.equal(second, [409, 'database-exists'])
  assert.is((await stateOf(uuid)).queue.length, 2)
})

calls('a login is rotated once at a time, and each time under the other name', async () => {
  const uuid = await deployed()
  await ask('POST', `user/${uuid}`, { database_username: 'ada' })
  await endAll(uuid)
  const rotate = () => ask('POST', `user/${uuid}/rotate`, { database_username: 'ada', grace_seconds: 60 })
  assert.is(Told.parse((await rotate()).body).login_name, 'ada_b')
  assert.equal(await refusalOf(rotate()), [409, 'rotation-at-work'])
  assert.is((await ask('POST', `user/${uuid}/end-rotation`, { database_username: 'ada' })).status, 200)
  assert.is(Told.parse((await rotate()).body).login_name, 'ada')
  const { queue } = await stateOf(uuid)
  assert.equal(queue.map(({ kind }) => kind), ['change-user', 'change-user', 'change-user'])
  const admin = await refusalOf(ask('POST', `user/${uuid}/rotate`, { database_username: 'ccxadmin' }))
  assert.equal(admin, [403, 'name-protected'])
})

calls('nobody takes the name of the login that a user may come by', async () => {
  const uuid = await deployed()
  await ask('POST', `user/${uuid}`, { database_username: 'ada' })
  assert.equal(await refusalOf(ask('POST', `user/${uuid}`, { database_username: 'ada_b' })), [409, 'user-exists'])
})

calls('what was made by SQL can be dropped but not changed; what is nowhere is not found', async () => {
  const uuid = await deployed()
  byHand = ['by_hand']
  assert.is((await ask('DELETE', `database/${uuid}`, { database_name: 'by_hand' })).status, 200)
  assert.is((await ask('DELETE', `user/${uuid}`, { database_username: 'by_hand', database_host: '%' })).status, 200)
  const change = ask('PUT', `user/${uuid}/password`, { database_username: 'by_hand' })
  assert.equal(await refusalOf(change), [409, 'user-not-managed'])
  assert.equal(await refusalOf(ask('DELETE', `database/${uuid}`, { database_name: 'nowhere' })), [404, 'database-not-found'])
  assert.equal(await refusalOf(ask('DELETE', `user/${uuid}`, { database_username: 'nowhere' })), [404, 'user-not-found'])
  byHand = undefined
  assert.equal(await refusalOf(ask('DELETE', `database/${uuid}`, { database_name: 'nowhere' })), [409, 'access-unknown'])
  byHand = []
})

calls('privileges are set as they are named, and words that are none are refused by their place', async () => {
  const uuid = await deployed()
  await ask('POST', `user/${uuid}`, { database_username: 'ada' })
  await ask('POST', `database/${uuid}`, { database_name: 'shop' })
  const set = (...database_privileges: readonly unknown[]) =>
    ask('PUT', `user/${uuid}/privileges`, { database_username: 'ada', database_privileges })
  const { status, body } = await set(
    { database_name: 'shop', privilege: 'SELECT, INSERT' }, { database_name: 'ccxdb', privilege: 'all' },
  )
  const grants = z.object({ grants: z.string() }).parse(body)
  assert.equal([status, grants.grants], [200, 'shop:SELECT,INSERT,UPDATE,DELETE;ccxdb:ALL PRIVILEGES'])
  assert.equal(await refusalOf(set({ database_name: 'shop', privilege: 'fly' })), [400, 'not-offered'])
  assert.equal(await refusalOf(set({ database_name: 'none', privilege: 'read' })), [404, 'database-not-found'])
  assert.equal(
    await refusalOf(set({ database_name: 'shop', privilege: 'read' }, { database_name: 'shop', privilege: 'all' })),
    [400, 'not-offered'],
  )
})

calls('a dry run writes nothing, neither to the log nor to the vault', async () => {
  const uuid = await deployed()
  const [head, kept] = [await store.head(), vault.size]
  for (const [method, path, body] of [
    ['POST', `database/${uuid}`, { database_name: 'shop' }],
    ['POST', `user/${uuid}`, { database_username: 'ada' }],
    ['PUT', `user/${uuid}/password`, { database_username: 'ccxadmin' }],
  ] as const) {
    const answer = await ask(method, `${path}?dryRun=true`, body)
    const plan = z.object({ dry_run: z.literal(true), jobs: z.array(z.object({ downtime: z.literal('none') })).length(1) })
    assert.ok(plan.safeParse(answer.body).success, answer.text)
  }
  assert.equal([await store.head(), vault.size], [head, kept])
})

calls("another's datastore does not exist", async () => {
  const uuid = await deployed()
  for (const [method, path, body] of [
    ['POST', 'database', { database_name: 'shop' }], ['DELETE', 'database', { database_name: 'shop' }],
    ['POST', 'user', { database_username: 'ada' }], ['DELETE', 'user', { database_username: 'ada' }],
  ] as const) {
    assert.equal(await refusalOf(ask(method, `${path}/${uuid}`, body, { as: 'bob' })), [404, 'datastore-not-found'])
  }
})

calls.run()
