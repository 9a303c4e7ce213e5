import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import type { Position } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { readApi } from '../../read-api/index.ts'
import { account } from '../../domain/account/account.ts'
import { handle } from '../../command-handlers/handle.ts'
import { sagas } from '../../sagas/index.ts'
import { startAudit } from '../support/audit.ts'
import { carryOut } from '../support/carry-out.ts'
import { noon } from '../support/examples.ts'
import { pastIn } from '../support/past.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'
import { openPersonalData, sealed } from '../support/personal-data.ts'

const test = suite('what clients read')

const WAIT_MS = 20_000
const CLUSTER = '/api/prov/api/v2/cluster'
const STORES = '/api/deployment/v3/data-stores'
const jobsPath = (uuid: string) => `/api/deployment/v2/data-stores/${uuid}/jobs`
const nodesPath = (uuid: string) => `/api/deployment/v2/data-stores/${uuid}/nodes`
const NOBODYS = '0e000000-0000-4000-8000-00000000000e'

const catalogue = readCatalogue()
const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'read_api')
const store = memoryEventStore()
const position = readPosition({ url: readStore.url })
const projector = startProjector(store, readStore)
const audit = await startAudit(store, readStore)
const opened: string[] = []
let now = noon
const endpoints = [
  ...commandEndpoints({
    store,
    catalogue,
    sagas,
    domain: 'ccx.test',
    ttlSeconds: 15,
    now: () => now,
    personal: openPersonalData,
    traceparent: () => undefined,
  }),
  ...readApi({
    db: readStore.db,
    catalogue,
    personal: openPersonalData,
    history: pastIn(store, readStore, audit, () => now),
    version: '0.0.1',
    openAuthority: async () => 'the certificate',
    openPassword: async ({ datastore_id, owner_id }) => {
      opened.push(datastore_id)
      return owner_id === principals.alice.ownerId ? 'S3cret' : undefined
    },
  }),
]
const rest = await startRest(endpoints, { waitFor: (wanted) => position.waitFor(wanted, WAIT_MS) })
test.after(async () => {
  await rest.close()
  await projector.stop()
  await audit.stop()
  await position.close()
  await readStore.close()
  await server.stop()
})

const Fields = z.record(z.string(), z.json())
type Fields = z.infer<typeof Fields>
const textOf = (value: unknown): string => z.string().parse(value)
const Jobs = z.object({ jobs: z.array(Fields), total: z.int() })

const read = async (path: string, as = 'alice', headers = {}): Promise<Fields> => {
  const { status, body, text } = await rest.ask('GET', path, { as, headers })
  assert.is(status, 200, text)
  return Fields.parse(body)
}
const statusOf = async (path: string, as = 'alice') => (await rest.ask('GET', path, { as })).status

const create = async (cluster_name: string, { size = 1, as = 'alice', more = {} } = {}): Promise<string> => {
  const body = {
    general: {
      cluster_name,
      cluster_size: size,
      db_vendor: 'postgres',
      db_version: '15',
      cluster_type: 'postgres_streaming',
      ...more,
    },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'small', volume_type: 'local', volume_size: 20, volume_iops: 0 },
    network: { network_type: 'public', ha_enabled: size > 1 },
    notifications: { enabled: true, emails: ['ops@example.com'] },
  }
  const { status, body: reply, text } = await rest.ask('POST', CLUSTER, { as, body })
  assert.is(status, 201, text)
  return z.object({ uuid: z.string() }).parse(reply).uuid
}
const remove = async (uuid: string): Promise<void> => {
  assert.is((await rest.ask('DELETE', `${CLUSTER}/${uuid}`, { as: 'alice' })).status, 200)
}
const newestJob = async (uuid: string): Promise<Fields> => Jobs.parse(await read(jobsPath(uuid))).jobs[0] ?? {}
const settled = async (at: Position | undefined): Promise<void> => {
  assert.ok(at !== undefined && (await position.waitFor(at, WAIT_MS)))
}
type Fate = { readonly until?: string; readonly fails?: string }
const carryOutNewest = async (uuid: string, fate: Fate = {}): Promise<void> => {
  const { job_id } = await newestJob(uuid)
  await settled(await carryOut(store, { datastoreId: uuid, jobId: textOf(job_id) }, { now, ...fate }))
}

test('a datastore and its job can be read as soon as it is created', async () => {
  const uuid = await create('early')
  const found = await read(`${STORES}/${uuid}`)
  assert.equal(
    [found['cluster_status'], found['is_deploying'], found['deploy_progress'], found['operable'], found['primary_url']],
    ['DEPLOYING', true, 0, false, null],
  )
  const job = await newestJob(uuid)
  assert.equal(
    [job['type'], job['status'], job['text']],
    ['JOB_TYPE_DEPLOY_DATASTORE', 'JOB_STATUS_RUNNING', 'Waiting for its turn'],
  )
  assert.equal(found['current_job'], {
    uuid: job['job_id'],
    cluster_uuid: uuid,
    command: 'deploy_datastore',
    status: 'running',
    progress: 0,
    created_at: noon,
  })
})

test('a deployed datastore reads as what was asked for, with all that is needed to connect', async () => {
  const uuid = await create('alpha', { size: 2, more: { tags: ['blue'] } })
  await carryOutNewest(uuid)
  const { azs, ...rest } = await read(`${STORES}/${uuid}`)
  assert.is(Array.isArray(azs) && azs.length, 2)
  assert.equal(rest, {
    uuid,
    cluster_name: 'alpha',
    cluster_status: 'STARTED',
    cluster_status_text: 'All nodes are running',
    cluster_type: 'postgres_streaming',
    cluster_type_name: 'Streaming Replication',
    cluster_size: 2,
    database_vendor: 'postgres',
    database_version: '15',
    database_endpoint: `${uuid}.ccx.test`,
    cloud_provider: 'local',
    region: { code: 'local-1', display_code: 'Local 1', name: 'This machine' },
    instance_size: 'small',
    disk_size: 20,
    disk_type: 'local',
    iops: null,
    operable: true,
    not_operable_reason: '',
    ssl_enabled: true,
    high_availability: true,
    tags: ['blue'],
    is_deploying: false,
    deploy_progress: 100,
    created_at: noon,
    updated_at: noon,
    db_account: {
      database_username: 'ccxadmin',
      database_password: 'S3cret',
      database_host: `${uuid}.ccx.test`,
      database_database: 'ccxdb',
      database_privileges: null,
    },
    primary_url: `${uuid}.ccx.test`,
    replica_url: `replica.${uuid}.ccx.test`,
    vpc: null,
    maintenance_settings: { day_of_week: 1, start_hour: 0, end_hour: 2 },
    notifications: { enabled: true, emails: ['ops@example.com'] },
    parameter_group_id: null,
    current_job: null,
    is_ca_available: true,
    high_availability_settings: {
      synchronous: false, prefer: 'consistency', repair_after_seconds: 300, lag_max_bytes: 16_777_216,
      max_failovers_per_hour: 3,
    },
    upgrade_available: false,
    upgrade_nodes: [],
    upgrade_in_window: false,
  })
})

test('nodes have the fields that clients need to connect and to scale', async () => {
  const uuid = await create('nodes', { size: 2 })
  const planned = z.object({ database_nodes: z.array(Fields) }).parse(await read(nodesPath(uuid)))
  assert.equal(planned.database_nodes.map(({ role, host_status }) => [role, host_status]), [
    [null, 'CmonHostUnknown'],
    [null, 'CmonHostUnknown'],
  ])
  await carryOutNewest(uuid)
  const body = await read(nodesPath(uuid))
  const { database_nodes } = z.object({ database_nodes: z.array(Fields) }).parse(body)
  assert.equal(Object.keys(body), ['uuid', 'database_nodes', 'load_balancer_nodes'])
  assert.equal(database_nodes.map(({ role, readonly, host_status }) => [role, readonly, host_status]), [
    ['primary', false, 'CmonHostOnline'],
    ['replica', true, 'CmonHostOnline'],
  ])
  const { hostname = '', private_ip = '', ...first } = database_nodes[0] ?? {}
  assert.equal(
    [first['port'], first['cloud_provider'], first['host_az'], first['instance_type'], first['disk_size']],
    [5432, 'local', 'a', 'local.small', 20],
  )
  assert.equal(first['created_at'], noon)
  assert.equal(first['region'], { code: 'local-1', display_code: 'Local 1', name: 'This machine' })
  assert.match(textOf(hostname), new RegExp(`^db-[a-z0-9]{5}\\.${uuid}\\.ccx\\.test$`))
  assert.match(textOf(private_ip), /^10\./)
})

test('a job shows its step while it runs, and its log', async () => {
  const uuid = await create('steps')
  await carryOutNewest(uuid, { until: 'volumes' })
  const job = await newestJob(uuid)
  assert.equal(
    [job['status'], job['text'], job['finished_at']],
    ['JOB_STATUS_RUNNING', 'Create and attach the volumes', null],
  )
  assert.ok(Number(job['progress']) > 0)
  const found = await read(`${STORES}/${uuid}`)
  assert.is(found['deploy_progress'], job['progress'])
  const detail = await read(`${jobsPath(uuid)}/${textOf(job['job_id'])}`)
  const { steps, log } = z.object({ steps: z.array(Fields), log: z.array(Fields) }).parse(detail)
  assert.equal(steps.slice(0, 5).map(({ name, state }) => [name, state]), [
    ['network', 'done'],
    ['machines', 'done'],
    ['addresses', 'done'],
    ['volumes', 'running'],
    ['boot', 'pending'],
  ])
  assert.equal(log.slice(0, 3).map(({ step_title, line }) => [step_title, line]), [
    [null, 'Deploy the datastore: begun'],
    ['Create the network', 'begun'],
    ['Create the network', 'done'],
  ])
})

test('a failed deployment says why, and its job has ERRORED', async () => {
  const uuid = await create('unlucky')
  await carryOutNewest(uuid, { fails: 'machines' })
  const found = await read(`${STORES}/${uuid}`)
  assert.equal(
    [found['cluster_status'], found['cluster_status_text'], found['current_job']],
    ['DEPLOY_FAILED', 'The deployment failed: Create the machines: there is no room', null],
  )
  const job = await newestJob(uuid)
  assert.equal([job['status'], job['messages']], ['JOB_STATUS_ERRORED', ['Create the machines: there is no room']])
  assert.equal((await read(nodesPath(uuid)))['database_nodes'], [])
})

test('a deleted datastore is gone, and its jobs stay readable to its owner', async () => {
  const uuid = await create('brief')
  await carryOutNewest(uuid)
  await remove(uuid)
  assert.is((await read(`${STORES}/${uuid}`))['cluster_status'], 'DELETING')
  const { job_id } = await newestJob(uuid)
  await carryOutNewest(uuid)
  assert.is(await statusOf(`${STORES}/${uuid}`), 404)
  assert.is(await statusOf(nodesPath(uuid)), 404)
  const { jobs, total } = Jobs.parse(await read(jobsPath(uuid)))
  assert.equal([total, jobs.map(({ type, status }) => [type, status])], [
    2,
    [
      ['JOB_TYPE_DESTROY_DATASTORE', 'JOB_STATUS_FINISHED'],
      ['JOB_TYPE_DEPLOY_DATASTORE', 'JOB_STATUS_FINISHED'],
    ],
  ])
  assert.is(jobs[0]?.['job_id'], job_id)
  assert.is(await statusOf(jobsPath(uuid), 'bob'), 404)
})

test('a job that waits behind another is listed first at once', async () => {
  const uuid = await create('hasty')
  await remove(uuid)
  const { jobs } = Jobs.parse(await read(jobsPath(uuid)))
  assert.equal(jobs.map(({ type, status }) => [type, status]), [
    ['JOB_TYPE_DESTROY_DATASTORE', 'JOB_STATUS_RUNNING'],
    ['JOB_TYPE_DEPLOY_DATASTORE', 'JOB_STATUS_RUNNING'],
  ])
})

test('another owner finds nothing, and so does an operator', async () => {
  const uuid = await create('private')
  const { job_id } = await newestJob(uuid)
  for (const as of ['bob', 'olga']) {
    for (const path of [`${STORES}/${uuid}`, nodesPath(uuid), jobsPath(uuid), `${jobsPath(uuid)}/${textOf(job_id)}`]) {
      assert.is(await statusOf(path, as), 404, path)
    }
    assert.equal(await read(STORES, as), { total: 0, datastores: [] })
  }
  for (const path of [`${STORES}/${NOBODYS}`, nodesPath(NOBODYS), jobsPath(NOBODYS), `${jobsPath(uuid)}/${NOBODYS}`]) {
    assert.is(await statusOf(path), 404, path)
  }
})

test('the list has the shape that its reader expects, newest first, in parts', async () => {
  const made: string[] = []
  for (const minute of [1, 2, 3]) {
    now = `2030-01-01T12:0${minute}:00.000Z`
    made.unshift(await create(`listed-${minute}`, { as: 'bob' }))
  }
  now = noon
  const Unnamed = z.object({ total: z.int(), datastores: z.array(Fields) })
  const unnamed = Unnamed.parse(await read(STORES, 'bob'))
  assert.equal([unnamed.total, unnamed.datastores.map(({ uuid }) => uuid)], [3, made])
  const owner = { 'ccx-owner': `user:${principals.bob.userId}` }
  const named = await read(`${STORES}?limit=2&offset=2`, 'bob', owner)
  assert.equal(named['pagination'], { page: 2, per_page: 2, total: 3 })
  assert.equal(z.array(Fields).parse(named['data_stores']).map(({ uuid }) => uuid), made.slice(2))
})

test('a list opens no password', async () => {
  opened.length = 0
  const { datastores } = z.object({ datastores: z.array(z.object({ db_account: Fields })) }).parse(await read(STORES))
  assert.ok(datastores.length > 0)
  assert.ok(datastores.every(({ db_account }) => db_account['database_password'] === null))
  assert.equal(opened, [])
})

test('a part of a list that makes no sense is refused by name', async () => {
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=1.5', 'offset=-1', 'offset=1e99', 'limit=1&limit=2']) {
    const { status, body } = await rest.ask('GET', `${STORES}?${query}`, { as: 'alice' })
    assert.is(status, 400, query)
    assert.is(Fields.parse(body)['field'], query.split('=')[0], query)
  }
  assert.is(await statusOf(`${STORES}/not-an-id`), 400)
  assert.is(await statusOf(`${STORES}/%00`), 400)
})

test('a job names who asked for it by his login', async () => {
  const { userId, login } = principals.alice
  const send = handle({ store }, account, ({ data }) => `account-${data.accountId}`)
  const names = { login: sealed(login), firstName: sealed('Alice'), lastName: sealed('A') }
  const person = { accountId: userId, ...names, isAdmin: false, now }
  const actor = { kind: 'system', id: 'auth' } as const
  const cause = { commandId: userId, correlationId: userId, causationId: userId, actor }
  const outcome = await send({ type: 'RegisterAccount', data: person }, cause)
  await settled('rejection' in outcome ? undefined : outcome.position)
  const uuid = await create('named')
  assert.is((await newestJob(uuid))['user'], login)
})

test.run()
