import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { fold, handle } from '../../command-handlers/handle.ts'
import { freshId } from '../../command-handlers/ids.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand } from '../../domain/job/messages.ts'
import { isPastReturn } from '../../domain/job/moves.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData, sealed } from '../support/personal-data.ts'
import { principals, type Rest, startRest } from '../support/rest.ts'

const changes = suite('changes of a datastore over REST')

const CLUSTER = '/api/prov/api/v2/cluster'
const store = memoryEventStore()
let rest: Rest

changes.before(async () => {
  const ports = { store, now: () => noon, personal: openPersonalData, traceparent: () => undefined }
  rest = await startRest(commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 }))
})
changes.after(() => rest.close())

/** As the Terraform provider sends it: all nine keys, with "", 0 or null for what it does not mean. */
const terraform = {
  cluster_name: '',
  new_volume_size: 0,
  new_instance_size: '',
  remove_nodes: null,
  add_nodes: null,
  notifications: null,
  maintenance_settings: null,
  change_volume: null,
  tags: null,
}
const window = { day_of_week: 1, start_hour: 0, end_hour: 2 }

const Reply = z.looseObject({ uuid: z.uuid(), cluster_name: z.string(), cluster_size: z.int(), azs: z.array(z.string()) })
const Problem = z.object({ err: z.string(), type: z.string(), field: z.string().optional() })
const stateOf = async (uuid: string) => {
  const { state } = await fold({ store }, datastore, `datastore-${uuid}`)
  if (state.status === 'absent') throw new Error('BUG: it was created')
  return state
}
const eventsOf = async (uuid: string) => (await store.read(`datastore-${uuid}`)).events
const typesOf = async (uuid: string) => (await eventsOf(uuid)).map(({ type }) => type)

const asSystem = (commandId = freshId()) => ({
  commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'runner' } as const,
})
const told = (command: DatastoreCommand) =>
  handle({ store }, datastore, ({ data }: DatastoreCommand) => `datastore-${data.datastoreId}`)(command, asSystem())
const toJob = (command: JobCommand) =>
  handle({ store }, job(sagas), ({ data }: JobCommand) => `job-${data.jobId}`)(command, asSystem())

/** Ends the job at work as a runner would. */
const endJob = async (uuid: string): Promise<void> => {
  const { queue, nodes: known, spec } = await stateOf(uuid)
  const nodes = spec.nodes.map(({ nodeId }, n) => ({
    nodeId, role: n === 0 ? ('primary' as const) : ('replica' as const), privateAddress: `10.0.0.${n}`, publicAddress: '',
  }))
  const jobId = queue[0]?.jobId ?? ''
  const found = known.length > 0 ? known : nodes
  const about = { datastoreId: uuid, jobId, now: noon }
  await told({ type: 'RecordJobEnded', data: { ...about, end: 'finished', because: null, nodes: found } })
}

const deployed = async (size = 1): Promise<string> => {
  const body = {
    general: { cluster_name: 'shop', cluster_size: size, db_vendor: 'postgres', tags: ['a'] },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'small', volume_size: 1 },
  }
  const { uuid } = Reply.parse((await rest.ask('POST', CLUSTER, { as: 'alice', body })).body)
  await endJob(uuid)
  return uuid
}
type How = { readonly key?: string; readonly as?: string; readonly query?: string }
const patch = (uuid: string, body: unknown, { key, as = 'alice', query = '' }: How = {}) =>
  rest.ask('PATCH', `${CLUSTER}/${uuid}${query}`, {
    as, body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  })

changes('all nine keys with nothing meant change nothing, and answer with the datastore', async () => {
  const uuid = await deployed(2)
  const head = await store.head()
  const raw = new TextEncoder().encode(`${JSON.stringify({ ...terraform, maintenance_settings: window, tags: ['a'] })}\n`)
  const { status, body } = await rest.ask('PATCH', `${CLUSTER}/${uuid}`, { as: 'alice', raw })
  assert.is(status, 200)
  assert.equal(body, {
    uuid, cluster_uuid: uuid, cluster_name: 'shop', cluster_type: 'postgres_streaming',
    region: 'local-1', cloud_provider: 'local', cluster_size: 2,
    database_vendor: 'postgres', database_version: '15', instance_size: 'small',
    cluster_instance_disk_type: 'local', iops: null, disk_size: 1, high_availability: false, vpc_uuid: null, tags: ['a'],
    azs: ['a', 'b'],
  })
  assert.equal(await store.head(), head)
})

changes('settings change at once, in one event, with words sealed', async () => {
  const uuid = await deployed()
  const notifications = { enabled: true, emails: ['me@example.com'] }
  const later = { day_of_week: 7, start_hour: 22, end_hour: 0 }
  const { body } = await patch(uuid, { cluster_name: 'store', notifications, maintenance_settings: later, tags: [] })
  assert.equal([Reply.parse(body).cluster_name, Reply.parse(body)['tags']], ['store', []])
  const last = (await eventsOf(uuid)).at(-1)
  assert.is(last?.type, 'SettingsChanged')
  assert.equal(last?.data, {
    datastoreId: uuid,
    at: noon,
    settings: {
      name: sealed('store'),
      tags: [],
      notifications: { enabled: true, emails: [sealed('me@example.com')] },
      maintenance: { dayOfWeek: 7, startHour: 22, endHour: 0 },
    },
  })
  assert.is(last?.metadata.actor.kind, 'user')
})

changes('settings have a path of their own for the maintenance window', async () => {
  const uuid = await deployed()
  const later = { day_of_week: 2, start_hour: 3, end_hour: 5 }
  const { status } = await rest.ask('PATCH', `/api/v2/stores/${uuid}`, { as: 'alice', body: { maintenance_settings: later } })
  assert.is(status, 200)
  assert.equal((await stateOf(uuid)).spec.maintenance, { dayOfWeek: 2, startHour: 3, endHour: 5 })
  const none = await rest.ask('PATCH', `/api/v2/stores/${uuid}`, { as: 'alice', body: {} })
  assert.equal([none.status, Problem.parse(none.body).field], [400, 'maintenance_settings'])
})

changes('a node that leaves all open gets the size of the datastore and the least used zone', async () => {
  const uuid = await deployed()
  const { body } = await patch(uuid, { add_nodes: { specs: [{}, { instance_size: 'local.nano', availability_zone: 'a' }] } })
  assert.equal(Reply.parse(body).azs, ['a', 'b', 'a'])
  const { queue } = await stateOf(uuid)
  const [added] = queue
  assert.is(added?.change?.kind, 'add-nodes')
  if (added?.change?.kind !== 'add-nodes') return
  assert.is(added.change.nodesMax, 3)
  assert.equal(added.change.nodes.map(({ zone, instance }) => [zone, instance.code]), [['b', 'small'], ['a', 'nano']])
  assert.match(added.change.nodes[0]?.name ?? '', /^db-[0-9a-z]{5}$/)
})

changes('Terraform sets settings and scales right behind, and both are taken', async () => {
  const uuid = await deployed(1)
  const later = { day_of_week: 1, start_hour: 2, end_hour: 4 }
  const specs = [{ instance_size: 'local.small', availability_zone: 'b' }, { instance_size: 'small', availability_zone: 'c' }]
  const first = await patch(uuid, { ...terraform, maintenance_settings: later, tags: ['a'] })
  const second = await patch(uuid, { ...terraform, maintenance_settings: later, add_nodes: { specs } })
  assert.equal([first.status, second.status], [200, 200])
  assert.equal([Reply.parse(first.body).cluster_size, Reply.parse(second.body).cluster_size], [1, 3])
  assert.equal((await typesOf(uuid)).slice(-3), ['SettingsChanged', 'JobQueued', 'JobAdmitted'])
})

changes('changes sent at once queue up, and are held against one another', async () => {
  const uuid = await deployed(1)
  const answers = await Promise.all([1, 2, 3].map(() => patch(uuid, { add_nodes: { specs: [{}] } })))
  assert.equal(answers.map(({ status }) => status).toSorted((a, b) => a - b), [200, 200, 409])
  assert.is(Problem.parse(answers.find(({ status }) => status === 409)?.body).type, '/problems/node-limit-reached')
  const { queue } = await stateOf(uuid)
  assert.is(queue.length, 2)
})

changes('one request adds before it removes, each by its own job', async () => {
  const uuid = await deployed(2)
  const { spec } = await stateOf(uuid)
  const going = spec.nodes[1]?.nodeId ?? ''
  const before = (await eventsOf(uuid)).length
  const body = { cluster_name: 'moved', remove_nodes: { node_uuids: [going, going.toUpperCase()] }, add_nodes: { specs: [{}] } }
  const answer = await patch(uuid, body)
  assert.is(Reply.parse(answer.body).cluster_size, 2)
  const { queue } = await stateOf(uuid)
  assert.equal(queue.map(({ kind }) => kind), ['add-nodes', 'remove-nodes'])
  assert.equal(queue[1]?.change, { kind: 'remove-nodes', nodeIds: [going] })
  const written = (await eventsOf(uuid)).slice(before).map(({ metadata }) => metadata)
  assert.is(new Set(written.map(({ correlationId }) => correlationId)).size, 1)
  assert.is(new Set(written.map(({ commandId }) => commandId)).size, 3)
})

changes('a repeat under one key changes once and answers as the first did', async () => {
  const uuid = await deployed(1)
  const body = { cluster_name: 'twice', add_nodes: { specs: [{}] } }
  const answers = await Promise.all([1, 2, 3, 4].map(() => patch(uuid, body, { key: 'again' })))
  assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1)
  assert.is((await typesOf(uuid)).filter((type) => type === 'JobQueued').length, 2)
  assert.is((await typesOf(uuid)).filter((type) => type === 'SettingsChanged').length, 1)
  const other = await patch(uuid, { cluster_name: 'thrice' }, { key: 'again' })
  assert.equal([other.status, Problem.parse(other.body).type], [422, '/problems/idempotency-key-reused'])
})

changes('a request whose answer was never recorded is finished by its repeat', async () => {
  const uuid = await deployed(1)
  const append: typeof store.append = async (stream, ...rest) => {
    if (stream.startsWith('request-')) throw new Error('the service ends here')
    return store.append(stream, ...rest)
  }
  const dying = { ...store, append }
  const ports = { store: dying, now: () => noon, personal: openPersonalData, traceparent: () => undefined }
  const endpoints = commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 })
  const change = endpoints.find(({ method, path }) => method === 'PATCH' && path.startsWith(CLUSTER))
  const body = { cluster_name: 'brave', add_nodes: { specs: [{}, {}] } }
  const request = {
    params: { uuid }, query: {}, body, principal: principals.alice,
    requestId: 'req_1', idempotencyKey: 'late', address: '127.0.0.1',
    header: () => undefined, signal: new AbortController().signal,
  }
  const died = await change?.handle(request).then(() => undefined, String)
  assert.match(died ?? '', /ends here/)
  const again = await patch(uuid, body, { key: 'late' })
  assert.equal([again.status, Reply.parse(again.body).cluster_size], [200, 3])
  assert.is((await typesOf(uuid)).filter((type) => type === 'JobQueued').length, 2)
})

changes('nothing is done when any part of a request is malformed or refused', async () => {
  const uuid = await deployed(2)
  const [primary, replica] = (await stateOf(uuid)).spec.nodes.map(({ nodeId }) => nodeId)
  const head = await store.head()
  const more = (...specs: readonly object[]) => ({ add_nodes: { specs } })
  const refusals: readonly (readonly [object, number, string, RegExp])[] = [
    [{ new_volume_size: 101 }, 400, 'out-of-range', /^new_volume_size must be between 1 and 100/],
    [{ new_volume_size: 1, change_volume: { new_volume_size: 3 } }, 409, 'volume-cannot-shrink', /^new_volume_size .* 3 GiB/],
    [{ new_instance_size: 'huge' }, 400, 'not-offered', /^new_instance_size must be one of: nano/],
    [{ change_volume: { new_volume_type: 'fast', new_volume_iops: 0 } }, 400, 'not-offered', /^change_volume\.new_volume_type /],
    [{ change_volume: { new_volume_iops: 3000 } }, 400, 'not-offered', /^change_volume\.new_volume_iops/],
    [{ change_volume: { new_volume_size: 101 } }, 400, 'out-of-range', /^change_volume\.new_volume_size/],
    [more({ instance_size: 'huge' }), 400, 'not-offered', /^add_nodes\.specs\[0\]\.instance_size must be one of: nano/],
    [more({}, { availability_zone: 'z' }), 400, 'not-offered', /^add_nodes\.specs\[1\]\.availability_zone must be one of: a/],
    [more({}, {}), 409, 'node-limit-reached', /at most 3/],
    [{ add_nodes: { specs: {} } }, 400, 'malformed-request', /^add_nodes\.specs: /],
    [{ add_nodes: [] }, 400, 'malformed-request', /^add_nodes: /],
    [{ remove_nodes: { node_uuids: [primary] } }, 409, 'node-is-primary', /promote another/],
    [{ remove_nodes: { node_uuids: [primary, replica] } }, 409, 'no-node-left', /at least one/],
    [{ remove_nodes: { node_uuids: [freshId()] } }, 404, 'node-not-found', /no node/],
    [{ remove_nodes: { node_uuids: ['x'] } }, 400, 'malformed-request', /^remove_nodes\.node_uuids\[0\]: /],
    [{ maintenance_settings: { ...window, end_hour: 3 } }, 400, 'out-of-range', /^maintenance_settings\.end_hour/],
    [{ maintenance_settings: { ...window, day_of_week: 0 } }, 400, 'malformed-request', /^maintenance_settings\.day_of_week/],
    [{ maintenance_settings: { day_of_week: 1 } }, 400, 'malformed-request', /^maintenance_settings\.start_hour/],
    [{ cluster_name: 'x'.repeat(65) }, 400, 'malformed-name', /^cluster_name/],
    [{ cluster_name: 7 }, 400, 'malformed-request', /^cluster_name: /],
    [{ tags: ['a', 'a'] }, 400, 'malformed-tags', /^tags must not repeat/],
    [{ notifications: { enabled: true, emails: ['nobody'] } }, 400, 'malformed-request', /^notifications\.emails\[0\]/],
    [{ new_volume_size: -1 }, 400, 'malformed-request', /^new_volume_size/],
  ]
  for (const [wrong, expected, code, message] of refusals) {
    const { status, body } = await patch(uuid, { cluster_name: 'changed', ...wrong })
    const { err, type } = Problem.parse(body)
    assert.equal([status, type], [expected, `/problems/${code}`], JSON.stringify(wrong))
    assert.match(err, message)
  }
  for (const body of ['text', [], null]) assert.is((await patch(uuid, body)).status, 400)
  assert.equal(await store.head(), head)
})

changes("another's datastore cannot be changed, and no hint is given", async () => {
  const uuid = await deployed()
  const head = await store.head()
  const { queue } = await stateOf(uuid)
  const cancel = `/api/v1/datastores/${uuid}/jobs/${queue[0]?.jobId ?? freshId()}/cancel`
  const answers = await Promise.all([
    patch(uuid, { cluster_name: 'mine' }, { as: 'bob' }),
    patch(uuid, { cluster_name: 'mine' }, { as: 'bob', query: '?dryRun=true' }),
    patch(freshId(), { cluster_name: 'mine' }, { as: 'bob' }),
    rest.ask('PATCH', `/api/v2/stores/${uuid}`, { as: 'bob', body: { maintenance_settings: window } }),
    rest.ask('DELETE', `${CLUSTER}/${uuid}?dryRun=true`, { as: 'bob' }),
    rest.ask('POST', cancel, { as: 'bob' }),
  ])
  for (const { status, body } of answers) {
    assert.equal([status, Problem.parse(body).type], [404, '/problems/datastore-not-found'])
  }
  assert.equal(await store.head(), head)
})

changes('a datastore that is going cannot be changed any more', async () => {
  const uuid = await deployed()
  await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })
  for (const body of [{ cluster_name: 'late' }, { add_nodes: { specs: [{}] } }]) {
    const answer = await patch(uuid, body)
    assert.equal([answer.status, Problem.parse(answer.body).type], [409, '/problems/datastore-not-running'])
  }
})

const DryRun = z.object({
  dry_run: z.literal(true), settings: z.array(z.string()), jobs_ahead: z.int(),
  jobs: z.array(z.object({ kind: z.string(), title: z.string(), steps: z.array(z.object({ title: z.string() })) })),
  nodes_before: z.array(
    z.object({ host_uuid: z.string().nullable(), role: z.string().nullable(), availability_zone: z.string() }),
  ),
  nodes_after: z.array(z.object({ host_uuid: z.string().nullable() })),
})

changes('a dry run tells the jobs, their steps and the nodes, and writes nothing', async () => {
  const uuid = await deployed(2)
  const [primary, replica] = (await stateOf(uuid)).spec.nodes.map(({ nodeId }) => nodeId)
  const head = await store.head()
  const body = { cluster_name: 'other', remove_nodes: { node_uuids: [replica] }, add_nodes: { specs: [{}] } }
  const answer = await patch(uuid, body, { query: '?dryRun=true', key: 'dry' })
  const { settings, jobs, nodes_before, nodes_after } = DryRun.parse(answer.body)
  assert.equal(settings, ['cluster_name'])
  assert.equal(jobs.map(({ kind }) => kind), ['add-nodes', 'remove-nodes'])
  assert.ok(jobs.every(({ steps }) => steps.length > 0))
  // A replica stays, so the name of the replicas does.
  assert.not.ok(jobs[1]?.steps.some(({ title }) => title === 'Withdraw the name of the replicas'))
  assert.equal(
    nodes_before.map((node) => [node.host_uuid, node.role, node.availability_zone]),
    [[primary, 'primary', 'a'], [replica, 'replica', 'b']],
  )
  assert.equal(nodes_after.map((node) => node.host_uuid), [primary, null])
  const refused = await patch(uuid, { add_nodes: { specs: [{}, {}] } }, { query: '?dryRun=true' })
  assert.is(refused.status, 409)
  const gone = DryRun.parse((await rest.ask('DELETE', `${CLUSTER}/${uuid}?dryRun=true`, { as: 'alice' })).body)
  assert.equal([gone.jobs.map(({ kind }) => kind), gone.nodes_before.length, gone.nodes_after], [['delete-datastore'], 2, []])
  assert.equal(await store.head(), head)
  const wrong = await rest.ask('DELETE', `${CLUSTER}/${uuid}?dryRun=yes`, { as: 'alice' })
  assert.equal([wrong.status, Problem.parse(wrong.body).field], [400, 'dryRun'])
  assert.is((await patch(uuid, body, { query: '?dryRun=false', key: 'dry' })).status, 200)
  assert.is((await stateOf(uuid)).queue.length, 2)
})

const Stopped = z.object({ job_id: z.string(), state: z.string() })
const cancel = (uuid: string, jobId: string) =>
  rest.ask('POST', `/api/v1/datastores/${uuid}/jobs/${jobId}/cancel`, { as: 'alice' })

changes('a job that waits never begins once it is cancelled, one at work is asked to stop', async () => {
  const uuid = await deployed(1)
  await patch(uuid, { add_nodes: { specs: [{}] } })
  await patch(uuid, { add_nodes: { specs: [{}] } })
  const [atWork, waiting] = (await stateOf(uuid)).queue.map(({ jobId }) => jobId)
  assert.equal(Stopped.parse((await cancel(uuid, waiting ?? '')).body), { job_id: waiting, state: 'dropped' })
  assert.equal(Stopped.parse((await cancel(uuid, atWork ?? '')).body), { job_id: atWork, state: 'stopping' })
  assert.equal(Stopped.parse((await cancel(uuid, waiting ?? '')).body), { job_id: waiting, state: 'ended' })
  assert.equal((await typesOf(uuid)).slice(-3), ['ChangeAbandoned', 'JobDropped', 'JobCancellationAsked'])
  const unknown = await cancel(uuid, freshId())
  assert.equal([unknown.status, Problem.parse(unknown.body).type], [404, '/problems/job-not-found'])
})

/** Lets every order of a job succeed until it can only go on. */
const untilPastReturn = async (jobId: string): Promise<void> => {
  for (;;) {
    const { state } = await fold({ store }, job(sagas), `job-${jobId}`)
    if (state.status !== 'running') throw new Error('BUG: the job has not begun, or has ended')
    if (isPastReturn(sagas[state.kind](state.input), state)) return
    for (const key of Object.keys(state.work)) {
      const at = { step: state.step ?? '', key, attempt: 1, course: 'forward' } as const
      const outcome = { kind: 'succeeded', result: {}, orderId: 'o', jobId, at: noon, ...at } as const
      await toJob({ type: 'RecordOutcome', data: { jobId, outcome, now: noon } })
    }
  }
}

changes('a job past its point of no return cannot be cancelled', async () => {
  const uuid = await deployed(2)
  const replica = (await stateOf(uuid)).spec.nodes[1]?.nodeId ?? ''
  await patch(uuid, { remove_nodes: { node_uuids: [replica] } })
  const { queue, spec, nodes } = await stateOf(uuid)
  const { jobId = '', change } = queue[0] ?? {}
  if (change === undefined) throw new Error('BUG: a change is at work')
  const input = { datastoreId: uuid, spec, nodes, change }
  await toJob({ type: 'StartJob', data: { jobId, kind: 'remove-nodes', input, now: noon } })
  await untilPastReturn(jobId)
  const head = await store.head()
  const { status, body } = await cancel(uuid, jobId)
  assert.equal([status, Problem.parse(body).type], [409, '/problems/job-past-return'])
  assert.equal(await store.head(), head)
})

changes('a deletion that waits can be taken back, and the datastore stays', async () => {
  const uuid = await deployed(1)
  await patch(uuid, { add_nodes: { specs: [{}] } })
  await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })
  const deletion = (await stateOf(uuid)).queue.at(-1)?.jobId ?? ''
  assert.is(Stopped.parse((await cancel(uuid, deletion)).body).state, 'dropped')
  assert.is((await stateOf(uuid)).status, 'running')
})

changes.run()
