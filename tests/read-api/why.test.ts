import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { orderIdOf } from '../../infra/messaging/ids.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import { datastoresNamed } from '../../read-api/history/named.ts'
import { diffReply, historyReply, whyReply } from '../../read-api/history/replies.ts'
import { principals } from '../support/rest.ts'
import { willing } from '../support/runner-scene.ts'
import { the, typesOf, whyScene } from '../support/why-scene.ts'

const test = suite('why a datastore is as it is')

const { userId, login } = principals.alice
const now = () => new Date().toISOString()

let isRoomLeft = true
const scene = await whyScene('why', async (order, tools) => {
  if (order.order.subject === 'infra.create-machine' && !isRoomLeft) throw new Failure('there is no room', { final: true })
  return willing(order, tools)
})
const { change, create, history, newestJob, orderOf, personal, read, remove, rest, settled, store, why } = scene
test.after(scene.end)

const shop = await create('shop', 'req-shop')
await settled(shop)

test('a status is the doing of the job that its owner asked for, down to the last step', async () => {
  const found = the(await why(shop, 'cluster_status'))
  assert.equal([found.value, found.set_by.type], ['STARTED', 'DatastoreDeployed'])
  const { actor, request_id, command } = found.request
  assert.equal(actor, { kind: 'user', id: userId, login, client_id: null, role: 'owner' })
  assert.equal([request_id, command], ['req-shop', 'CreateDatastore'])
  assert.equal(typesOf(found), [
    'request', 'JobQueued', 'JobAdmitted', 'JobStarted', 'StepOrdered', 'StepSucceeded', 'JobFinished', 'DatastoreDeployed',
  ])
  assert.is(found.job?.job_id, await newestJob(shop))
  assert.equal([found.job?.kind, found.job?.step?.name], ['deploy-datastore', 'endpoint'])
})

test('the role of a node is the answer to an order, whose id can be found again on the broker', async () => {
  const fields = await why(shop, 'nodes')
  const roles = fields.filter(({ field }) => field.endsWith('.role'))
  assert.equal(roles.map(({ value }) => value), ['primary', 'replica'])
  for (const { set_by, job } of roles) {
    assert.equal([set_by.type, job?.step?.order?.subject], ['StepSucceeded', 'cmon.check-cluster'])
    const place = { step: job?.step?.name ?? '', key: 'all', attempt: 1, course: 'forward' } as const
    assert.is(job?.step?.order?.id, orderIdOf(job?.job_id ?? '', place))
  }
  const [address] = fields.filter(({ field }) => field.endsWith('.public_ip'))
  assert.equal([address?.job?.step?.title, address?.job?.step?.node?.slice(0, 3)], ['Allocate the public addresses', 'db-'])
})

test('what nobody ever set comes from the creation', async () => {
  for (const field of ['vpc', 'ssl_enabled', 'maintenance_settings.day_of_week', 'region.name']) {
    const found = the(await why(shop, field))
    assert.equal([found.set_by.type, typesOf(found), found.request.request_id], [
      'DatastoreCreated', ['request', 'DatastoreCreated'], 'req-shop',
    ])
  }
})

test('all fields are told of when none is named, with their texts opened and no password', async () => {
  const fields = await why(shop)
  const values = new Map(fields.map(({ field, value }) => [field, value]))
  assert.equal([values.get('cluster_name'), values.get('tags')], ['shop', ['blue']])
  assert.ok(fields.length > 60, `${fields.length}`)
  assert.is(values.has('db_account.database_password'), false)
  assert.not.match(JSON.stringify(fields), /sealed:|S3cret/)
  assert.match(the(fields).set_by.what, /^The datastore “shop” was asked for: postgres \d+, 2 nodes of size small in local/)
})

test('a field that is none is refused with those that there are', async () => {
  const { status, body } = await rest.ask('GET', `/api/v1/datastores/${shop}/why?field=colour`, { as: 'alice' })
  const { error, type } = z.object({ error: z.string(), type: z.string() }).parse(body)
  assert.equal([status, type], [400, '/problems/unknown-field'])
  assert.match(error, /has no field colour; it has .*cluster_status,/)
})

test('a failed deployment leads to the step that failed, and to the request', async () => {
  isRoomLeft = false
  const uuid = await create('unlucky', 'req-unlucky')
  await settled(uuid)
  isRoomLeft = true
  const found = the(await why(uuid, 'cluster_status_text'))
  assert.match(JSON.stringify(found.value), /^"The deployment failed: Create the machines: /)
  assert.equal(typesOf(found), [
    'request', 'JobQueued', 'JobAdmitted', 'JobStarted', 'StepOrdered', 'StepFailed', 'UnwindingBegun', 'JobUnwound',
    'DeploymentFailed',
  ])
  assert.equal([found.job?.step?.name, found.job?.step?.undo, found.request.request_id], ['machines', false, 'req-unlucky'])
})

test('a history names every event of the datastore once, in order, with what it changed', async () => {
  const seen: z.infer<typeof historyReply>['events'] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const next: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const part = historyReply.parse(await read(`/api/v1/datastores/${shop}/history?limit=7${next}`))
    seen.push(...part.events)
    cursor = part.next
  }
  const job = await store.read(`job-${await newestJob(shop)}`)
  const own = await store.read(`datastore-${shop}`)
  assert.is(seen.length, job.events.length + own.events.length)
  assert.equal(seen.map(({ id }) => id).toSorted(), [...job.events, ...own.events].map(({ id }) => id).toSorted())
  const last = new Map(seen.flatMap(({ changes }) => changes.map(({ field, to }) => [field, to] as const)))
  for (const { field, value } of await why(shop)) assert.equal(last.get(field), value, field)
})

test('between two instants exactly that differs which has changed, with the event that did it', async () => {
  const { events } = historyReply.parse(await read(`/api/v1/datastores/${shop}/history?limit=1`))
  const from = encodeURIComponent(events[0]?.position ?? '')
  const { changes } = diffReply.parse(await read(`/api/v1/datastores/${shop}/diff?from=${from}`))
  const status = changes.find(({ field }) => field === 'cluster_status')
  assert.equal([status?.from, status?.to, status?.set_by.type], ['DEPLOYING', 'STARTED', 'DatastoreDeployed'])
  assert.ok(changes.every((change) => JSON.stringify(change.from) !== JSON.stringify(change.to)))
  assert.is(changes.some(({ field }) => field === 'cluster_name'), false)
  const backwards = diffReply.parse(await read(`/api/v1/datastores/${shop}/diff?from=${encodeURIComponent(now())}&to=${from}`))
  assert.equal(backwards.changes.map(({ field }) => field).toSorted(), changes.map(({ field }) => field).toSorted())
})

test('a deleted datastore still says why, to its owner and to nobody else', async () => {
  await remove(shop, { requestId: 'req-end' })
  await settled(shop)
  const found = the(await why(shop, 'cluster_status'))
  assert.equal([found.value, found.set_by.type, found.request.request_id, found.request.command], [
    'DELETED', 'DatastoreDeleted', 'req-end', 'DeleteDatastore',
  ])
  assert.is(the(await why(shop, 'cluster_name')).value, 'shop')
  for (const path of ['why', 'history', `diff?from=${encodeURIComponent(now())}`]) {
    for (const as of ['bob', 'olga']) {
      assert.is((await rest.ask('GET', `/api/v1/datastores/${shop}/${path}`, { as })).status, 404, path)
    }
  }
})

test('who has just changed something is told of it', async () => {
  const made = await rest.ask('POST', '/api/prov/api/v2/cluster', { as: 'alice', body: orderOf('quick') })
  const { uuid } = z.object({ uuid: z.string() }).parse(made.body)
  const headers = { 'CCX-Position': made.headers.get('ccx-position') ?? '' }
  const path = `/api/v1/datastores/${uuid}/why?field=cluster_name`
  const { status, body, text } = await rest.ask('GET', path, { as: 'alice', headers })
  assert.is(status, 200, text)
  assert.is(the(whyReply.parse(body).fields).value, 'quick')
  const asOf = encodeURIComponent(now())
  assert.is((await rest.ask('GET', `/api/deployment/v3/data-stores/${uuid}?asOf=${asOf}`, { as: 'alice' })).status, 200)
})

test('what makes no sense is refused by name', async () => {
  const path = `/api/v1/datastores/${shop}`
  for (const [query, field] of [
    ['why?field=', 'field'], [`why?field=${'x'.repeat(301)}`, 'field'],
    ['history?limit=0', 'limit'], ['history?limit=101', 'limit'],
    ['history?cursor=abc', 'cursor'], ['diff', 'from'], ['diff?from=abc', 'from'], ['diff?from=1/1&to=abc', 'to'],
  ]) {
    const { status, body } = await rest.ask('GET', `${path}/${query}`, { as: 'alice' })
    assert.equal([status, z.object({ field: z.string() }).parse(body).field], [400, field], query)
  }
  for (const call of ['why', 'history', 'diff?from=1/1']) {
    assert.is((await rest.ask('GET', `/api/v1/datastores/not-an-id/${call}`, { as: 'alice' })).status, 400)
    assert.is((await rest.ask('GET', `/api/v1/datastores/${userId}/${call}`, { as: 'alice' })).status, 404)
    assert.is((await rest.ask('GET', `${path}/${call}`)).status, 401)
  }
})

test('an operator finds a datastore by its id and by its name, also one that is deleted', async () => {
  for (const text of [shop, shop.toUpperCase(), 'shop']) {
    const found = await datastoresNamed(history.audit, personal, text)
    assert.equal(found.map(({ datastoreId, deletedAt }) => [datastoreId, typeof deletedAt]), [[shop, 'string']], text)
  }
  assert.equal(await datastoresNamed(history.audit, personal, 'sho'), [])
})

test('an operator finds a datastore by the name it was given later, and by the one it had before', async () => {
  const cellar = await create('cellar', 'req-cellar')
  await change(cellar, { requestId: 'req-attic', body: { cluster_name: 'attic' } })
  await change(cellar, { requestId: 'req-dusty', body: { tags: ['dusty'] } })
  await settled(cellar)
  for (const text of ['cellar', 'attic']) {
    const found = await datastoresNamed(history.audit, personal, text)
    assert.equal(found.map(({ datastoreId }) => datastoreId), [cellar], text)
  }
})

test.run()
