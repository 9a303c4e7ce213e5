import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { knownDatastore, sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import { upgradeDueInWindow } from '../../domain/datastore/upgrade.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { type Rest, startRest } from '../support/rest.ts'

const calls = suite('the upgrade of a datastore')

const CLUSTER = '/api/prov/api/v2/cluster'
const Taken = z.object({ when: z.string(), job_id: z.uuid().nullable(), job_ids: z.array(z.uuid()) })
const Problem = z.object({ type: z.string(), error: z.string() })
const day = (n: number): string => `2030-01-0${n}T12:00:00.000Z`

const store = memoryEventStore()
let rest: Rest
/** The newest image came out on the third. */
let today = day(1)

calls.before(async () => {
  const catalogue = { ...readCatalogue(), serverConfig: day(3) }
  const settings = { store, catalogue, sagas, domain: 'ccx.test', ttlSeconds: 15, personal: openPersonalData }
  rest = await startRest(commandEndpoints({ ...settings, now: () => today, traceparent: () => undefined }))
})
calls.before.each(() => {
  today = day(1)
})
calls.after(() => rest.close())

const send = sendToDatastore({ store })
const stateOf = async (datastoreId: string) => (await knownDatastore({ store }, datastoreId, undefined)).state

/** The job at work comes to its end; a node that stays keeps its role, one that comes has that of the one that goes. */
const end = async (datastoreId: string): Promise<void> => {
  const { queue, spec, nodes: before } = await stateOf(datastoreId)
  const [job] = queue
  const change = job?.change?.kind === 'upgrade-node' ? job.change : undefined
  const roleOf = (nodeId: string, n: number) => {
    const known = before.find((node) => node.nodeId === (nodeId === change?.replacement?.nodeId ? change.nodeId : nodeId))
    return known?.role ?? (n === 0 ? 'primary' : 'replica')
  }
  const all = [...spec.nodes, ...(change?.replacement ? [change.replacement] : [])]
  const nodes = all.map(({ nodeId }, n) => ({
    nodeId, role: roleOf(nodeId, n), privateAddress: `10.0.0.${n}`, publicAddress: `203.0.113.${n}`,
  }))
  const data = { datastoreId, jobId: job?.jobId ?? '', end: 'finished', because: null, nodes, now: today } as const
  const commandId = randomUUID()
  const cause = { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'runner' } } as const
  await send({ type: 'RecordJobEnded', data }, cause)
}

const deployed = async (size: number): Promise<{ readonly uuid: string; readonly nodes: readonly string[] }> => {
  const body = {
    general: { cluster_name: 'alpha', cluster_size: size, db_vendor: 'postgres' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 10 },
  }
  const { uuid } = z.object({ uuid: z.uuid() }).parse((await rest.ask('POST', CLUSTER, { as: 'alice', body })).body)
  await end(uuid)
  return { uuid, nodes: (await stateOf(uuid)).spec.nodes.map(({ nodeId }) => nodeId) }
}

type More = { readonly as?: string; readonly query?: string; readonly key?: string }
const upgrade = (uuid: string, body: object, { as = 'alice', query = '', key }: More = {}) =>
  rest.ask('POST', `${CLUSTER}/${uuid}/upgrade${query}`, {
    as, body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  })
const typeOf = async (asked: ReturnType<typeof upgrade>) => {
  const { status, body } = await asked
  return [status, Problem.parse(body).type]
}

calls('every outdated node is replaced by a job of its own, the primary last; then nothing is outdated', async () => {
  const { uuid, nodes: [primary, ...replicas] } = await deployed(3)
  today = day(4)
  const { status, body } = await upgrade(uuid, { when: 'now' })
  const { job_id, job_ids } = Taken.parse(body)
  const { queue } = await stateOf(uuid)
  assert.equal([status, job_ids, job_id], [202, queue.map(({ jobId }) => jobId), job_ids[0]])
  const goes = queue.map(({ change }) => (change?.kind === 'upgrade-node' ? change.nodeId : undefined))
  assert.equal(goes, [...replicas, primary])
  const comes = queue.flatMap(({ change }) => (change?.kind === 'upgrade-node' ? (change.replacement?.nodeId ?? []) : []))
  assert.is(new Set(comes).size, 3)
  for (const _ of goes) await end(uuid)
  const { spec, nodes } = await stateOf(uuid)
  assert.equal(spec.nodes.map(({ nodeId }) => nodeId).toSorted(), comes.toSorted())
  assert.equal(nodes.find(({ role }) => role === 'primary')?.nodeId, comes[2])
  assert.equal(await typeOf(upgrade(uuid, { when: 'now' })), [409, '/problems/nothing-to-upgrade'])
})

calls('a node that came after the newest image stays', async () => {
  const { uuid, nodes: [first] } = await deployed(1)
  today = day(4)
  const more = { add_nodes: { specs: [{}] } }
  assert.is((await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', body: more })).status, 200)
  await end(uuid)
  await upgrade(uuid, {})
  const { queue } = await stateOf(uuid)
  assert.equal(queue.map(({ change }) => (change?.kind === 'upgrade-node' ? change.nodeId : undefined)), [first])
})

calls('an image that is still to come makes nothing outdated', async () => {
  const { uuid } = await deployed(1)
  today = day(2)
  assert.equal(await typeOf(upgrade(uuid, { when: 'now' })), [409, '/problems/nothing-to-upgrade'])
  assert.equal(await typeOf(upgrade(uuid, { when: 'window' })), [409, '/problems/nothing-to-upgrade'])
})

calls('what is to be done in the window is kept, done with once it is done, and can be taken back', async () => {
  const dueIn = async (uuid: string) => {
    const { spec, built } = await stateOf(uuid)
    return upgradeDueInWindow(spec, built)
  }
  const { uuid, nodes } = await deployed(2)
  today = day(4)
  const { status, body } = await upgrade(uuid, { when: 'window' })
  assert.equal([status, Taken.parse(body)], [202, { when: 'window', job_id: null, job_ids: [] }])
  assert.equal(await dueIn(uuid), nodes)
  await upgrade(uuid, { when: 'never' })
  assert.equal(await dueIn(uuid), [])
  await upgrade(uuid, { when: 'window' })
  await upgrade(uuid, { when: 'now' })
  for (const _ of nodes) await end(uuid)
  assert.equal(await dueIn(uuid), [])
})

calls('a dry run tells the jobs and the pause, and a repeat under an idempotency key happens once', async () => {
  const { uuid } = await deployed(2)
  today = day(4)
  const head = await store.head()
  const Plan = z.object({ downtime: z.string(), jobs: z.array(z.object({ kind: z.string(), downtime: z.string() })) })
  const plan = Plan.parse((await upgrade(uuid, { when: 'now' }, { query: '?dryRun=true' })).body)
  const kind = 'upgrade-node'
  assert.equal(plan, { downtime: 'write-pause', jobs: [{ kind, downtime: 'none' }, { kind, downtime: 'write-pause' }] })
  assert.equal(await store.head(), head)
  const [first, again] = [await upgrade(uuid, {}, { key: 'up-1' }), await upgrade(uuid, {}, { key: 'up-1' })]
  assert.is(again.text, first.text)
  assert.is((await stateOf(uuid)).queue.length, 2)
})

calls("another's datastore is not found, and an unknown time is refused", async () => {
  const { uuid } = await deployed(1)
  today = day(4)
  assert.equal(await typeOf(upgrade(uuid, { when: 'now' }, { as: 'bob' })), [404, '/problems/datastore-not-found'])
  assert.equal(await typeOf(upgrade(randomUUID(), { when: 'window' })), [404, '/problems/datastore-not-found'])
  assert.equal(await typeOf(upgrade(uuid, { when: 'soon' })), [400, '/problems/malformed-request'])
})

calls.run()
