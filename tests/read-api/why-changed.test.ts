import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Failure } from '../../infra/messaging/worker.ts'
import { historyReply } from '../../read-api/history/replies.ts'
import { willing } from '../support/runner-scene.ts'
import { the, typesOf, whyScene } from '../support/why-scene.ts'

const test = suite('why a datastore is as it was changed')

let isRoomLeft = true
const { change, create, end, newestJob, read, settled, why } = await whyScene('why_changed', async (order, tools) => {
  if (order.order.subject === 'infra.create-machine' && !isRoomLeft) throw new Failure('there is no room', { final: true })
  return willing(order, tools)
})
test.after(end)

const BY_JOB = ['request', 'JobQueued', 'JobAdmitted', 'JobStarted', 'StepOrdered', 'StepSucceeded']

const shop = await create('shop', 'req-shop')
await settled(shop)

/** The host names of the nodes that there are. */
const hosts = async (): Promise<readonly string[]> =>
  (await why(shop, 'nodes')).flatMap(({ field, value }) =>
    field.endsWith('.hostname') && typeof value === 'string' ? [value] : [],
  )
const first = await hosts()

const historyOf = async (): Promise<readonly string[]> => {
  const told: string[] = []
  for (let query: string | undefined = ''; query !== undefined; ) {
    const { events, next } = historyReply.parse(await read(`/api/v1/datastores/${shop}/history?limit=100${query}`))
    told.push(...events.map(({ what }) => what))
    query = next === null ? undefined : `&cursor=${encodeURIComponent(next)}`
  }
  return told
}

await change(shop, { requestId: 'req-grow', body: { add_nodes: { specs: [{}] } } })
await settled(shop)
const grown = await hosts()
const [came = ''] = grown.filter((host) => !first.includes(host))
const [name = ''] = came.split('.')

test('the role of a node that came later leads to the change that it came with', async () => {
  assert.equal([first.length, grown.length], [2, 3])
  const found = the(await why(shop, `nodes.${name}.role`))
  assert.equal([found.value, found.set_by.type, found.request.request_id, found.request.command], [
    'replica', 'StepSucceeded', 'req-grow', 'ChangeDatastore',
  ])
  assert.equal(typesOf(found), BY_JOB)
  assert.equal([found.job?.job_id, found.job?.kind, found.job?.step?.order?.subject], [
    await newestJob(shop), 'add-nodes', 'cmon.check-cluster',
  ])
})

test('an address of a node that came later was learnt on that node, which goes by its name', async () => {
  const found = the(await why(shop, `nodes.${name}.public_ip`))
  assert.equal(typesOf(found), BY_JOB)
  assert.equal([found.job?.step?.title, found.job?.step?.node], ['Allocate the public addresses', name])
  assert.match(found.set_by.what, new RegExp(`on ${name} was done`))
})

test('a node is there from the moment its job begins', async () => {
  for (const field of ['hostname', 'host_az', 'created_at']) {
    const found = the(await why(shop, `nodes.${name}.${field}`))
    assert.equal([found.set_by.type, typesOf(found)], ['JobAdmitted', ['request', 'JobQueued', 'JobAdmitted']], field)
  }
})

test('the size of the datastore is another one when the job is done', async () => {
  const found = the(await why(shop, 'cluster_size'))
  assert.equal([found.value, found.set_by.type, found.request.request_id], [3, 'DatastoreChanged', 'req-grow'])
  assert.equal(typesOf(found), [...BY_JOB, 'JobFinished', 'DatastoreChanged'])
  assert.is(found.set_by.what, `The datastore was changed (add nodes ${name}); it has 3 nodes`)
  const azs = the(await why(shop, 'azs'))
  assert.is(Array.isArray(azs.value) && azs.value.length, 3)
})

test('a setting is what its owner asked for, without a job', async () => {
  await change(shop, { requestId: 'req-name', body: { cluster_name: 'store', tags: [] } })
  await settled(shop)
  for (const [field, value] of [['cluster_name', 'store'], ['tags', []]] as const) {
    const found = the(await why(shop, field))
    assert.equal([found.value, found.set_by.type, found.job], [value, 'SettingsChanged', null])
    assert.equal([typesOf(found), found.request.request_id, found.request.command], [
      ['request', 'SettingsChanged'], 'req-name', 'ChangeSettings',
    ])
  }
})

test('a node that was removed is gone with the request to remove it, and its name is still known', async () => {
  const id = the(await why(shop, `nodes.${name}.host_uuid`)).value
  await change(shop, { requestId: 'req-shrink', body: { remove_nodes: { node_uuids: [id] } } })
  await settled(shop)
  assert.equal(await hosts(), first)
  const gone = the(await why(shop, `nodes.${name}.role`))
  assert.equal([gone.value, gone.set_by.type, gone.request.request_id], [null, 'DatastoreChanged', 'req-shrink'])
  assert.equal(typesOf(gone), [...BY_JOB, 'JobFinished', 'DatastoreChanged'])
  assert.is(gone.set_by.what, `The datastore was changed (remove nodes ${name}); it has 2 nodes`)
  assert.is(the(await why(shop, 'cluster_size')).value, 2)
})

test('a node that did not come leaves nothing, and why it did not is told', async () => {
  isRoomLeft = false
  await change(shop, { requestId: 'req-more', body: { add_nodes: { specs: [{}] } } })
  await settled(shop)
  isRoomLeft = true
  assert.equal(await hosts(), first)
  assert.is(the(await why(shop, 'cluster_size')).request.request_id, 'req-shrink')
  const told = await historyOf()
  const [, missed = ''] = /^A job was queued: add nodes (db-\w+)$/.exec(told.findLast((what) => /queued/.test(what)) ?? '') ?? []
  assert.ok(told.some((what) => what.startsWith(`The change came to nothing (add nodes ${missed}): Create the machines: `)))
  const gone = the(await why(shop, `nodes.${missed}.hostname`))
  assert.equal([gone.value, gone.set_by.type, gone.request.request_id], [null, 'ChangeAbandoned', 'req-more'])
  assert.equal(typesOf(gone).slice(-4), ['StepFailed', 'UnwindingBegun', 'JobUnwound', 'ChangeAbandoned'])
})

test.run()
