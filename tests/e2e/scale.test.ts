// limit: 400 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchPoints } from '../support/crash-points.ts'
import {
  changeInsistently, createInsistently, datastoreOf, jobsOf, type NodeSeen, nodesOf, order, removed, removeInsistently,
  started, withSql,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, leftOfNodes, rebuiltDiffers, tracesOf, type Traces } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

const scale = suite('nodes come and go under an application that writes')

const SERVICE = 'all-in-one'
const ADD = 'JOB_TYPE_ADD_NODE'
const REMOVE = 'JOB_TYPE_REMOVE_NODE'
const JOB_WITHIN_MS = 120_000

let instance: RunningInstance
let writer: InsertWriter | undefined
let isWriting = false
let uuid = ''
let traces: Traces

scale.after(async () => {
  if (isWriting) await writer?.stop().catch(() => undefined)
  await instance?.down()
})

/** The jobs of that type, once there are so many and none is at work. */
const ended = async (type: string, count: number): Promise<void> => {
  let last = 'nothing was seen of it'
  await until(async () => {
    const jobs = (await jobsOf(instance.api, uuid)).jobs.filter((job) => job.type === type)
    last = jobs.map(({ status, progress, text }) => `${status} at ${progress} %: ${text}`).join('; ')
    return jobs.length === count && jobs.every(({ status }) => status !== 'JOB_STATUS_RUNNING')
  }, { withinMs: JOB_WITHIN_MS }).catch((cause: unknown) => {
    throw new Error(`${type} does not end: ${last}`, { cause })
  })
  assert.match(last, /^JOB_STATUS_FINISHED/)
}

/** Changes the datastore, and kills the service when each of these steps has been ordered. */
const changedThrough = async (steps: readonly string[], json: Parameters<typeof changeInsistently>[2], job: [string, number]) => {
  const killed: string[] = []
  let tail: Promise<void> = Promise.resolve()
  const watch = await watchPoints(instance, 'broker', ({ step }) => {
    tail = tail.then(async () => {
      if (!steps.includes(step)) return
      await instance.kill(SERVICE)
      killed.push(step)
    })
    return tail
  })
  try {
    await changeInsistently(instance.api, uuid, json)
    await Promise.race([ended(...job), watch.failed])
    await tail
  } finally {
    await watch.close()
  }
  assert.equal(killed, steps)
}

const nodesWhen = (count: number): Promise<readonly NodeSeen[]> =>
  until(async () => {
    const nodes = await nodesOf(instance.api, uuid)
    return nodes.length === count && nodes.every(({ role }) => role !== null) ? nodes : undefined
  }, { withinMs: 30_000, what: `${count} nodes` })

/** Every name leads where it should, and every node has every row that was acknowledged. */
const isWhole = async (nodes: readonly NodeSeen[]): Promise<void> => {
  const at = { port: instance.dnsPort }
  const of = (role: string) => nodes.flatMap((node) => (node.role === role ? (node.private_ip ?? []) : [])).toSorted()
  assert.is(of('primary').length, 1)
  assert.is(of('replica').length, nodes.length - 1)
  assert.equal(await addressesOf(at, `${uuid}.ccx.test`), of('primary'))
  assert.equal(await addressesOf(at, `replica.${uuid}.ccx.test`), of('replica'))
  for (const { fqdn, private_ip: address } of nodes) assert.equal(await addressesOf(at, fqdn), [address])
  await withSql(instance, instance.api, uuid, async (sql) => {
    const { primary_url: primary, replica_url: replica } = await datastoreOf(instance.api, uuid)
    const wanted = writer?.acknowledged().length ?? 0
    const hosts = [primary, ...nodes.map(({ fqdn }) => fqdn), ...(nodes.length > 1 ? [replica] : [])]
    for (const host of hosts) {
      assert.ok(host !== null)
      const hasAll = async () => Number(await sql('select count(*) from written', { host })) >= wanted
      await until(hasAll, { withinMs: 20_000, what: `${wanted} rows on ${host}` })
    }
    assert.is(await sql('select count(*) from pg_replication_slots', { host: primary ?? '' }), `${nodes.length - 1}`)
  })
}

const replicas = (nodes: readonly NodeSeen[]): readonly NodeSeen[] => nodes.filter(({ role }) => role === 'replica')

const remove = async (gone: NodeSeen | undefined, steps: readonly string[], job: [string, number]): Promise<void> => {
  assert.ok(gone !== undefined)
  const { host_uuid: nodeId, fqdn } = gone
  await changedThrough(steps, { remove_nodes: { node_uuids: [nodeId] } }, job)
  assert.equal(await leftOfNodes(instance, uuid, [{ nodeId, fqdn }]), [])
}

scale('one node is deployed, and an application writes to it', async () => {
  instance = await startInstance({ separate: false })
  uuid = await createInsistently(instance.api, order({ name: 'growing', size: 1 }))
  await started(instance.api, uuid)
  writer = await insertWriter(instance, instance.api, uuid)
  isWriting = true
  await writer.goesOn(20)
  await isWhole(await nodesWhen(1))
})

scale('two more nodes come although the service is killed twice meanwhile', async () => {
  await changedThrough(['boot', 'replicas'], { add_nodes: { specs: [{}, {}] } }, [ADD, 1])
  await isWhole(await nodesWhen(3))
  traces = await tracesOf(instance, uuid)
  assert.is(traces.nodeIds.length, 3)
})

scale('one of them goes, although the service is killed twice meanwhile, then the other', async () => {
  await remove(replicas(await nodesWhen(3))[0], ['erase', 'machines'], [REMOVE, 1])
  const left = await nodesWhen(2)
  await isWhole(left)
  await remove(replicas(left)[0], [], [REMOVE, 2])
  await isWhole(await nodesWhen(1))
})

scale('the application has not noticed: no insert failed, and every row is there', async () => {
  assert.ok(writer !== undefined)
  await writer.goesOn(20)
  const pauseMs = writer.longestPauseMs()
  isWriting = false
  const held = await writer.stop()
  assert.equal(writer.failures(), [])
  assert.equal(writer.acknowledged().filter((number) => !held.has(number)), [])
  console.log(`${held.size} rows, the longest pause ${Math.round(pauseMs)} ms`)
})

scale('a datastore that grew and shrank is deleted without a trace', async () => {
  await removeInsistently(instance.api, uuid)
  await removed(instance.api, uuid)
  assert.equal(await leftOf(instance, traces), [])
  assert.equal((await rebuiltDiffers(instance)).differences, [])
})

scale.run()
