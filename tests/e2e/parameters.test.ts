// limit: 300 s
import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import {
  changeInsistently, createInsistently, datastoreOf, jobOf, nodesOf, order, removed, removeInsistently, started, withSql,
} from '../support/datastores.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

const parameters = suite('parameters are changed under an application that writes')

const GROUPS = '/api/db-configuration/v1/parameter-groups'
const JOB_WITHIN_MS = 120_000

let instance: RunningInstance
let writer: InsertWriter | undefined
let isWriting = false
let uuid = ''
let group = ''

parameters.after(async () => {
  if (isWriting) await writer?.stop().catch(() => undefined)
  await instance?.down()
})

type Json = Parameters<typeof changeInsistently>[2]
const send = async (method: 'POST' | 'PUT' | 'DELETE', path: string, json?: Json) => {
  const headers = { 'Idempotency-Key': randomUUID() }
  const { status, body } = await instance.api(path, { method, headers, ...(json === undefined ? {} : { json }) })
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`)
  return body
}

/** The job once it has ended. */
const ended = (jobId: string) =>
  until(async () => {
    const job = await jobOf(instance.api, uuid, jobId)
    return job.status === 'JOB_STATUS_RUNNING' ? undefined : job
  }, { withinMs: JOB_WITHIN_MS, what: `the end of ${jobId}` })

const synced = async (values: Record<string, string>) => {
  const body = await send('PUT', `${GROUPS}/${group}?sync=true`, { parameters: values })
  const { jobs: [job] } = z.object({ jobs: z.array(z.object({ job_id: z.string() })) }).parse(body)
  return ended(job?.job_id ?? '')
}

/** What every node shows. */
const shown = async (name: string): Promise<readonly string[]> => {
  const values: string[] = []
  await withSql(instance, instance.api, uuid, async (sql) => {
    for (const { fqdn } of await nodesOf(instance.api, uuid)) values.push(await sql(`show ${name}`, { host: fqdn }))
  })
  return values
}

const statusOf = async (): Promise<string> => {
  const { body } = await instance.api(`/api/db-configuration/v1/${uuid}`)
  const { status, error } = z.object({ status: z.string(), error: z.string() }).parse(body)
  return error === '' ? status : `${status}: ${error}`
}

parameters('three nodes are deployed, and an application writes to them', async () => {
  instance = await startInstance({ separate: false })
  uuid = await createInsistently(instance.api, order({ name: 'tuned', size: 3 }))
  await started(instance.api, uuid)
  writer = await insertWriter(instance, instance.api, uuid)
  isWriting = true
  await writer.goesOn(20)
})

parameters('a group that takes restarts is applied, and every node has it', async () => {
  const made = await send('POST', GROUPS, {
    name: 'tuned', database_vendor: 'postgresql', database_version: '15', database_type: 'postgres_streaming', description: '',
    parameters: { max_prepared_transactions: '9', lock_timeout: '60000', log_statement: 'ddl' },
  })
  group = z.object({ uuid: z.string() }).parse(made).uuid
  const { job_id: jobId } = z.object({ job_id: z.string() }).parse(await send('PUT', `${GROUPS}/apply/${group}/${uuid}`))
  const job = await ended(jobId)
  assert.is(job.status, 'JOB_STATUS_FINISHED', job.text)
  assert.is(job.type, 'JOB_TYPE_MODIFYDBCONFIG')
  assert.equal(await shown('max_prepared_transactions'), ['9', '9', '9'])
  assert.equal(await shown('lock_timeout'), ['1min', '1min', '1min'])
  assert.is(await statusOf(), 'synced')
  console.log(`the longest pause of writes ${Math.round(writer?.longestPauseMs() ?? 0)} ms`)
})

parameters('less of what replicas need, and something that is only read anew, goes to every node', async () => {
  const job = await synced({ max_prepared_transactions: '3', lock_timeout: '30000' })
  assert.is(job.status, 'JOB_STATUS_FINISHED', job.text)
  assert.ok(job.steps.some(({ name }) => name === 'follow-up-2'))
  assert.equal(await shown('max_prepared_transactions'), ['3', '3', '3'])
  assert.equal(await shown('log_statement'), ['none', 'none', 'none'])
})

parameters('a value that the primary does not start with leads back to the ones before, and the tenant reads why', async () => {
  await withSql(instance, instance.api, uuid, async (sql) => {
    const { primary_url: primary } = await datastoreOf(instance.api, uuid)
    await sql("begin; create table held (); prepare transaction 'held'", { host: primary ?? '' })
  })
  const job = await synced({ max_prepared_transactions: '0' })
  assert.is(job.status, 'JOB_STATUS_ERRORED', job.text)
  assert.match(job.text, /does not start with them, .*prepared transactions/)
  assert.equal(await shown('max_prepared_transactions'), ['3', '3', '3'])
  assert.match(await statusOf(), /^failed: .*prepared transactions/)
  await writer?.goesOn(20)
  await withSql(instance, instance.api, uuid, async (sql) => {
    const { primary_url: primary } = await datastoreOf(instance.api, uuid)
    await sql("rollback prepared 'held'", { host: primary ?? '' })
  })
})

parameters('a node that is added later has them too', async () => {
  const [gone] = (await nodesOf(instance.api, uuid)).filter(({ role }) => role === 'replica')
  assert.is((await synced({ max_prepared_transactions: '4' })).status, 'JOB_STATUS_FINISHED')
  await changeInsistently(instance.api, uuid, { remove_nodes: { node_uuids: [gone?.host_uuid ?? ''] } })
  await changeInsistently(instance.api, uuid, { add_nodes: { specs: [{}] } })
  await until(async () => {
    const nodes = await nodesOf(instance.api, uuid)
    const isNew = nodes.every(({ host_uuid: id, role }) => id !== gone?.host_uuid && role !== null)
    return nodes.length === 3 && isNew && (await shown('max_prepared_transactions')).join() === '4,4,4'
  }, { withinMs: JOB_WITHIN_MS, what: 'another third node with the same parameters' })
})

parameters('the application has lost no row', async () => {
  assert.ok(writer !== undefined)
  await writer.goesOn(20)
  const pauseMs = writer.longestPauseMs()
  isWriting = false
  const held = await writer.stop()
  assert.equal(writer.acknowledged().filter((number) => !held.has(number)), [])
  console.log(`${held.size} rows, the longest pause ${Math.round(pauseMs)} ms`)
})

parameters('the datastore is deleted without a trace, and its group right after it is asked for', async () => {
  const traces = await tracesOf(instance, uuid)
  await removeInsistently(instance.api, uuid)
  await send('DELETE', `${GROUPS}/${group}`)
  await removed(instance.api, uuid)
  assert.equal(await leftOf(instance, traces), [])
  assert.equal((await rebuiltDiffers(instance)).differences, [])
})

parameters.run()
