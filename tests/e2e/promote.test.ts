// limit: 600 s
import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { watchPoints } from '../support/crash-points.ts'
import {
  createInsistently, datastoreOf, jobOf, type NodeSeen, nodesOf, order, remove, removed, started,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { killProcess, processesAt } from '../support/processes.ts'
import { until } from '../support/until.ts'

const promotion = suite('the promotion of a replica')

const JOB_WITHIN_MS = 120_000
const SERVICE = 'all-in-one'
const Taken = z.object({ job_id: z.uuid() })
const Refused = z.object({ error: z.string() })

let instance: RunningInstance
let api: Api
let uuid: string

promotion.after(async () => {
  await instance?.down()
})

const act = (node: NodeSeen, verb: 'promote' | 'reboot', key: string = randomUUID()) =>
  api(`/api/prov/api/v2/cluster/${uuid}/nodes/${node.host_uuid}/${verb}`, {
    method: 'POST', headers: { 'Idempotency-Key': key },
  })

const ended = (jobId: string) =>
  until(async () => {
    const job = await jobOf(api, uuid, jobId)
    return job.status === 'JOB_STATUS_RUNNING' ? undefined : job
  }, { withinMs: JOB_WITHIN_MS, what: 'the end of the job' })

const finished = async (jobId: string) => {
  const job = await ended(jobId)
  assert.is(job.status, 'JOB_STATUS_FINISHED', job.text)
  return job
}

/** The node with that role; of several, the first. */
const nodeOf = async (role: 'primary' | 'replica'): Promise<NodeSeen> => {
  const node = (await nodesOf(api, uuid)).find((one) => one.role === role)
  if (node === undefined) throw new Error(`there is no ${role}`)
  return node
}

/** Roles in every reply, names, and the servers themselves agree that this node is the primary. */
const isLedBy = async (node: NodeSeen, writer: InsertWriter): Promise<void> => {
  const nodes = await until(async () => {
    const seen = await nodesOf(api, uuid)
    return seen.find(({ role }) => role === 'primary')?.host_uuid === node.host_uuid ? seen : undefined
  }, { withinMs: 10_000, what: 'the role of the node' })
  assert.equal(nodes.map(({ role }) => `${role}`).toSorted(), ['primary', 'replica', 'replica'])
  const addresses = (role: string) => nodes.flatMap((one) => (one.role === role ? (one.private_ip ?? []) : [])).toSorted()
  const { primary_url: primary, replica_url: replica } = await datastoreOf(api, uuid)
  assert.ok(primary !== null && replica !== null)
  const at = { port: instance.dnsPort }
  assert.equal((await addressesOf(at, primary)).toSorted(), addresses('primary'))
  assert.equal((await addressesOf(at, replica)).toSorted(), addresses('replica'))
  const all = [...writer.acknowledged()]
  for (const { fqdn } of nodes) {
    await until(async () => {
      const held = await writer.heldBy(fqdn)
      return all.every((number) => held.has(number))
    }, { withinMs: 20_000, what: `every acknowledged row on ${fqdn}` })
  }
}

const noneLost = async (writer: InsertWriter): Promise<number> => {
  const held = await writer.stop()
  const acknowledged = writer.acknowledged()
  assert.equal(acknowledged.filter((number) => !held.has(number)), [], 'acknowledged rows that are gone')
  return acknowledged.length
}

// A test of its own, because nothing would be told of an error in a hook.
promotion('three nodes are up', async () => {
  instance = await startInstance({ separate: false })
  api = instance.api
  uuid = await createInsistently(api, order({ name: 'led', size: 3 }))
  await started(api, uuid)
})

promotion('no acknowledged row is lost by a planned one, and everyone is led to the new primary', async () => {
  const writer = await insertWriter(instance, api, uuid)
  await writer.goesOn(50)
  const replica = await nodeOf('replica')
  writer.longestPauseMs()
  const taken = await act(replica, 'promote')
  assert.is(taken.status, 202, JSON.stringify(taken.body))
  const jobId = Taken.parse(taken.body).job_id
  const job = await finished(jobId)
  assert.is(job.type, 'JOB_TYPE_PROMOTE_REPLICA')
  await writer.goesOn(50)
  const pauseMs = writer.longestPauseMs()
  await isLedBy(replica, writer)
  const count = await noneLost(writer)
  console.log(`planned promotion: ${count} rows, none lost, writes paused for ${Math.round(pauseMs)} ms`)
})

promotion('the primary is not promoted again', async () => {
  const primary = await nodeOf('primary')
  const { status, body } = await act(primary, 'promote')
  assert.is(status, 409)
  assert.is(Refused.parse(body).error, `node ${primary.host_uuid} is the primary already`)
})

for (const step of ['stop', 'caught-up', 'promote', 'switch', 'endpoint']) {
  promotion(`it comes to its end when the service is killed at ${step}, and no row is lost`, async () => {
    const writer = await insertWriter(instance, api, uuid)
    await writer.goesOn(20)
    const replica = await nodeOf('replica')
    let kills = 0
    const watch = await watchPoints(instance, 'broker', async (point) => {
      if (point.step !== step) return
      await instance.kill(SERVICE)
      kills += 1
    })
    try {
      writer.longestPauseMs()
      const jobId = Taken.parse((await act(replica, 'promote')).body).job_id
      await Promise.race([finished(jobId), watch.failed])
    } finally {
      await watch.close()
    }
    assert.is(kills, 1)
    await writer.goesOn(20)
    const pauseMs = writer.longestPauseMs()
    await isLedBy(replica, writer)
    const count = await noneLost(writer)
    console.log(`killed at ${step}: ${count} rows, none lost, writes paused for ${Math.round(pauseMs)} ms`)
  })
}

promotion('a replica that dies before its promotion is not promoted, and the primary takes writes again', async () => {
  const writer = await insertWriter(instance, api, uuid)
  const [primary, replica] = [await nodeOf('primary'), await nodeOf('replica')]
  const watch = await watchPoints(instance, 'broker', async ({ step }) => {
    if (step === 'stop') for (const { process } of processesAt(replica.host_uuid)) killProcess(process)
  })
  try {
    writer.longestPauseMs()
    const job = await Promise.race([ended(Taken.parse((await act(replica, 'promote')).body).job_id), watch.failed])
    assert.is(job.status, 'JOB_STATUS_ERRORED')
    assert.match(job.text, /^Failed: See that the replica has every transaction: /)
  } finally {
    await watch.close()
  }
  await writer.goesOn(20)
  console.log(`an abandoned promotion: writes paused for ${Math.round(writer.longestPauseMs())} ms`)
  await finished(Taken.parse((await act(replica, 'reboot')).body).job_id)
  await isLedBy(primary, writer)
  await noneLost(writer)
})

promotion('a reboot of a replica stops no write, one of the primary only as long as it takes', async () => {
  const writer = await insertWriter(instance, api, uuid)
  const primary = await nodeOf('primary')
  for (const node of [await nodeOf('replica'), primary]) {
    await writer.goesOn(20)
    writer.longestPauseMs()
    const job = await finished(Taken.parse((await act(node, 'reboot')).body).job_id)
    assert.is(job.type, 'JOB_TYPE_REBOOT_NODE')
    const announced = job.log.some(({ line }) => line.includes('the datastore takes no writes until it is back'))
    assert.is(announced, node.role === 'primary')
    await writer.goesOn(20)
    console.log(`reboot of a ${node.role}: writes paused for ${Math.round(writer.longestPauseMs())} ms`)
  }
  await isLedBy(primary, writer)
  await noneLost(writer)
})

promotion('two that are asked for back to back both come to pass', async () => {
  const [first, second] = (await nodesOf(api, uuid)).filter(({ role }) => role === 'replica')
  if (first === undefined || second === undefined) throw new Error('BUG: there are two replicas')
  const writer = await insertWriter(instance, api, uuid)
  const jobs = [await act(first, 'promote'), await act(second, 'promote')].map(({ body }) => Taken.parse(body).job_id)
  for (const jobId of jobs) await finished(jobId)
  await isLedBy(second, writer)
  await noneLost(writer)
})

promotion('the datastore goes without a trace, and every read model is what the log makes of it', async () => {
  const traces = await tracesOf(instance, uuid)
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  assert.equal(await leftOf(instance, traces), [])
  assert.equal((await rebuiltDiffers(instance)).differences, [])
})

promotion.run()
