// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchPoints } from '../support/crash-points.ts'
import { createInsistently, order, started } from '../support/datastores.ts'
import { onlyOneTakesWrites, primaryOf, signalServer, wholeAgain } from '../support/failover-scene.ts'
import { type InsertWriter, insertWriter } from '../support/insert-writer.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { allUp, type SERVICES } from '../support/killed-services.ts'

const services = suite('a failover comes to its end whoever dies in the middle of it')

const SIZE = 3
let instance: RunningInstance
let uuid: string
let writer: InsertWriter

services.after(async () => {
  await writer?.stop().catch(() => undefined)
  await instance?.down()
})

services('three nodes are up', async () => {
  instance = await startInstance({ separate: true })
  uuid = await createInsistently(instance.api, order({
      name: 'alive', size: SIZE, cloud: process.getuid?.() === 0 ? 'netns' : 'local',
      highAvailability: { synchronous: true, max_failovers_per_hour: 60 },
  }))
  await started(instance.api, uuid)
  writer = await insertWriter(instance, instance.api, uuid, { timeoutMs: 1_000 })
  await wholeAgain(instance, uuid, { writer, size: SIZE })
})

// Each dies at another step of a failover of its own: every pair would take half an hour.
const PAIRS = [
  ['cmon-master', 'fence'], ['cmon-master', 'promote'], ['ccx-runner-service', 'elect'], ['nats', 'promote'],
  ['event-store', 'switch'], ['ccx-deployer', 'switch'],
] as const satisfies readonly (readonly [(typeof SERVICES)[number], 'fence' | 'elect' | 'promote' | 'switch'])[]

for (const [victim, at] of PAIRS) {
  services(`${victim} is killed at ${at}, and no acknowledged row is lost`, async () => {
    const before = await primaryOf(instance, uuid)
    await writer.goesOn(20)
    let kills = 0
    const watch = await watchPoints(instance, victim === 'nats' ? 'log' : 'broker', async ({ step, datastoreId }) => {
      if (step !== at || datastoreId !== uuid || kills > 0) return
      kills += 1
      await instance.kill(victim)
    })
    try {
      writer.longestPauseMs()
      assert.ok(signalServer(before, 'SIGSTOP') > 0)
      await Promise.race([writer.goesOn(20), watch.failed])
      const outMs = writer.longestPauseMs()
      await allUp(instance)
      await wholeAgain(instance, uuid, { writer, size: SIZE })
      await onlyOneTakesWrites(instance, uuid, writer)
      console.log(`${victim} killed at ${at}: writes were out for ${Math.round(outMs)} ms, no row was lost`)
    } finally {
      await watch.close()
    }
    assert.is(kills, 1)
    assert.is.not((await primaryOf(instance, uuid)).host_uuid, before.host_uuid)
  })
}

services.run()
