import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { knownDatastore, sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import { handle } from '../../command-handlers/handle.ts'
import type { JobEnd } from '../../domain/datastore/messages.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand } from '../../domain/job/messages.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { newInput, noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { type Rest, startRest } from '../support/rest.ts'

const calls = suite('the call that tries a job once more')

const CLUSTER = '/api/prov/api/v2/cluster'
const Created = z.object({ uuid: z.uuid() })
const Taken = z.object({ job_id: z.uuid(), state: z.string() })
const Problem = z.object({ type: z.string() })
const Plan = z.object({ jobs: z.array(z.object({ kind: z.string() })), nodes_after: z.array(z.unknown()) })

const store = memoryEventStore()
let rest: Rest

calls.before(async () => {
  const personal = openPersonalData
  const settings = { store, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15, now: () => noon, personal }
  rest = await startRest(commandEndpoints({ ...settings, traceparent: () => undefined }))
})
calls.after(() => rest.close())

const send = sendToDatastore({ store })
const sendJob = handle({ store }, job(sagas), ({ data }: JobCommand) => `job-${data.jobId}`)
const cause = () => {
  const commandId = randomUUID()
  return { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'runner' } } as const
}
const stateOf = async (datastoreId: string) => (await knownDatastore({ store }, datastoreId, undefined)).state
const atWork = async (datastoreId: string): Promise<string> => (await stateOf(datastoreId)).queue[0]?.jobId ?? ''

const end = async (datastoreId: string, how: JobEnd): Promise<string> => {
  const jobId = await atWork(datastoreId)
  const nodes = how === 'finished' ? (await stateOf(datastoreId)).spec.nodes.map(({ nodeId }, n) => ({
    nodeId, role: n === 0 ? 'primary' : 'replica', privateAddress: `10.0.0.${n}`, publicAddress: `203.0.113.${n}`,
  } as const)) : []
  await send({ type: 'RecordJobEnded', data: { datastoreId, jobId, end: how, because: 'no room', nodes, now: noon } }, cause())
  return jobId
}

const created = async (): Promise<string> => {
  const body = {
    general: { cluster_name: 'alpha', cluster_size: 2, db_vendor: 'postgres' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 10 },
  }
  return Created.parse((await rest.ask('POST', CLUSTER, { as: 'alice', body })).body).uuid
}

const retry = (uuid: string, jobId: string, { as = 'alice', query = '' } = {}) =>
  rest.ask('POST', `/api/v1/datastores/${uuid}/jobs/${jobId}/retry${query}`, { as })

calls('deploys anew, on other nodes, what was never deployed; sent twice it happens once', async () => {
  const uuid = await created()
  const before = (await stateOf(uuid)).spec.nodes
  const failed = await end(uuid, 'failed')
  const planned = await retry(uuid, failed, { query: '?dryRun=true' })
  assert.is(planned.status, 200)
  assert.equal(Plan.parse(planned.body).jobs.map(({ kind }) => kind), ['deploy-datastore'])
  assert.is(Plan.parse(planned.body).nodes_after.length, 2)
  assert.is((await stateOf(uuid)).status, 'deploy-failed', 'a dry run does nothing')

  const [one, other] = await Promise.all([retry(uuid, failed), retry(uuid, failed)])
  assert.is(one.status, 202)
  assert.equal(Taken.parse(one.body), Taken.parse(other.body))
  const { status, queue, spec } = await stateOf(uuid)
  assert.is(status, 'deploying')
  assert.equal(queue.map(({ jobId }) => jobId), [Taken.parse(one.body).job_id])
  const all = [...before, ...spec.nodes]
  assert.is(new Set(all.map(({ nodeId }) => nodeId)).size, 4)
  assert.is(new Set(all.map(({ name }) => name)).size, 4)
})

calls('asks for a change that failed again, and says in words when it makes no sense any more', async () => {
  const uuid = await created()
  const deployed = await end(uuid, 'finished')
  const refused = await retry(uuid, deployed)
  assert.is(refused.status, 409)
  assert.is(Problem.parse(refused.body).type, '/problems/job-not-retriable')

  await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', body: { add_nodes: { specs: [{}] } } })
  const waiting = await retry(uuid, await atWork(uuid))
  assert.equal(Taken.parse(waiting.body).state, 'running', 'it is about to begin')
  const failed = await end(uuid, 'failed')
  const again = Taken.parse((await retry(uuid, failed)).body)
  assert.is(again.state, 'queued')
  assert.is(await atWork(uuid), again.job_id)
})

calls('resumes at once a job that waits to repeat a step', async () => {
  const uuid = await created()
  const jobId = await atWork(uuid)
  const input = { ...newInput(1), datastoreId: uuid }
  await sendJob({ type: 'StartJob', data: { jobId, kind: 'deploy-datastore', input, now: noon } }, cause())
  assert.is(Taken.parse((await retry(uuid, jobId)).body).state, 'running')
  const outcome = { orderId: 'o', jobId, at: noon, step: 'network', key: 'all', attempt: 1, course: 'forward' } as const
  const failure = { ...outcome, kind: 'failed', because: 'busy', final: false } as const
  await sendJob({ type: 'RecordOutcome', data: { jobId, outcome: failure, now: noon } }, cause())
  assert.equal(Taken.parse((await retry(uuid, jobId)).body), { job_id: jobId, state: 'resumed' })
  assert.equal(Taken.parse((await retry(uuid, jobId)).body), { job_id: jobId, state: 'running' })
})

calls('knows nothing of what is not there or is another one’s', async () => {
  const uuid = await created()
  const failed = await end(uuid, 'failed')
  assert.is((await retry(uuid, failed, { as: 'bob' })).status, 404)
  assert.is((await retry(uuid, randomUUID())).status, 404)
  assert.is((await retry(uuid, 'x')).status, 400)
})

calls.run()
