import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { knownDatastore, sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import type { JobEnd } from '../../domain/datastore/messages.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { type Rest, startRest } from '../support/rest.ts'
import { openPersonalData } from '../support/personal-data.ts'

const calls = suite('the calls that concern one node')

const CLUSTER = '/api/prov/api/v2/cluster'
const Created = z.object({ uuid: z.uuid() })
const Taken = z.object({ job_id: z.uuid() })
const Problem = z.object({ type: z.string(), error: z.string() })

const store = memoryEventStore()
let rest: Rest

calls.before(async () => {
  const personal = openPersonalData
  const settings = { store, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15, now: () => noon, personal }
  rest = await startRest(commandEndpoints({ ...settings, traceparent: () => undefined }))
})
calls.after(() => rest.close())

const send = sendToDatastore({ store })
const stateOf = async (datastoreId: string) => (await knownDatastore({ store }, datastoreId, undefined)).state

/** The job at work comes to its end, with the nodes there are by then: the first is the primary. */
const end = async (datastoreId: string, how: JobEnd = 'finished'): Promise<void> => {
  const { queue, spec } = await stateOf(datastoreId)
  const nodes = spec.nodes.map(({ nodeId }, n) => ({
    nodeId,
    role: n === 0 ? 'primary' : 'replica',
    privateAddress: `10.0.0.${n}`,
    publicAddress: `203.0.113.${n}`,
  } as const))
  const data = { datastoreId, jobId: queue[0]?.jobId ?? '', end: how, because: null, nodes, now: noon }
  const commandId = randomUUID()
  const cause = { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'runner' } } as const
  await send({ type: 'RecordJobEnded', data }, cause)
}

/** A datastore of alice with these nodes; its deployment is at work. */
const created = async (size: number): Promise<{ readonly uuid: string; readonly nodes: readonly string[] }> => {
  const body = {
    general: { cluster_name: 'alpha', cluster_size: size, db_vendor: 'postgres' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 10 },
  }
  const answer = await rest.ask('POST', CLUSTER, { as: 'alice', body })
  const { uuid } = Created.parse(answer.body)
  return { uuid, nodes: (await stateOf(uuid)).spec.nodes.map(({ nodeId }) => nodeId) }
}

const deployed = async (size: number): ReturnType<typeof created> => {
  const made = await created(size)
  await end(made.uuid)
  return made
}

const act = (uuid: string, nodeId: string | undefined, verb: 'promote' | 'reboot' | 'repair', as = 'alice', key?: string) =>
  rest.ask('POST', `${CLUSTER}/${uuid}/nodes/${nodeId}/${verb}`, {
    as,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  })

const refusalOf = async (asked: ReturnType<typeof act>) => {
  const { status, body } = await asked
  const { type, error } = Problem.parse(body)
  return [status, type.replace('/problems/', ''), error] as const
}

calls('a dry run tells the steps and who would be the primary, and writes nothing', async () => {
  const { uuid, nodes } = await deployed(2)
  const head = await store.head()
  const { status, body } = await rest.ask('POST', `${CLUSTER}/${uuid}/nodes/${nodes[1]}/promote?dryRun=true`, { as: 'alice' })
  const Plan = z.object({
    jobs: z.array(z.object({ kind: z.string(), steps: z.array(z.unknown()).nonempty() })),
    nodes_after: z.array(z.object({ host_uuid: z.string(), role: z.string() })),
  })
  const plan = Plan.parse(body)
  assert.equal([status, plan.jobs.map(({ kind }) => kind)], [200, ['promote-replica']])
  assert.equal(plan.nodes_after.map(({ host_uuid, role }) => [host_uuid, role]), [[nodes[0], 'replica'], [nodes[1], 'primary']])
  const primary = await rest.ask('POST', `${CLUSTER}/${uuid}/nodes/${nodes[0]}/promote?dryRun=true`, { as: 'alice' })
  assert.is(primary.status, 409)
  assert.equal(await store.head(), head)
})

calls('a dry run tells what an application would notice', async () => {
  const Plan = z.object({ downtime: z.string(), jobs: z.array(z.object({ downtime: z.string() })).length(1) })
  const told = async (uuid: string, nodeId: string | undefined, verb: 'promote' | 'reboot') => {
    const { body } = await rest.ask('POST', `${CLUSTER}/${uuid}/nodes/${nodeId}/${verb}?dryRun=true`, { as: 'alice' })
    const { downtime, jobs } = Plan.parse(body)
    assert.is(jobs[0]?.downtime, downtime)
    return downtime
  }
  const one = await deployed(1)
  const two = await deployed(2)
  assert.is(await told(one.uuid, one.nodes[0], 'reboot'), 'down')
  assert.is(await told(two.uuid, two.nodes[0], 'reboot'), 'write-pause')
  assert.is(await told(two.uuid, two.nodes[1], 'reboot'), 'none')
  assert.is(await told(two.uuid, two.nodes[1], 'promote'), 'write-pause')
})

calls('a replica is promoted by a job of its own', async () => {
  const { uuid, nodes: [, replica] } = await deployed(2)
  const { status, body } = await act(uuid, replica, 'promote')
  assert.is(status, 202)
  const { events } = await store.read(`datastore-${uuid}`)
  const queued = events.slice(-2).map(({ type, data }) => [type, z.object({ jobId: z.string(), kind: z.string() }).parse(data)])
  const job = { jobId: Taken.parse(body).job_id, kind: 'promote-replica' }
  assert.equal(queued, [['JobQueued', job], ['JobAdmitted', job]])
})

calls('a node is rebooted by a job of its own, the primary too', async () => {
  const { uuid, nodes } = await deployed(2)
  for (const nodeId of nodes) assert.is((await act(uuid, nodeId, 'reboot')).status, 202)
  assert.equal((await stateOf(uuid)).queue.map(({ kind, change }) => [kind, change]), nodes.map((nodeId) => [
    'reboot-node', { kind: 'reboot-node', nodeId },
  ]))
})

calls('a node is repaired by another one in its place, of its size and in its zone; the only one where it is', async () => {
  const { uuid, nodes } = await deployed(2)
  const { spec } = await stateOf(uuid)
  for (const nodeId of nodes) assert.is((await act(uuid, nodeId, 'repair')).status, 202)
  const { queue } = await stateOf(uuid)
  for (const [n, { kind, change }] of queue.entries()) {
    assert.is(kind, 'repair-node')
    if (change?.kind !== 'repair-node' || change.replacement === null) throw new Error('nothing comes in its place')
    const { nodeId, name, zone, instance } = change.replacement
    assert.is(change.nodeId, nodes[n])
    assert.equal([zone, instance], [spec.nodes[n]?.zone, spec.nodes[n]?.instance])
    assert.not(spec.nodes.some((node) => node.nodeId === nodeId || node.name === name))
  }
  // Both jobs are planned for what there will be; the first of these nodes will be there no more.
  assert.is((await act(uuid, nodes[0], 'repair')).status, 404)
  const one = await deployed(1)
  assert.is((await act(one.uuid, one.nodes[0], 'repair')).status, 202)
  const [alone] = (await stateOf(one.uuid)).queue
  assert.equal(alone?.change, { kind: 'repair-node', nodeId: one.nodes[0], replacement: null })
})

calls('the primary is not promoted, as it will be once all that waits is done', async () => {
  const { uuid, nodes: [primary, replica] } = await deployed(2)
  const refused = (nodeId: string | undefined) => [409, 'node-is-primary', `node ${nodeId} is the primary already`]
  assert.equal(await refusalOf(act(uuid, primary, 'promote')), refused(primary))
  assert.is((await act(uuid, replica, 'promote')).status, 202)
  assert.equal(await refusalOf(act(uuid, replica, 'promote')), refused(replica))
  assert.is((await act(uuid, primary, 'promote')).status, 202)
})

calls('a datastore that is being deployed takes what is to be done afterwards', async () => {
  const { uuid, nodes: [first, second] } = await created(2)
  assert.is((await refusalOf(act(uuid, first, 'promote')))[1], 'node-is-primary')
  assert.is((await act(uuid, second, 'promote')).status, 202)
})

calls('a repeat under an idempotency key happens once', async () => {
  const { uuid, nodes: [, replica] } = await deployed(2)
  const first = await act(uuid, replica, 'reboot', 'alice', 'key-1')
  const again = await act(uuid, replica, 'reboot', 'alice', 'key-1')
  assert.is(again.text, first.text)
  assert.is((await stateOf(uuid)).queue.length, 1)
})

calls("another's datastore, and a node that there is not, are not found", async () => {
  const { uuid, nodes: [, replica] } = await deployed(2)
  const nobody = '0d000000-0000-4000-8000-00000000000d'
  for (const verb of ['promote', 'reboot', 'repair'] as const) {
    assert.equal(await refusalOf(act(uuid, replica, verb, 'bob')), [404, 'datastore-not-found', `there is no datastore ${uuid}`])
    assert.equal(await refusalOf(act(uuid, nobody, verb)), [404, 'node-not-found', `the datastore has no node ${nobody}`])
    assert.is((await refusalOf(act(uuid, 'db-1', verb)))[0], 400)
  }
})

calls('a datastore that is not there to be changed says so', async () => {
  const failed = await created(2)
  await end(failed.uuid, 'failed')
  const leaving = await deployed(2)
  assert.is((await rest.ask('DELETE', `${CLUSTER}/${leaving.uuid}`, { as: 'alice' })).status, 200)
  for (const [{ uuid, nodes }, why] of [[failed, 'was never deployed'], [leaving, 'is being deleted']] as const) {
    const expected = [409, 'datastore-not-running', `datastore ${uuid} ${why}`]
    assert.equal(await refusalOf(act(uuid, nodes[1], 'promote')), expected)
    assert.equal(await refusalOf(act(uuid, nodes[1], 'reboot')), expected)
  }
})

calls.run()
