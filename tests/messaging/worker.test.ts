import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { OrderOutcome } from '../../domain/job/orders.ts'
import { outcomeIdOf } from '../../infra/messaging/ids.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { Failure, type Handle, workOn, type WorkOptions } from '../../infra/messaging/worker.ts'
import { keptLog } from '../support/log.ts'
import { cluster, placed } from '../support/orders.ts'
import { until } from '../support/until.ts'

const test = suite('a worker')
const withinMs = 15_000
const noon = '2026-01-01T12:00:00.000Z'

/** A broker, workers on it, and every outcome they answer. */
const scene = () => {
  const messaging = memoryMessaging({ ackWaitMs: 200 })
  const { log, lines } = keptLog()
  const ending = new AbortController()
  const outcomes: OrderOutcome[] = []
  const reading = (async () => {
    for await (const each of messaging.outcomes({ concurrency: 8, signal: ending.signal })) {
      outcomes.push(each.message)
      await each.ack()
    }
  })()
  const workers: { readonly stop: () => void; readonly done: Promise<void> }[] = []
  const worker = (handle: Handle, differing: Partial<WorkOptions> = {}) => {
    const stopping = new AbortController()
    const { signal } = stopping
    const options = { messaging, family: 'infra', concurrency: 8, signal, handle, now: () => noon, log } as const
    const started = { stop: () => stopping.abort(), done: workOn({ ...options, ...differing }) }
    workers.push(started)
    return started
  }
  const end = async (): Promise<void> => {
    for (const { stop, done } of workers) {
      stop()
      await done
    }
    ending.abort()
    await reading
    await messaging.close()
  }
  const answers = () => outcomes.flatMap((outcome) => (outcome.kind === 'noted' ? [] : [outcome]))
  return { messaging, lines, outcomes, answers, worker, end }
}

const fact = (sentence: string, body: (on: ReturnType<typeof scene>) => Promise<void>): void =>
  test(sentence, async () => {
    const on = scene()
    try {
      await body(on)
    } finally {
      await on.end()
    }
  })

/** A door that opens when asked. */
const door = () => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open: () => open(), opened }
}

fact('an order that succeeds is answered with its result, at its place in the job', async (on) => {
  on.worker(async () => ({ machineId: 'mch_1' }))
  await on.messaging.order(placed('ord_1'), {})
  await until(() => on.outcomes.length === 1, { withinMs })
  const { step, key, attempt, course, jobId, orderId } = placed('ord_1')
  const place = { step, key, attempt, course, jobId, orderId }
  assert.equal(on.outcomes, [{ ...place, at: noon, kind: 'succeeded', result: { machineId: 'mch_1' } }])
})

fact('lines are shown while an order is still worked on, in their order and before its outcome', async (on) => {
  const gate = door()
  on.worker(async (_order, { note }) => {
    note('one')
    note('two')
    await gate.opened
    note('three')
    return {}
  })
  await on.messaging.order(placed('ord_1'), {})
  await until(() => on.outcomes.length === 2, { withinMs })
  gate.open()
  await until(() => on.outcomes.length === 4, { withinMs })
  assert.equal(
    on.outcomes.map((outcome) => (outcome.kind === 'noted' ? outcome.line : outcome.kind)),
    ['one', 'two', 'three', 'succeeded'],
  )
})

fact('an order past its time is not begun', async (on) => {
  let begun = 0
  on.worker(async () => ({ machineId: String(++begun) }))
  await on.messaging.order(placed('ord_1', { notAfter: noon }), {})
  await until(() => on.outcomes.length === 1, { withinMs })
  const [outcome] = on.answers()
  assert.is(begun, 0)
  assert.equal(outcome?.kind === 'failed' && [outcome.because, outcome.final], ['It took too long to begin.', false])
})

fact('an order that may take as long as it moves is stopped only when it stands still, or at its limit', async (on) => {
  const now = () => new Date().toISOString()
  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()
  const paces = { moves: 12, hangs: 2, 'never ends': Infinity }
  on.worker(async ({ orderId }, { signal, progress }) => {
    const rounds = Object.entries(paces).find(([name]) => name === orderId)?.[1] ?? 0
    for (let n = 1; n <= rounds; n++) {
      const next = Date.now() + 100
      await until(() => signal.aborted || Date.now() >= next, { withinMs })
      signal.throwIfAborted()
      progress(n, `${n} of them`)
    }
    if (orderId === 'hangs') await once(signal, 'abort')
    signal.throwIfAborted()
    return {}
  }, { now })
  for (const orderId of Object.keys(paces)) {
    const extending = { byMs: 500, until: inMs(2_000) }
    await on.messaging.order(placed(orderId, { key: orderId, notAfter: inMs(500), extending }), {})
  }
  await until(() => on.answers().length === 3, { withinMs })
  const answerTo = (id: string) => on.answers().find(({ orderId }) => orderId === id)
  assert.is(answerTo('moves')?.kind, 'succeeded')
  for (const id of ['hangs', 'never ends']) {
    const answer = answerTo(id)
    assert.equal(answer?.kind === 'failed' && answer.because, 'It took too long and was stopped.', id)
  }
  const figures = on.outcomes.flatMap((each) => (each.kind === 'noted' && each.orderId === 'moves' ? [each.figure ?? 0] : []))
  assert.ok(figures.length >= 3, 'it is told several times before a deadline')
  assert.equal(figures, figures.toSorted((a, b) => a - b))
})

fact('an order whose time runs out is stopped', async (on) => {
  on.worker(async (_order, { signal }) => {
    await once(signal, 'abort')
    throw new Failure('this is not why', { final: true })
  })
  await on.messaging.order(placed('ord_1', { notAfter: '2026-01-01T12:00:00.050Z' }), {})
  await until(() => on.outcomes.length === 1, { withinMs })
  const [outcome] = on.answers()
  assert.equal(
    outcome?.kind === 'failed' && [outcome.because, outcome.final],
    ['It took too long and was stopped.', false],
  )
})

fact('a failure that its handler understands is told in the handler\'s words', async (on) => {
  on.worker(async () => {
    throw new Failure('There is no room left in zone a.', { final: true, cause: new Error('quota 12/12') })
  })
  await on.messaging.order(placed('ord_1'), {})
  await until(() => on.outcomes.length === 1, { withinMs })
  const [outcome] = on.answers()
  assert.equal(
    outcome?.kind === 'failed' && [outcome.because, outcome.final],
    ['There is no room left in zone a.', true],
  )
  assert.ok(on.lines.some((line) => line.includes('quota 12/12') && line.includes('ord_1')))
})

fact('a failure that nobody understands tells the tenant nothing and the log everything', async (on) => {
  on.worker(async () => {
    throw new Error('the cloud answered with 500', { cause: new Error('connect ECONNREFUSED 10.0.0.1') })
  })
  await on.messaging.order(placed('ord_1'), {})
  await until(() => on.outcomes.length === 1, { withinMs })
  const [outcome] = on.answers()
  assert.equal(
    outcome?.kind === 'failed' && [outcome.because, outcome.final],
    ['Something went wrong on our side.', false],
  )
  const line = on.lines.find((each) => each.includes('an order failed')) ?? ''
  assert.match(line, 'the cloud answered with 500')
  assert.match(line, 'ECONNREFUSED 10.0.0.1')
})

fact('orders for one key run one after the other, orders for different keys side by side', async (on) => {
  const running = new Set<string>()
  const began: string[] = []
  const gates = { ord_1: door(), ord_2: door(), ord_3: door() }
  on.worker(async ({ orderId, key }) => {
    assert.not(running.has(key))
    running.add(key)
    began.push(orderId)
    if (orderId === 'ord_1' || orderId === 'ord_2' || orderId === 'ord_3') await gates[orderId].opened
    running.delete(key)
    return {}
  })
  await on.messaging.order(placed('ord_1', { key: 'nod_1' }), {})
  await on.messaging.order(placed('ord_2', { key: 'nod_1' }), {})
  await on.messaging.order(placed('ord_3', { key: 'nod_2' }), {})
  await until(() => began.includes('ord_3'), { withinMs })
  assert.equal(began, ['ord_1', 'ord_3'])
  gates.ord_1.open()
  await until(() => began.includes('ord_2'), { withinMs })
  gates.ord_2.open()
  gates.ord_3.open()
  await until(() => on.answers().length === 3, { withinMs })
})

fact('orders that wait behind one that does not end make room once their time is up', async (on) => {
  const gate = door()
  const begun: string[] = []
  on.worker(
    async ({ orderId }) => {
      begun.push(orderId)
      if (orderId === 'ord_stuck') await gate.opened
      return {}
    },
    { concurrency: 2 },
  )
  await on.messaging.order(placed('ord_stuck', { key: 'nod_1' }), {})
  await on.messaging.order(placed('ord_behind', { key: 'nod_1', notAfter: '2026-01-01T12:00:00.050Z' }), {})
  await on.messaging.order(placed('ord_other', { key: 'nod_2' }), {})
  await until(() => on.answers().length === 2, { withinMs })
  gate.open()
  await until(() => on.answers().length === 3, { withinMs })
  assert.equal(begun, ['ord_stuck', 'ord_other'])
  const behind = on.answers().find(({ orderId }) => orderId === 'ord_behind')
  assert.is(behind?.kind === 'failed' && behind.because, 'It took too long to begin.')
})

fact('work longer than the acknowledgement time stays with its worker', async (on) => {
  let begun = 0
  const gate = door()
  const slow: Handle = async () => {
    begun++
    await gate.opened
    return {}
  }
  on.worker(slow)
  on.worker(slow)
  // An order that is taken and forgotten comes back once per acknowledgement time: a clock that is not the wall's.
  await on.messaging.order(placed('ord_clock', { order: { subject: 'cmon.forget-cluster', body: { cluster } } }), {})
  await on.messaging.order(placed('ord_1'), {})
  const ticking = new AbortController()
  for await (const { deliveries } of on.messaging.orders('cmon', { concurrency: 1, signal: ticking.signal })) {
    if (deliveries === 5) ticking.abort()
  }
  gate.open()
  await until(() => on.answers().length === 1, { withinMs })
  assert.is(begun, 1)
})

fact('a worker that drains ends what it began, and leaves what it did not begin to the next', async (on) => {
  const gate = door()
  let begun = false
  const done: string[] = []
  const first = on.worker(async ({ orderId }) => {
    begun = true
    await gate.opened
    done.push(`first ${orderId}`)
    return {}
  })
  await on.messaging.order(placed('ord_1', { key: 'nod_1' }), {})
  await on.messaging.order(placed('ord_2', { key: 'nod_1' }), {})
  await until(() => begun, { withinMs })
  first.stop()
  gate.open()
  await first.done
  on.worker(async ({ orderId }) => {
    done.push(`second ${orderId}`)
    return {}
  })
  await until(() => on.answers().length === 2, { withinMs })
  assert.equal(done, ['first ord_1', 'second ord_2'])
})

fact('work that does not end in time for the drain is handed back unanswered', async (on) => {
  let begun = false
  const first = on.worker(
    async (_order, { signal }) => {
      begun = true
      await once(signal, 'abort')
      throw new Error('stopped')
    },
    { drainTimeoutMs: 20 },
  )
  await on.messaging.order(placed('ord_1'), {})
  await until(() => begun, { withinMs })
  first.stop()
  await first.done
  assert.equal(on.outcomes, [])
  on.worker(async () => ({ machineId: 'mch_2' }))
  await until(() => on.answers().length === 1, { withinMs })
  assert.is(on.answers()[0]?.kind, 'succeeded')
})

fact('an order is not over before its outcome is with the broker', async (on) => {
  let refusals = 1
  const answered: string[] = []
  const messaging: Messaging = {
    ...on.messaging,
    answer: async (outcome, id, carrier) => {
      if (refusals-- > 0) throw new Error('the broker is away')
      answered.push(id)
      await on.messaging.answer(outcome, id, carrier)
    },
  }
  let begun = 0
  on.worker(async () => ({ machineId: String(++begun) }), { messaging })
  await on.messaging.order(placed('ord_1'), {})
  await until(() => on.answers().length === 1, { withinMs })
  assert.is(begun, 2)
  assert.equal(answered, [outcomeIdOf('ord_1', 'succeeded')])
})

test('a worker whose broker closes for good says so', async () => {
  const { log } = keptLog()
  const messaging = memoryMessaging({ ackWaitMs: 200 })
  const { signal } = new AbortController()
  const handle: Handle = async () => ({})
  const working = workOn({ messaging, family: 'infra', concurrency: 1, signal, handle, now: () => noon, log })
  await messaging.close()
  await working.then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), 'the connection to the broker is closed'),
  )
})

test('ids of orders and outcomes are the same for the same thing and differ for any other', () => {
  const ids = [
    outcomeIdOf('ord_1', 'noted', 0),
    outcomeIdOf('ord_1', 'noted', 1),
    outcomeIdOf('ord_1', 'succeeded'),
    outcomeIdOf('ord_1', 'failed'),
    outcomeIdOf('ord_2', 'failed'),
  ]
  assert.is(new Set(ids).size, ids.length)
  assert.is(outcomeIdOf('ord_1', 'noted', 1), ids[1])
})

test.run()
