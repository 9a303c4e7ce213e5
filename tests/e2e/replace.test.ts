// limit: 400 s
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  changeInsistently, createInsistently, datastoreOf, jobsOf, type NodeSeen, nodesOf, order, removed, removeInsistently,
  started, withSql,
} from '../support/datastores.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, leftOfNodes, tracesOf } from '../support/leftovers.ts'
import { killProcess, processesAt } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { isIdle } from '../support/week-moves.ts'

const machines = suite('every machine is changed under an application that writes')

const JOBS_WITHIN_MS = 180_000
const CLUSTER = '/api/prov/api/v2/cluster'

const folder = await mkdtemp(join(tmpdir(), 'ccx-catalogue-'))
const catalogueFile = join(folder, 'catalogue.yaml')
let instance: RunningInstance
let writer: InsertWriter | undefined
let uuid = ''

machines.after(async () => {
  await writer?.stop().catch(() => undefined)
  await instance?.down()
  await rm(folder, { recursive: true, force: true })
})

const post = async (path: string, json?: { readonly when: string }): Promise<void> => {
  const headers = { 'Idempotency-Key': randomUUID() }
  const { status, body } = await instance.api(path, { method: 'POST', headers, ...(json === undefined ? {} : { json }) })
  assert.is(status, 202, JSON.stringify(body))
}

const settled = async (): Promise<void> => {
  await until(() => isIdle(instance.api, uuid), { withinMs: JOBS_WITHIN_MS, what: 'the end of the jobs' })
  for (const { type, status, text } of (await jobsOf(instance.api, uuid)).jobs) {
    assert.is(status, 'JOB_STATUS_FINISHED', `${type}: ${text}`)
  }
}

/** Every row that was acknowledged is on every node, and one node leads. */
const isWhole = async (): Promise<readonly NodeSeen[]> => {
  const nodes = await nodesOf(instance.api, uuid)
  assert.equal(nodes.map(({ role }) => `${role}`).toSorted(), ['primary', 'replica', 'replica'])
  const wanted = writer?.acknowledged().length ?? 0
  assert.ok(wanted > 0)
  await withSql(instance, instance.api, uuid, async (sql) => {
    for (const { fqdn: host } of nodes) {
      const hasAll = async () => Number(await sql('select count(*) from written', { host })) >= wanted
      await until(hasAll, { withinMs: 20_000, what: `${wanted} rows on ${host}` })
    }
  })
  return nodes
}

const primaryIn = (nodes: readonly NodeSeen[]): NodeSeen | undefined => nodes.find(({ role }) => role === 'primary')
const replicaIn = (nodes: readonly NodeSeen[]): NodeSeen | undefined => nodes.find(({ role }) => role === 'replica')

machines('three nodes are deployed, and an application writes', async () => {
  await writeFile(catalogueFile, await readFile(join(import.meta.dirname, '../../infra/catalogue/default.yaml')))
  instance = await startInstance({ separate: false, settings: { CATALOGUE_FILE: catalogueFile } })
  uuid = await createInsistently(instance.api, order({ name: 'machines', size: 3 }))
  await started(instance.api, uuid)
  writer = await insertWriter(instance, instance.api, uuid)
  await writer.goesOn(50)
})

for (const [size, gb] of [['small', '256MB'], ['micro', '128MB']] as const) {
  machines(`all become ${size}, another one leads, and no row is lost`, async () => {
    const before = primaryIn(await isWhole())
    await changeInsistently(instance.api, uuid, { new_instance_size: size })
    await settled()
    const nodes = await isWhole()
    assert.is.not(primaryIn(nodes)?.host_uuid, before?.host_uuid)
    await withSql(instance, instance.api, uuid, async (sql) => {
      for (const { fqdn: host } of nodes) assert.is(await sql('show shared_buffers', { host }), gb)
    })
  })
}

machines('a replica whose server is dead is replaced by another node', async () => {
  const dead = replicaIn(await isWhole())
  if (dead === undefined) throw new Error('BUG: there is a replica')
  for (const { process } of processesAt(dead.host_uuid)) killProcess(process)
  await post(`${CLUSTER}/${uuid}/nodes/${dead.host_uuid}/repair`)
  await settled()
  const nodes = await isWhole()
  assert.not.ok(nodes.some(({ host_uuid: id }) => id === dead.host_uuid))
  assert.equal(await leftOfNodes(instance, uuid, [{ nodeId: dead.host_uuid, fqdn: dead.fqdn }]), [])
})

machines('the primary is replaced by another node, after it has handed over', async () => {
  const old = primaryIn(await isWhole())
  if (old === undefined) throw new Error('BUG: there is a primary')
  await post(`${CLUSTER}/${uuid}/nodes/${old.host_uuid}/repair`)
  await settled()
  const nodes = await isWhole()
  assert.not.ok(nodes.some(({ host_uuid: id }) => id === old.host_uuid))
})

machines('a newer image came out: every node gives way to a new one', async () => {
  const before = (await isWhole()).map(({ host_uuid: id }) => id)
  const text = await readFile(catalogueFile, 'utf8')
  await writeFile(catalogueFile, `serverConfig: ${new Date().toISOString()}\n${text}`)
  const written = writer?.acknowledged().length ?? 0
  await writer?.stop()
  writer = undefined
  await instance.stop()
  await instance.up()
  const { primary_url: host } = await datastoreOf(instance.api, uuid)
  await post(`${CLUSTER}/${uuid}/upgrade`, { when: 'now' })
  await settled()
  const nodes = await nodesOf(instance.api, uuid)
  assert.is(nodes.length, 3)
  assert.not.ok(nodes.some(({ host_uuid: id }) => before.includes(id)))
  await withSql(instance, instance.api, uuid, async (sql) => {
    assert.ok(Number(await sql('select count(*) from written', { host: host ?? '' })) >= written)
  })
  const again = await instance.api(`${CLUSTER}/${uuid}/upgrade`, { method: 'POST', json: { when: 'now' } })
  assert.is(again.status, 409)
})

machines('and nothing of any of them is left once the datastore is deleted', async () => {
  const traces = await tracesOf(instance, uuid)
  await removeInsistently(instance.api, uuid)
  await removed(instance.api, uuid)
  assert.equal(await leftOf(instance, traces), [])
})

machines.run()
