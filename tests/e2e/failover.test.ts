// limit: 900 s
import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createInsistently, type NodeSeen, nodesOf, order, remove, removed, started } from '../support/datastores.ts'
import {
  fillVolume, linkOf, onlyOneTakesWrites, primaryOf, signalServer, wholeAgain,
} from '../support/failover-scene.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

const alive = suite('a datastore lives through the loss of its primary')

const SIZE = 3
const CLIENT_TIMEOUT_MS = 1_000

let instance: RunningInstance
let uuid: string
let writer: InsertWriter

alive.after(async () => {
  await writer?.stop().catch(() => undefined)
  await instance?.down()
})

if (process.getuid?.() !== 0) {
  console.log('SKIPPED failover on network namespaces: they need root')
  process.exit(0)
}

/** Something happens to the primary while somebody writes; what he saw is told. */
const survives = async (
  name: string,
  fault: (primary: NodeSeen) => Promise<void>,
  { changes, after = async () => undefined }: {
    /** Whether another node takes its place; undefined: it may or may not. */
    readonly changes?: boolean
    readonly after?: (primary: NodeSeen) => Promise<void>
  },
): Promise<void> => {
  const before = await primaryOf(instance, uuid)
  await writer.goesOn(20)
  writer.longestPauseMs()
  await fault(before)
  await writer.goesOn(20)
  const outMs = writer.longestPauseMs()
  if (changes === true) {
    await until(async () => (await primaryOf(instance, uuid)).host_uuid !== before.host_uuid, {
      withinMs: 60_000, what: 'another primary',
    })
  }
  await after(before)
  const now = await wholeAgain(instance, uuid, { writer, size: SIZE })
  await onlyOneTakesWrites(instance, uuid, writer)
  if (changes !== undefined) assert.is(now.host_uuid !== before.host_uuid, changes)
  console.log(`${name}: writes were out for ${Math.round(outMs)} ms; ${writer.acknowledged().length} rows so far, none lost`)
}

alive('three nodes are up, and a row is acknowledged when a replica has it', async () => {
  instance = await startInstance({ separate: false })
  uuid = await createInsistently(instance.api, order({
      name: 'alive', size: SIZE, cloud: 'netns',
      highAvailability: { synchronous: true, repair_after_seconds: 30, max_failovers_per_hour: 60 },
  }))
  await started(instance.api, uuid)
  writer = await insertWriter(instance, instance.api, uuid, { timeoutMs: CLIENT_TIMEOUT_MS })
  await wholeAgain(instance, uuid, { writer, size: SIZE })
})

alive('a server that dies is started again in place, or another takes its place', () =>
  survives('kill -9 of the server', async (primary) => {
    assert.ok(signalServer(primary, 'SIGKILL') > 0)
  }, {}))

alive('a server that is frozen loses its place, and is a replica once it thaws', () =>
  survives('SIGSTOP of the server', async (primary) => {
    assert.ok(signalServer(primary, 'SIGSTOP') > 0)
  }, {
    changes: true,
    after: async (primary) => {
      signalServer(primary, 'SIGCONT')
    },
  }))

for (const direction of ['both', 'in', 'out'] as const) {
  alive(`a primary whose link is cut (${direction}) is replaced, and follows once it is healed`, () =>
    survives(`link cut, ${direction}`, (primary) => linkOf(instance).cut(primary.host_uuid, direction), {
      changes: true,
      after: (primary) => linkOf(instance).heal(primary.host_uuid),
    }))
}

alive('a primary whose machine loses its power is replaced, and comes back by itself', () =>
  survives('power cut', async ({ host_uuid: nodeId }) => {
    await instance.providers().find(({ linkFaults }) => linkFaults !== undefined)?.halt(nodeId)
  }, { changes: true }))

alive('a primary whose disk is full to the last block gets more room, or another takes its place', () =>
  survives('disk full', async ({ host_uuid: nodeId }) => {
    const provider = instance.providers().find(({ linkFaults }) => linkFaults !== undefined)
    await fillVolume((await provider?.host(nodeId))?.dataDir ?? '')
  }, {}))

alive('two of three nodes die at once, and all rows are there when they are back', async () => {
  const provider = instance.providers().find(({ linkFaults }) => linkFaults !== undefined)
  const before = await primaryOf(instance, uuid)
  const replica = (await nodesOf(instance.api, uuid)).find(({ role }) => role === 'replica')
  writer.longestPauseMs()
  await Promise.all([before, replica].map(async (node) => provider?.halt(node?.host_uuid ?? '')))
  await writer.goesOn(20)
  const outMs = writer.longestPauseMs()
  await wholeAgain(instance, uuid, { writer, size: SIZE })
  await onlyOneTakesWrites(instance, uuid, writer)
  console.log(`two of three lost: writes were out for ${Math.round(outMs)} ms, no row was lost`)
})

alive('one that has failed over too often gets its primary back in place', async () => {
  const settled = { high_availability: { max_failovers_per_hour: 1 } }
  assert.is((await instance.api(`/api/prov/api/v2/cluster/${uuid}`, { method: 'PATCH', json: settled })).status, 200)
  await survives('power cut, failover held back', async ({ host_uuid: nodeId }) => {
    await instance.providers().find(({ linkFaults }) => linkFaults !== undefined)?.halt(nodeId)
  }, { changes: false })
})

alive('the datastore goes without a trace, and every read model is what the log makes of it', async () => {
  await writer.stop()
  const traces = await tracesOf(instance, uuid)
  assert.is((await remove(instance.api, uuid, randomUUID())).status, 200)
  await removed(instance.api, uuid)
  assert.equal(await leftOf(instance, traces), [])
  assert.equal((await rebuiltDiffers(instance)).differences, [])
})

alive.run()
