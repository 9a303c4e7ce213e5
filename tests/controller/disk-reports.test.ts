import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { later } from '../../domain/kernel/time.ts'
import { diskReports } from '../../infra/controller/disk-reports.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import { everyOrder } from '../support/orders.ts'
import { noon } from '../support/examples.ts'

const test = suite('what is told of how full volumes are')

const { cluster } = everyOrder['cmon.register-cluster'].body

/** Tells each percentage a second after the one before, and gives those that went out. */
const told = async (percents: readonly number[], everyMs = 1_000): Promise<readonly number[]> => {
  const out: number[] = []
  const messaging = memoryMessaging({ ackWaitMs: 1_000 })
  const tell = diskReports({
    observe: async (observation, id, carrier) => {
      if (observation.kind === 'disk-usage') out.push(observation.volumes[0]?.usedBytes ?? 0)
      await messaging.observe(observation, id, carrier)
    },
  })
  for (const [n, usedBytes] of percents.entries()) {
    await tell(cluster, [{ nodeId: 'nod_1', usedBytes, totalBytes: 100 }], later(noon, n * everyMs))
  }
  await messaging.close()
  return out
}

test('the first look is told, then what differs from half full on', async () => {
  assert.equal(await told([10, 20, 30]), [10])
  assert.equal(await told([10, 50, 50, 51, 51, 49, 30]), [10, 50, 51, 49])
})

test('what is filling up is told again once a minute', async () => {
  assert.equal(await told([80, 80, 80], 30_000), [80, 80])
  assert.equal(await told([70, 70, 70], 60_000), [70])
})

test('what could not be told is told by the next look', async () => {
  let broken = true
  const out: string[] = []
  const tell = diskReports({
    observe: async ({ at }) => {
      if (broken) throw new Error('the broker is away')
      out.push(at)
    },
  })
  const volumes = [{ nodeId: 'nod_1', usedBytes: 80, totalBytes: 100 }]
  await tell(cluster, volumes, noon).then(() => assert.unreachable(), () => undefined)
  broken = false
  await tell(cluster, volumes, later(noon, 1_000))
  assert.equal(out, [later(noon, 1_000)])
})

test.run()
