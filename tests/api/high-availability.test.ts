import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { fold, handle } from '../../command-handlers/handle.ts'
import { freshId } from '../../command-handlers/ids.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { type Rest, startRest } from '../support/rest.ts'

const test = suite('what is done when a node is lost, over REST')

const CLUSTER = '/api/prov/api/v2/cluster'
const store = memoryEventStore()
let rest: Rest

test.before(async () => {
  const ports = { store, now: () => noon, personal: openPersonalData, traceparent: () => undefined }
  rest = await startRest(commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 }))
})
test.after(() => rest.close())

const Created = z.object({ uuid: z.uuid() })
const Problem = z.object({ err: z.string(), type: z.string() })

const create = (size: number, highAvailability?: unknown) =>
  rest.ask('POST', CLUSTER, {
    as: 'alice',
    body: {
      general: { cluster_name: 'shop', cluster_size: size, db_vendor: 'postgres', tags: [] },
      cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
      instance: { instance_size: 'small', volume_size: 1 },
      ...(highAvailability === undefined ? {} : { high_availability: highAvailability }),
    },
  })
const stateOf = async (uuid: string) => {
  const { state } = await fold({ store }, datastore, `datastore-${uuid}`)
  if (state.status === 'absent') throw new Error('BUG: it was created')
  return state
}

/** A datastore that is up. */
const deployed = async (size: number, highAvailability?: unknown): Promise<string> => {
  const { uuid } = Created.parse((await create(size, highAvailability)).body)
  const { queue, spec } = await stateOf(uuid)
  const nodes = spec.nodes.map(({ nodeId }, n) => ({
    nodeId, role: n === 0 ? ('primary' as const) : ('replica' as const), privateAddress: `10.0.0.${n}`, publicAddress: '',
  }))
  const jobId = queue[0]?.jobId ?? ''
  const commandId = freshId()
  await handle({ store }, datastore, ({ data }: DatastoreCommand) => `datastore-${data.datastoreId}`)(
    { type: 'RecordJobEnded', data: { datastoreId: uuid, jobId, end: 'finished', because: null, nodes, now: noon } },
    { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'runner' } },
  )
  return uuid
}
const patch = (uuid: string, body: object, { query = '', as = 'alice' } = {}) =>
  rest.ask('PATCH', `${CLUSTER}/${uuid}${query}`, { as, body })

const never = {
  synchronous: false, prefer: 'consistency', repairAfterSeconds: 300, lagMaxBytes: 16_777_216, failoversPerHourMax: 3,
}

test('a datastore that is asked for without a word of it has none, and one with a word has all', async () => {
  assert.is((await stateOf(await deployed(3))).spec.highAvailability, undefined)
  assert.is((await stateOf(await deployed(3, null))).spec.highAvailability, undefined)
  const some = await deployed(2, { synchronous: true, repair_after_seconds: 60, lag_max_bytes: null })
  assert.equal((await stateOf(some)).spec.highAvailability, { ...never, synchronous: true, repairAfterSeconds: 60 })
})

test('what is wrong with it is refused by its name, and makes nothing', async () => {
  const head = await store.head()
  for (const [size, wrong, code, message] of [
    [1, { synchronous: true }, 'out-of-range', /^high_availability\.synchronous needs a replica.*general\.cluster_size/],
    [2, { repair_after_seconds: 9 }, 'out-of-range', /^high_availability\.repair_after_seconds must be between 10 and 86400/],
    [2, { lag_max_bytes: 2 ** 41 }, 'out-of-range', /^high_availability\.lag_max_bytes must be between/],
    [2, { max_failovers_per_hour: 0 }, 'out-of-range', /^high_availability\.max_failovers_per_hour must be between 1 and 60/],
    [2, { max_failovers_per_hour: 61 }, 'out-of-range', /^high_availability\.max_failovers_per_hour/],
    [2, { lag_max_bytes: 1.5 }, 'malformed-request', /^high_availability\.lag_max_bytes/],
    [2, { prefer: 'luck' }, 'malformed-request', /^high_availability\.prefer/],
    [2, { synchronous: 'yes' }, 'malformed-request', /^high_availability\.synchronous/],
    [2, { repair_after: 60 }, 'malformed-request', /high_availability.*repair_after/],
    [2, true, 'malformed-request', /^high_availability/],
  ] as const) {
    const { status, body } = await create(size, wrong)
    const { err, type } = Problem.parse(body)
    assert.equal([status, type], [400, `/problems/${code}`], JSON.stringify(wrong))
    assert.match(err, message)
  }
  assert.equal(await store.head(), head)
})

test('what counts more, the patience and the lag are settings, which hold at once', async () => {
  const uuid = await deployed(2)
  const chosen = { prefer: 'availability', lag_max_bytes: 0, max_failovers_per_hour: 9 }
  const { status } = await patch(uuid, { high_availability: chosen })
  assert.is(status, 200)
  const { spec, queue } = await stateOf(uuid)
  assert.equal([spec.highAvailability, queue], [{ ...never, prefer: 'availability', lagMaxBytes: 0, failoversPerHourMax: 9 }, []])
  const head = await store.head()
  await patch(uuid, { high_availability: { prefer: 'availability', synchronous: null } })
  const dry = await patch(uuid, { high_availability: { prefer: 'consistency' } }, { query: '?dryRun=true' })
  assert.equal(z.looseObject({ settings: z.array(z.string()) }).parse(dry.body).settings, ['high_availability'])
  const wrong = await patch(uuid, { cluster_name: 'other', high_availability: { repair_after_seconds: 0 } })
  assert.equal([wrong.status, Problem.parse(wrong.body).type], [400, '/problems/out-of-range'])
  assert.is((await patch(uuid, { high_availability: { prefer: 'consistency' } }, { as: 'bob' })).status, 404)
  assert.equal(await store.head(), head)
})

const kinds = async (uuid: string) => (await stateOf(uuid)).queue.map(({ kind }) => kind)

test('whether commits wait for a replica is changed by a job, once', async () => {
  const uuid = await deployed(2)
  const dry = await patch(uuid, { high_availability: { synchronous: true } }, { query: '?dryRun=true' })
  const jobs = z.array(z.looseObject({ kind: z.string() }))
  const plan = z.looseObject({ settings: z.array(z.string()), jobs }).parse(dry.body)
  assert.equal([plan.settings, plan.jobs.map(({ kind }) => kind)], [[], ['set-synchronous']])
  assert.is((await patch(uuid, { high_availability: { synchronous: true, prefer: 'availability' } })).status, 200)
  assert.is((await patch(uuid, { high_availability: { synchronous: true } })).status, 200)
  assert.equal(await kinds(uuid), ['set-synchronous'])
  const { highAvailability } = (await stateOf(uuid)).spec
  assert.equal(highAvailability, { ...never, prefer: 'availability' })
})

test('a datastore of one node cannot be synchronous, until one request brings it a replica as well', async () => {
  const uuid = await deployed(1)
  const head = await store.head()
  const { status, body } = await patch(uuid, { cluster_name: 'other', high_availability: { synchronous: true } })
  assert.equal([status, Problem.parse(body).type], [409, '/problems/replica-needed'])
  assert.match(Problem.parse(body).err, /^high_availability\.synchronous needs a replica; add a node first/)
  assert.equal(await store.head(), head)
  const both = await patch(uuid, { add_nodes: { specs: [{}] }, high_availability: { synchronous: true } })
  assert.is(both.status, 200)
  assert.equal(await kinds(uuid), ['add-nodes', 'set-synchronous'])
})

test('a synchronous datastore keeps its last replica, until it is synchronous no more', async () => {
  const uuid = await deployed(2, { synchronous: true })
  const [, replica] = (await stateOf(uuid)).spec.nodes.map(({ nodeId }) => nodeId)
  const removing = { remove_nodes: { node_uuids: [replica] } }
  const { status, body } = await patch(uuid, removing)
  assert.equal([status, Problem.parse(body).type], [409, '/problems/replica-needed'])
  assert.match(Problem.parse(body).err, /set high_availability\.synchronous to false first/)
  assert.is((await patch(uuid, { ...removing, high_availability: { synchronous: false } })).status, 200)
  assert.equal(await kinds(uuid), ['set-synchronous', 'remove-nodes'])
  const three = await deployed(3, { synchronous: true })
  const [, , last] = (await stateOf(three)).spec.nodes.map(({ nodeId }) => nodeId)
  assert.is((await patch(three, { remove_nodes: { node_uuids: [last] } })).status, 200)
})

test.run()
