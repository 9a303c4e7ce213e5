import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { billReply } from '../../read-api/admin/bill-reply.ts'
import { adminDatastore } from '../../read-api/admin/datastore-reply.ts'
import { principals } from '../support/rest.ts'
import { willing } from '../support/runner-scene.ts'
import { until } from '../support/until.ts'
import { whyScene } from '../support/why-scene.ts'

const test = suite('what operators read and do')

const scene = await whyScene('admin', willing, { now: () => new Date().toISOString(), pass: () => undefined })
const { change, create, rest, settled } = scene
test.after(scene.end)

const { userId, login } = principals.alice
const PATH = '/api/admin/datastores'
const MACHINE = { authorization: 'Basic the-machine' }

const asOlga = async (path: string): Promise<unknown> => {
  const { status, body, text } = await rest.ask('GET', path, { as: 'olga' })
  assert.is(status, 200, text)
  return body
}

const shop = await create('=shop', 'req-shop')
await settled(shop)
const second = await create('books', 'req-books')
await settled(second)

test('every datastore is listed, newest first, with its owner', async () => {
  const { clusters } = z.object({ clusters: z.array(adminDatastore) }).parse(await asOlga(PATH))
  assert.equal(clusters.map(({ id }) => id), [second, shop])
  const first = clusters.at(-1)
  assert.ok(first !== undefined && first.internal_id > 0 && first.created_at !== '')
  assert.equal({ ...first, internal_id: 0, created_at: '' }, {
    internal_id: 0, created_at: '', id: shop, status: 'STARTED', status_text: 'All nodes are running',
    cloud_provider: 'local', type: 'postgres_streaming', name: '=shop', user_login: login, size: 2, current_job: {},
  })
})

test('one is read with its nodes', async () => {
  const Nodes = z.array(z.object({ hostname: z.string(), role: z.string(), version: z.string(), node_type: z.string() }))
  const one = z.object({ id: z.string(), nodes: Nodes }).parse(await asOlga(`${PATH}/${shop}`))
  assert.equal(one.nodes.map(({ role, node_type }) => [role, node_type]), [['primary', 'postgres'], ['replica', 'postgres']])
  const { nodes } = z.object({ nodes: z.object({ db_nodes: Nodes, lb_nodes: z.array(z.never()) }) }).parse(
    await asOlga(`${PATH}/${shop}/nodes`),
  )
  assert.equal(nodes.db_nodes, one.nodes)
})

test('a table for spreadsheets holds no formula', async () => {
  const { text, headers } = await rest.ask('GET', `${PATH}/csv`, { as: 'olga' })
  assert.match(headers.get('content-disposition') ?? '', /attachment; filename="datastores.csv"/)
  assert.equal(text.split('\r\n').length, 4)
  assert.match(text, /"'=shop"/)
})

test('the machine account counts, and sees nothing else', async () => {
  const { status, body } = await rest.ask('GET', `${PATH}/count`, { headers: MACHINE })
  assert.equal([status, body], [200, { count: 2 }])
  assert.is((await rest.ask('GET', `${PATH}/count`, { as: 'olga' })).status, 401)
  assert.is((await rest.ask('GET', PATH, { headers: MACHINE })).status, 401)
})

test('what was made and done is told, newest first, and by whom', async () => {
  const Lines = z.object({
    lines: z.array(z.object({ text: z.string(), user: z.string(), type: z.string(), data: z.record(z.string(), z.string()) })),
  })
  const { lines } = Lines.parse(await asOlga(`${PATH}/${shop}/audit?limit=1000`))
  const made = lines.filter(({ type }) => type === 'create_resource').map(({ data }) => `${data['type']} ${data['cloud']}`)
  assert.equal(made.toSorted(), [
    'floatingip local:local-1', 'floatingip local:local-1', 'machine local:local-1', 'machine local:local-1',
    'network local:local-1', 'volume local:local-1', 'volume local:local-1',
  ])
  const jobs = lines.filter(({ type }) => type === 'job').map(({ data, user }) => [data['type'], data['status'], user])
  assert.equal(jobs, [['deploy_datastore', 'finished', 'system'], ['deploy_datastore', 'queued', login]])
  assert.match(lines.at(-1)?.text ?? '', /“=shop” was asked for/)
  assert.equal(Lines.parse(await asOlga(`${PATH}/${shop}/audit?limit=2`)).lines, lines.slice(0, 2))
  assert.equal(Lines.parse(await asOlga(`${PATH}/${shop}/audit?to=2020-01-01T00:00:00Z`)).lines, [])
})

test('use is told for every datastore of the time, from the events that it comes from', async () => {
  await change(shop, { requestId: 'req-more', body: { add_nodes: { specs: [{ instance_size: 'small' }] } } })
  await settled(shop)
  const today = new Date().toISOString().slice(0, 10)
  const bill = billReply.parse(await asOlga(`${PATH}/billing/usage/json?from=${today}&to=${today}`))
  const mine = bill.datastores.find(({ datastore }) => datastore === shop)
  assert.equal([mine?.customer_id, mine?.nodes_count, mine?.vendor, mine?.type], [userId, 3, 'postgres', 'postgres_streaming'])
  assert.is(mine?.instances_types_usage[0]?.events.length, 2)
  const table = await rest.ask('GET', `${PATH}/billing/usage/csv?from=${today}&to=${today}`, { headers: MACHINE })
  assert.match(table.headers.get('content-disposition') ?? '', new RegExp(`usage_${today}_${today}\\.csv`))
  assert.equal(table.text.split('\r\n')[0]?.split(',').slice(0, 3), ['"Datastore"', '"Customer ID"', '"Customer Reference"'])
  for (const query of ['from=2030-01-02&to=2030-01-01', 'from=yesterday', 'to=2030-13-01']) {
    assert.is((await rest.ask('GET', `${PATH}/billing/usage/json?${query}`, { as: 'olga' })).status, 400, query)
  }
  const before = billReply.parse(await asOlga(`${PATH}/billing/usage/json?to=2020-01-01`))
  assert.equal(before, { datastores: [], from: null, to: '2020-01-02T00:00:00.000Z' })
})

test('an operator deletes anybody’s datastore, once, and it is in its owner’s trail', async () => {
  const remove = () => rest.ask('DELETE', `${PATH}/${second}`, { as: 'olga', headers: { 'Idempotency-Key': 'k-1' } })
  assert.equal([(await remove()).body, (await remove()).body], [{ deleted: true }, { deleted: true }])
  await settled(second)
  await until(async () => (await rest.ask('GET', `${PATH}/${second}`, { as: 'olga' })).status === 404, { withinMs: 10_000 })
  const { events } = await scene.store.read(`datastore-${second}`)
  const started = events.find(({ type }) => type === 'DeletionStarted')
  assert.equal([started?.metadata.organisationId, started?.metadata.actor.id], [userId, principals.olga.userId])
  const bill = billReply.parse(await asOlga(`${PATH}/billing/usage/json`))
  const { at } = z.object({ at: z.string() }).parse(started?.data)
  assert.is(bill.datastores.find(({ datastore }) => datastore === second)?.deleted_at, at)
})

test('nobody else reads or does any of it', async () => {
  const calls = [
    ['GET', PATH], ['GET', `${PATH}/csv`], ['GET', `${PATH}/${shop}`], ['GET', `${PATH}/${shop}/nodes`],
    ['GET', `${PATH}/${shop}/audit`],
    ['GET', `${PATH}/billing/usage/json`], ['GET', `${PATH}/billing/usage/csv`], ['GET', '/api/admin/cmon/version'],
    ['DELETE', `${PATH}/${shop}`],
  ] as const
  for (const [method, path] of calls) assert.is((await rest.ask(method, path, { as: 'alice' })).status, 403, path)
})

test.run()
