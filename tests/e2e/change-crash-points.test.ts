// limit: 2400 s
import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import {
  changeInsistently, createInsistently, endedJob, nodesOf, order, removed, removeInsistently, started,
} from '../support/datastores.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { allUp, isWhole, killedAtEveryStep, pointsOf } from '../support/killed-services.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

const crashes = suite('a service killed at every step of a change')

const VICTIMS = ['ccx-runner-service', 'ccx-deployer', 'cmon-master', 'event-store', 'nats'] as const
const JOB_WITHIN_MS = 180_000
const CLUSTER = '/api/prov/api/v2/cluster'

let instance: RunningInstance

crashes.after(async () => {
  await instance?.down()
})

crashes('every service comes up as a process of its own', async () => {
  instance = await startInstance({ separate: true })
  await allUp(instance)
})

/** Until it is taken; repeated with the same key, so that it happens once. */
const insist = async (method: 'POST' | 'PUT', path: string, json: z.core.util.JSONType = null): Promise<z.core.util.JSONType> => {
  const headers = { 'Idempotency-Key': randomUUID() }
  return until(async () => {
    const { status, body } = await instance.api(path, { method, headers, ...(json === null ? {} : { json }) })
    if (status >= 400) throw new Error(`${status}: ${JSON.stringify(body)}`)
    return body
  }, { withinMs: 60_000, what: `${path} being taken` })
}

const finished = async (uuid: string, type: string): Promise<void> => {
  const job = await endedJob(instance.api, uuid, type, JOB_WITHIN_MS)
  assert.is(job.status, 'JOB_STATUS_FINISHED', `${type}: ${job.text}`)
}

const changes = {
  'add-nodes': async (uuid: string): Promise<void> => {
    await changeInsistently(instance.api, uuid, { add_nodes: { specs: [{}] } })
    await finished(uuid, 'JOB_TYPE_ADD_NODE')
  },
  'promote-replica': async (uuid: string): Promise<void> => {
    const replica = (await nodesOf(instance.api, uuid)).find(({ role }) => role === 'replica')
    await insist('POST', `${CLUSTER}/${uuid}/nodes/${replica?.host_uuid}/promote`)
    await finished(uuid, 'JOB_TYPE_PROMOTE_REPLICA')
  },
  'change-parameters': async (uuid: string): Promise<void> => {
    const group = await insist('POST', '/api/db-configuration/v1/parameter-groups', {
      name: `of ${uuid}`, database_vendor: 'postgres', database_version: '15', database_type: 'postgres_streaming',
      parameters: { max_locks_per_transaction: '96' },
    })
    const { uuid: groupId } = z.object({ uuid: z.string() }).parse(group)
    await insist('PUT', `/api/db-configuration/v1/parameter-groups/apply/${groupId}/${uuid}`)
    await finished(uuid, 'JOB_TYPE_MODIFYDBCONFIG')
  },
  'remove-nodes': async (uuid: string): Promise<void> => {
    const replica = (await nodesOf(instance.api, uuid)).find(({ role }) => role === 'replica')
    await changeInsistently(instance.api, uuid, { remove_nodes: { node_uuids: [replica?.host_uuid ?? ''] } })
    await finished(uuid, 'JOB_TYPE_REMOVE_NODE')
  },
} as const

for (const victim of VICTIMS) {
  crashes(`${victim}: the datastore grows, is led by another node, takes parameters and shrinks all the same`, async () => {
    const beganMs = performance.now()
    const uuid = await createInsistently(instance.api, order({ name: victim, size: 2 }))
    await started(instance.api, uuid, JOB_WITHIN_MS)
    let kills = 0
    for (const kind of ['add-nodes', 'promote-replica', 'change-parameters', 'remove-nodes'] as const) {
      const killed = await killedAtEveryStep(instance, victim, () => changes[kind](uuid))
      const planned = pointsOf(kind)
      assert.ok(killed.length > 0 && killed.every((step) => planned.includes(step)), `${kind}: ${killed.join(', ')}`)
      kills += killed.length
      await allUp(instance)
      await isWhole(instance, uuid, kind === 'remove-nodes' ? 2 : 3)
    }
    const traces = await tracesOf(instance, uuid)
    await removeInsistently(instance.api, uuid)
    await removed(instance.api, uuid, JOB_WITHIN_MS)
    assert.equal(await leftOf(instance, traces), [])
    const { differences } = await rebuiltDiffers(instance)
    assert.equal(differences, [])
    console.log(`${victim}: ${kills} kills, ${((performance.now() - beganMs) / 1000).toFixed(1)} s`)
  })
}

crashes.run()
