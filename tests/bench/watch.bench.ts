import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '../../infra/controller/clock.ts'
import { simulatedNodes } from '../support/simulated-nodes.ts'
import { watchedCluster, watchScene } from '../support/watch-scene.ts'
import { median, report, spread } from './measure.ts'

// What it costs a controller to watch a fleet: simulated nodes that answer a look after some milliseconds, one look each second.
// Beside it, by turns, the looks alone: as many nodes, asked as often, by loops that make nothing of the answers.
const NODES = 1_000
const OF_DATASTORE = 3
const FLEET_NODES = 10_000 * OF_DATASTORE
const INTERVAL_MS = 1_000
const ANSWER_MS = 4
const WARM_MS = 4_000
const ROUND_MS = 5_000
const ROUNDS = 5
const RATIO_MAX = 5
const SHARE_MIN = 0.9

const names = Array.from({ length: OF_DATASTORE }, (_, n) => `db-${n}`)
const clusters = Array.from({ length: Math.round(NODES / OF_DATASTORE) }, (_, n) => watchedCluster(`dst_${n}`, names))
const nodes = clusters.length * OF_DATASTORE
const perThousand = (value: number): number => (value * 1_000) / nodes

type Cost = { readonly cpu: number; readonly looksPerSecond: number }

/** Percent of one core, per 1,000 nodes, and how many looks were made. */
const measured = async (looks: () => number): Promise<Cost> => {
  const [before, count, began] = [process.cpuUsage(), looks(), performance.now()]
  await systemClock.sleep(ROUND_MS)
  const tookMs = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  return { cpu: perThousand((100 * (user + system)) / 1_000 / tookMs), looksPerSecond: (1_000 * (looks() - count)) / tookMs }
}

setFlagsFromString('--expose-gc')

/** What is held after a collection, in MiB. */
const heldMib = (): number => {
  runInNewContext('gc()')
  return process.memoryUsage().heapUsed / 1_048_576
}

const watching = async (): Promise<Cost & { readonly heldMib: number }> => {
  const begun = heldMib()
  const scene = watchScene(systemClock, { answerMs: ANSWER_MS })
  for (const cluster of clusters) scene.begin(cluster)
  scene.control('one', { limits: { intervalMs: INTERVAL_MS, lookTimeoutMs: 1_000, leaseTtlMs: 6_000 } })
  await systemClock.sleep(WARM_MS)
  const cost = await measured(() => scene.looks.count)
  const held = perThousand(heldMib() - begun)
  await scene.end('one')
  return { ...cost, heldMib: held }
}

const lookingAlone = async (): Promise<Cost> => {
  const simulated = simulatedNodes(systemClock, { answerMs: ANSWER_MS })
  const stop = new AbortController()
  const work = { signal: stop.signal, note: () => undefined, progress: () => undefined }
  const loops = clusters.flatMap((cluster) =>
    cluster.nodes.map(async ({ nodeId }, n) => {
      simulated.put(nodeId, { role: n === 0 ? 'primary' : 'replica' })
      const session = simulated.nodes.engine().session(await simulated.nodes.reach(cluster, nodeId, work))
      await systemClock.sleep(Math.random() * INTERVAL_MS, stop.signal)
      while (!stop.signal.aborted) {
        const began = performance.now()
        await session.look(1_000)
        await systemClock.sleep(Math.max(INTERVAL_MS - (performance.now() - began), 0), stop.signal)
      }
    }),
  )
  await systemClock.sleep(WARM_MS)
  const cost = await measured(() => simulated.looks.count)
  stop.abort()
  await Promise.all(loops)
  return cost
}

const [watched, alone] = [[await watching()].slice(1), [await lookingAlone()].slice(1)]
for (let round = 0; round < ROUNDS; round++) {
  watched.push(await watching())
  alone.push(await lookingAlone())
}
const cpu = watched.map((one) => one.cpu)
const ratio = median(watched.map((one, n) => one.cpu / (alone[n]?.cpu ?? Number.NaN)))
const rate = median(watched.map(({ looksPerSecond }) => looksPerSecond))
const share = median(watched.map((one, n) => one.looksPerSecond / (alone[n]?.looksPerSecond ?? Number.NaN)))
report('looks alone, CPU per 1,000 nodes', `${spread(alone.map((one) => one.cpu), '%')} of a core`)
report('the watch, CPU per 1,000 nodes', `${spread(cpu, '%')} of a core, ${ratio.toFixed(2)} times the looks alone`, {
  ok: ratio <= RATIO_MAX, text: `≤ ${RATIO_MAX} times`,
})
report('the watch, looks', `${rate.toFixed(0)}/s, ${share.toFixed(2)} of what the looks alone came to`, {
  ok: share >= SHARE_MIN, text: `≥ ${SHARE_MIN}`,
})
report('the watch, heap per 1,000 nodes', spread(watched.map((one) => one.heldMib), 'MiB'))
const fleet = (value: number): number => (value * FLEET_NODES) / 1_000
report('10,000 datastores of 3 nodes, by that', `${(fleet(median(cpu)) / 100).toFixed(1)} cores, ${
  fleet(median(watched.map((one) => one.heldMib))).toFixed(0)} MiB, over all controllers`)
