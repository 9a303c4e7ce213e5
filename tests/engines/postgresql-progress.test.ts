import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { OrderOutcome } from '../../domain/job/orders.ts'
import { postgresql } from '../../infra/engines/postgresql/index.ts'
import type { Host } from '../../infra/host.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import { workOn } from '../../infra/messaging/worker.ts'
import { type EngineWorld, engineWorld } from '../support/engine-world.ts'
import { keptLog } from '../support/log.ts'
import { everyOrder, placed } from '../support/orders.ts'
import { until } from '../support/until.ts'

// limit: 120 s

const test = suite('the copy of a primary')
const BY_MS = 2_500
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

let world: EngineWorld
test.before(async () => {
  world = await engineWorld(postgresql, 'progress')
  await postgresql.install(world.node(0))
  await postgresql.bootstrap(world.node(0))
})
test.after(() => world.remove())

type Run = Host['run']

/** Joins a node under an order of `BY_MS`, with its copy run as `copy` has it. */
const joined = async (i: number, copy: (run: Run, ...args: Parameters<Run>) => ReturnType<Run>) => {
  const messaging = memoryMessaging({ ackWaitMs: 1_000 })
  const stopping = new AbortController()
  const { signal } = stopping
  const outcomes: OrderOutcome[] = []
  const node = world.node(i)
  await postgresql.install(node)
  const run: Run = (argv, options) =>
    argv[0] === 'pg_basebackup' ? copy(node.host.run, argv, options) : node.host.run(argv, options)
  const working = workOn({
    messaging, family: 'cmon', concurrency: 1, signal, now: () => new Date().toISOString(), log: keptLog().log,
    handle: async (_, work) => {
      await postgresql.join({ ...node, ...work, host: { ...node.host, run } }, world.node(0).member)
      return {}
    },
  })
  const reading = (async () => {
    for await (const each of messaging.outcomes({ concurrency: 8, signal })) {
      outcomes.push(each.message)
      await each.ack()
    }
  })()
  const order = { order: everyOrder['cmon.join-replica'], notAfter: inMs(BY_MS), extending: { byMs: BY_MS, until: inMs(60_000) } }
  const began = Date.now()
  await messaging.order(placed('ord_1', order), {})
  const answer = await until(() => outcomes.find(({ kind }) => kind !== 'noted'), { withinMs: 90_000 })
  const tookMs = Date.now() - began
  stopping.abort()
  await Promise.all([working, reading])
  await messaging.close()
  return { answer, tookMs, figures: outcomes.flatMap((each) => (each.kind === 'noted' ? (each.figure ?? []) : [])) }
}

test('may take longer than its order, as long as it moves', async () => {
  const { answer, tookMs, figures } = await joined(1, (run, [program, ...args], options) =>
    run([program, '--max-rate=4M', ...args], options))
  assert.is(answer.kind, 'succeeded', JSON.stringify(answer))
  assert.ok(tookMs > BY_MS, `it took ${tookMs} ms, and was to take longer than its order`)
  assert.ok(figures.length > 1, 'it was seen to move')
  assert.equal(figures, figures.toSorted((a, b) => a - b))
})

test('is given up when nothing of it arrives', async () => {
  const { answer } = await joined(2, async (_run, _argv, options) => {
    if (options?.signal !== undefined) await once(options.signal, 'abort')
    throw new Error('it was stopped')
  })
  assert.equal(answer.kind === 'failed' && [answer.because, answer.final], ['It took too long and was stopped.', false])
})

test.run()
