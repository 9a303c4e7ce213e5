// limit: 600 s
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import type { Machine } from '../../infra/providers/provider.ts'
import {
  create, datastoreOf, DELETE, DEPLOY, endedJob, jobOf, jobsOf, nodesOf, order, remove, removed, started, withSql,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

const road = suite('the road from a request to a database and back')

const DATABASE_PORT = 5432
const Created = z.object({ uuid: z.uuid() })
const Listed = z.object({ total: z.number() })
const Wizard = z.object({ cloud: z.object({ cloud_providers: z.array(z.object({ code: z.string() })) }) })

let instance: RunningInstance
let api: Api

road.after(async () => {
  await instance?.down()
})

const createdBy = async (json: ReturnType<typeof order>): Promise<string> => {
  const answer = await create(api, json)
  assert.is(answer.status, 201, JSON.stringify(answer.body))
  return Created.parse(answer.body).uuid
}

const machineOf = async (nodeId: string): Promise<Machine | undefined> =>
  (await Promise.all(instance.providers().map((provider) => provider.find(nodeId)))).find((one) => one !== undefined)

const listening = async (host: string, port: number): Promise<Server> => {
  const server = createServer((socket) => socket.destroy()).listen({ host, port })
  await once(server, 'listening')
  return server
}

const failsWith = async (attempt: Promise<unknown>, words: RegExp): Promise<void> => {
  const message = await attempt.then(() => 'it succeeded', (error: unknown) => String(error))
  assert.match(message, words)
}

const isGone = async (datastoreId: string, traces: Awaited<ReturnType<typeof tracesOf>>): Promise<void> => {
  assert.equal(await leftOf(instance, traces), [])
  assert.is((await api(`/api/deployment/v3/data-stores/${datastoreId}`)).status, 404)
}

/** Deletes it and sees that nothing is left. */
const deleteWholly = async (uuid: string): Promise<void> => {
  const traces = await tracesOf(instance, uuid)
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  await isGone(uuid, traces)
}

const writesAndReads = (uuid: string, row: string): Promise<void> =>
  withSql(instance, api, uuid, async (sql) => {
    const { primary_url: primary, replica_url: replica } = await datastoreOf(api, uuid)
    assert.ok(primary !== null && replica !== null)
    await sql(`create table if not exists road (line text); insert into road values ('${row}')`, { host: primary })
    const asked = `select count(*) from road where line = '${row}'`
    const isThere = async () => (await sql(asked, { host: replica })) === '1'
    await until(isThere, { withinMs: 20_000, what: 'the row on a replica' })
    await failsWith(sql(`insert into road values ('no')`, { host: replica }), /read-only/)
    await failsWith(sql('select 1', { host: primary, password: 'not-the-password' }), /password authentication failed/)
    await failsWith(sql('select 1', { host: primary, sslmode: 'disable' }), /no encryption|pg_hba/)
  })

// A test of its own, because nothing would be told of an error in a hook.
road('one command brings everything up', async () => {
  instance = await startInstance({ separate: false })
  api = instance.api
})

road('a tenant is shown what can be deployed', async () => {
  const { status, body } = await api('/api/content/api/v1/deploy-wizard')
  assert.is(status, 200)
  assert.equal(Wizard.parse(body).cloud.cloud_providers.map(({ code }) => code), ['local', 'netns'])
})

road('three nodes are asked for twice, made once, used over TLS, and deleted without a trace', async () => {
  const key = randomUUID()
  const json = order({ name: 'three', size: 3 })
  const first = await create(api, json, key)
  assert.is(first.status, 201)
  const { uuid } = Created.parse(first.body)
  const { jobs: [deploy] } = await jobsOf(api, uuid)
  assert.ok(deploy)
  const running = await until(async () => {
    const job = await jobOf(api, uuid, deploy.job_id)
    const has = (wanted: string): boolean => job.steps.some(({ state }) => state === wanted)
    return has('running') && has('done') ? job : undefined
  }, { withinMs: 30_000, what: 'a step at work after one that is done' })
  assert.ok(running.log.length > 0)
  assert.is(running.status, 'JOB_STATUS_RUNNING')
  const again = await create(api, json, key)
  assert.equal([again.status, again.body], [201, first.body])
  assert.is(Listed.parse((await api('/api/deployment/v3/data-stores')).body).total, 1)

  await started(api, uuid)
  const nodes = await nodesOf(api, uuid)
  assert.equal(nodes.map(({ role }) => `${role}`).toSorted(), ['primary', 'replica', 'replica'])
  const at = { port: instance.dnsPort }
  const of = (role: string) => nodes.flatMap((node) => (node.role === role ? (node.private_ip ?? []) : [])).toSorted()
  assert.equal(await addressesOf(at, `${uuid}.ccx.test`), of('primary'))
  assert.equal(await addressesOf(at, `replica.${uuid}.ccx.test`), of('replica'))
  for (const { fqdn, private_ip: address } of nodes) assert.equal(await addressesOf(at, fqdn), [address])
  await writesAndReads(uuid, 'three')
  await deleteWholly(uuid)
  const { jobs } = await jobsOf(api, uuid)
  assert.equal(jobs.map(({ type, status }) => [type, status]), [
    [DELETE, 'JOB_STATUS_FINISHED'],
    // This machine was trusted, to write and to read.
    ['JOB_TYPE_APPLY_FIREWALL', 'JOB_STATUS_FINISHED'],
    [DEPLOY, 'JOB_STATUS_FINISHED'],
  ])
})

road('two nodes in network namespaces come and go in the same way', async () => {
  const provider = instance.providers().find(({ capabilities }) => capabilities.has('own-network'))
  const reason = provider === undefined ? 'there is no such provider' : await provider.unavailable()
  if (reason !== undefined) {
    console.log(`SKIPPED, network namespaces: ${reason}`)
    return
  }
  const uuid = await createdBy(order({ name: 'apart', size: 2, cloud: 'netns' }))
  await started(api, uuid)
  await writesAndReads(uuid, 'apart')
  await deleteWholly(uuid)
})

road('another tenant sees nothing of it', async () => {
  const uuid = await createdBy(order({ name: 'mine', size: 1 }))
  const printed = await instance.ccx('user', 'add', 'other@ccx.test')
  const password = /^password: (\S+)$/m.exec(printed)?.[1] ?? ''
  const other = await instance.signIn({ login: 'other@ccx.test', password })
  for (const path of [
    `/api/deployment/v3/data-stores/${uuid}`,
    `/api/deployment/v2/data-stores/${uuid}/nodes`,
    `/api/deployment/v2/data-stores/${uuid}/jobs`,
    `/api/prov/api/v2/cluster/${uuid}/ca`,
  ]) {
    assert.is((await other(path)).status, 404, path)
  }
  assert.is((await remove(other, uuid)).status, 404)
  assert.is(Listed.parse((await other('/api/deployment/v3/data-stores')).body).total, 0)
  await started(api, uuid)
  await deleteWholly(uuid)
})

road('a deployment that cannot succeed leaves nothing, says why, and can be deleted', async () => {
  const uuid = await createdBy(order({ name: 'doomed', size: 2 }))
  const traces = await until(async () => {
    const found = await tracesOf(instance, uuid)
    return found.nodeIds.length === 2 ? found : undefined
  }, { withinMs: 30_000, what: 'two machines' })
  const machines = await Promise.all(
    traces.nodeIds.map((nodeId) => until(() => machineOf(nodeId), { withinMs: 10_000, what: 'a machine' })),
  )
  // Somebody else takes the database's port before the database does.
  const squatters = await Promise.all(machines.map(({ privateAddress }) => listening(privateAddress, DATABASE_PORT)))
  try {
    const job = await endedJob(api, uuid, DEPLOY, 240_000)
    assert.is(job.status, 'JOB_STATUS_ERRORED')
    assert.match(job.text, /^Failed: Set up the primary, prepare the replicas: \S+ \S+/)
  } finally {
    for (const squatter of squatters) squatter.close()
  }
  const failed = await until(async () => {
    const seen = await datastoreOf(api, uuid)
    return seen.cluster_status === 'DEPLOY_FAILED' ? seen : undefined
  }, { withinMs: 10_000, what: 'DEPLOY_FAILED' })
  assert.match(failed.cluster_status_text, /Set up the primary/)
  const left = await leftOf(instance, traces)
  assert.equal(left.filter((one) => !one.includes('read.')), [])
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  await isGone(uuid, traces)
})

road('a datastore deleted while it is deployed is cancelled and removed', async () => {
  const uuid = await createdBy(order({ name: 'never mind', size: 2 }))
  const traces = await until(async () => {
    const found = await tracesOf(instance, uuid)
    return found.nodeIds.length === 2 ? found : undefined
  }, { withinMs: 30_000, what: 'two machines' })
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  await isGone(uuid, traces)
  assert.is((await endedJob(api, uuid, DEPLOY)).status, 'JOB_STATUS_ERRORED')
})

road('what was written is there after down and up, and after everything was killed at one blow', async () => {
  const uuid = await createdBy(order({ name: 'lasting', size: 2 }))
  const { primary_url: host } = await started(api, uuid)
  assert.ok(host !== null)
  await withSql(instance, api, uuid, async (sql) => {
    const lines = () => sql('select string_agg(line, \' \' order by line) from lasting', { host })
    await sql('create table lasting (line text)', { host })
    await sql(`insert into lasting values ('1')`, { host })
    await instance.stop()
    await instance.up()
    const limit = { withinMs: 60_000, what: 'the database after the start' }
    assert.is(await until(lines, limit), '1')
    await until(() => sql(`insert into lasting values ('2')`, { host }).then(() => true), limit)
    assert.ok((await instance.killAll()) > 8)
    await instance.up()
    assert.is(await until(lines, limit), '1 2')
  })
  assert.is((await datastoreOf(api, uuid)).cluster_status, 'STARTED')
  await until(() => writesAndReads(uuid, 'three').then(() => true), { withinMs: 60_000, what: 'replication' })
  await deleteWholly(uuid)
})

road('every read model is what the log makes of it', async () => {
  const { events, differences } = await rebuiltDiffers(instance)
  assert.equal(differences, [])
  assert.ok(events > 100)
})

road.run()
