import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Engine, engine } from '../../infra/embedded/event-store/persistent/engine.ts'
import type { Consumer } from '../../infra/embedded/event-store/persistent/hands.ts'
import type { Message } from '../../infra/embedded/event-store/persistent/message.ts'
import type { Settings } from '../../infra/embedded/event-store/persistent/settings.ts'
import type { LogRecord } from '../../infra/embedded/event-store/record.ts'

const DEFAULTS: Settings = {
  resolveLinks: false, extraStatistics: false, messageTimeoutMs: 1_000, maxRetryCount: 2, checkpointAfterMs: 2_000,
  minCheckpointCount: 2, maxCheckpointCount: 5, maxSubscriberCount: 0, liveBufferSize: 4, readBatchSize: 3,
  historyBufferSize: 10, strategy: 'RoundRobin',
}

const recordAt = (place: number, stream: string, metadata = {}): LogRecord => ({
  id: `${place}`, type: 'Numbered', contentType: 'application/json', data: Buffer.from('{}'),
  metadata: Buffer.from(JSON.stringify(metadata)), position: 100 * place, stream, revision: place, createdTicks: '0',
})

const placed = (place: number, stream = 'orders-1', metadata = {}) => {
  const record = recordAt(place, stream, metadata)
  return { place, original: record, event: record }
}

type Hand = { readonly consumer: Consumer; readonly seen: string[] }

/** An engine with a clock that stands still until it is told, and all that it wanted done. */
const world = (settings: Partial<Settings> = {}, from?: number) => {
  const parked: { readonly message: Message; readonly reason: string }[] = []
  const checkpoints: number[] = []
  let nowMs = 1_000_000
  const core = engine({ ...DEFAULTS, ...settings }, from, {
    park: (message, reason) => void parked.push({ message, reason }),
    checkpoint: (place) => void checkpoints.push(place),
  })
  return {
    core,
    parked,
    checkpoints,
    take: (...places: number[]) => core.take(places.map((it) => placed(it)), nowMs),
    takeAs: (events: Parameters<Engine['take']>[0]) => core.take(events, nowMs),
    join: (bufferSize: number): Hand => {
      const seen: string[] = []
      const consumer = core.join(bufferSize, ({ original, retries }) => void seen.push(`${original.id}/${retries}`), nowMs)
      return { consumer, seen }
    },
    leave: ({ consumer }: Hand) => core.leave(consumer, nowMs),
    ack: (...ids: number[]) => core.ack(ids.map(String), nowMs),
    nack: (action: Parameters<Engine['nack']>[1], ...ids: number[]) => core.nack(ids.map(String), action, 'because', nowMs),
    written: () => {
      for (const { message } of parked) core.parked(message, nowMs)
    },
    replay: (...places: number[]) => core.replay(places.map((it) => placed(it, 'parked')), nowMs),
    after: (ms: number) => {
      nowMs += ms
      core.tick(nowMs)
    },
  }
}

const test = suite('the engine of a persistent subscription')

test('consumers get their messages in turn, and no more than their buffers hold', () => {
  const { join, take, ack } = world()
  const [small, large] = [join(1), join(3)]
  take(1, 2, 3, 4, 5, 6)
  assert.equal(small.seen, ['1/0'])
  assert.equal(large.seen, ['2/0', '3/0', '4/0'])
  ack(1)
  assert.equal(small.seen, ['1/0', '5/0'])
  ack(3)
  assert.equal(large.seen, ['2/0', '3/0', '4/0', '6/0'])
})

test('with one consumer at a time, the others get what it has no room for', () => {
  const { join, take, ack } = world({ strategy: 'DispatchToSingle' })
  const [first, second] = [join(2), join(2)]
  take(1)
  ack(1)
  take(2)
  ack(2)
  assert.equal([first.seen.length, second.seen.length], [2, 0])
  take(3, 4, 5)
  assert.equal([first.seen.length, second.seen.length], [4, 1])
})

test('pinned, a stream keeps its consumer until that leaves', () => {
  const { join, takeAs, ack, leave } = world({ strategy: 'Pinned' })
  const hands = [join(10), join(10)] as const
  const streams = ['a', 'b', 'c', 'd', 'e', 'f']
  takeAs(streams.map((it, i) => placed(i, it)))
  ack(0, 1, 2, 3, 4, 5)
  const owners = streams.map((_, i) => hands.findIndex(({ seen }) => seen.includes(`${i}/0`)))
  assert.equal(new Set(owners).size, 2)
  takeAs(streams.map((it, i) => placed(10 + i, it)))
  assert.equal(streams.map((_, i) => hands.findIndex(({ seen }) => seen.includes(`${10 + i}/0`))), owners)
  ack(10, 11, 12, 13, 14, 15)
  leave(hands[0])
  takeAs(streams.map((it, i) => placed(20 + i, it)))
  assert.is(hands[1].seen.filter((it) => it.startsWith('2') && it.length > 3).length, 6)
})

test('pinned, a full consumer keeps its own waiting and nobody else\'s', () => {
  const { join, takeAs, ack } = world({ strategy: 'Pinned' })
  const hands = [join(1), join(1)] as const
  takeAs([placed(1, 'a'), placed(2, 'b')])
  const ofA = hands.find(({ seen }) => seen.includes('1/0'))
  const ofB = hands.find(({ seen }) => seen.includes('2/0'))
  assert.is.not(ofA, ofB)
  ack(2)
  takeAs([placed(3, 'a'), placed(4, 'b')])
  assert.equal(ofA?.seen, ['1/0'])
  assert.equal(ofB?.seen, ['2/0', '4/0'])
})

test('pinned by correlation, what belongs together goes to one consumer whatever the stream', () => {
  const { join, takeAs } = world({ strategy: 'PinnedByCorrelation' })
  const hands = [join(20), join(20)] as const
  const names = ['x', 'y', 'z', 'w']
  takeAs(names.flatMap((name, i) => [0, 1].map((n) => placed(10 * i + n, `${name}-${n}`, { $correlationId: name }))))
  const owner = (id: number) => hands.findIndex(({ seen }) => seen.includes(`${id}/0`))
  for (const i of names.keys()) assert.is(owner(10 * i), owner(10 * i + 1))
  assert.is(new Set(names.map((_, i) => owner(10 * i))).size, 2)
})

test('a newcomer gets its share of what is pinned', () => {
  const { join, takeAs, ack } = world({ strategy: 'Pinned', historyBufferSize: 1_000 })
  join(100)
  const streams = Array.from({ length: 40 }, (_, i) => `stream-${i}`)
  takeAs(streams.map((it, i) => placed(i, it)))
  ack(...streams.keys())
  const newcomer = join(100)
  takeAs(streams.map((it, i) => placed(100 + i, it)))
  assert.ok(newcomer.seen.length >= 15 && newcomer.seen.length <= 25, `${newcomer.seen.length} of 40`)
})

test('what is not answered in time is sent again, before anything newer, and parked after the last try', () => {
  const { join, take, after, parked } = world()
  const { seen } = join(2)
  take(1, 2, 3)
  after(999)
  assert.equal(seen, ['1/0', '2/0'])
  after(1)
  assert.equal(seen, ['1/0', '2/0', '1/1', '2/1'])
  after(1_000)
  after(1_000)
  assert.equal(parked.map(({ message }) => message.original.id), ['1', '2'])
  assert.match(parked[0]?.reason ?? '', 'tried again 2 times')
  assert.equal(seen.slice(4), ['1/2', '2/2', '3/0'])
})

test('a refused message is tried again, parked or done with, as its consumer says', () => {
  for (const action of ['retry', 'unknown'] as const) {
    const { join, take, nack } = world()
    const { seen } = join(1)
    take(1, 2)
    nack(action, 1)
    assert.equal(seen, ['1/0', '1/1'])
  }
  for (const action of ['skip', 'stop'] as const) {
    const { join, take, nack, core } = world()
    const { seen } = join(1)
    take(1, 2)
    nack(action, 1)
    assert.equal(seen, ['1/0', '2/0'])
    assert.is(core.counts().retryBuffer, 0)
  }
  const { join, take, nack, parked } = world()
  const { seen } = join(1)
  take(1, 2)
  nack('park', 1)
  assert.equal(seen, ['1/0', '2/0'])
  assert.equal(parked.map(({ message, reason }) => [message.original.id, reason]), [['1', 'A consumer parked it. because']])
})

test('what a leaving consumer had in hand goes to the others, in order, even past the limit', () => {
  const { join, take, leave, parked } = world({ maxRetryCount: 0 })
  const leaving = join(3)
  take(1, 2, 3)
  const staying = join(3)
  leave(leaving)
  assert.equal(staying.seen, ['1/1', '2/1', '3/1'])
  assert.is(parked.length, 0)
})

test('an answer counts once, whoever gives it, and an unknown one not at all', () => {
  const { join, take, ack, nack, core, after } = world({ minCheckpointCount: 1 })
  join(2)
  take(1, 2)
  ack(1, 1, 7)
  nack('retry', 1, 8)
  ack(2)
  assert.is(core.counts().outstanding, 0)
  after(5_000)
  assert.is(core.counts().retryBuffer, 0)
})

test('two events with the same id go one after the other', () => {
  const { join, takeAs, ack } = world()
  const { seen } = join(5)
  const one = placed(1, 'a')
  const same = { ...placed(2, 'b'), original: { ...recordAt(2, 'b'), id: '1' } }
  takeAs([one, same, placed(3)])
  assert.equal(seen, ['1/0', '3/0'])
  ack(1)
  assert.equal(seen, ['1/0', '3/0', '1/0'])
})

test('a checkpoint never passes what is unfinished: in hand, waiting, to be tried again or being parked', () => {
  const { join, take, ack, nack, after, checkpoints, written } = world({ minCheckpointCount: 1, messageTimeoutMs: 600_000 })
  join(4)
  take(1, 2, 3, 4, 5)
  ack(2, 3)
  after(2_000)
  assert.equal(checkpoints, [])
  ack(1)
  after(2_000)
  assert.equal(checkpoints, [3])
  nack('park', 4)
  ack(5)
  after(2_000)
  assert.equal(checkpoints, [3])
  written()
  after(2_000)
  assert.equal(checkpoints, [3, 5])
})

test('checkpoints come at once by the upper count, and by time from the lower count on', () => {
  const { join, take, ack, after, checkpoints } = world()
  join(10)
  take(1, 2, 3, 4, 5, 6, 7, 8)
  ack(1, 2, 3, 4)
  assert.equal(checkpoints, [])
  ack(5)
  assert.equal(checkpoints, [5])
  ack(6)
  after(2_000)
  assert.equal(checkpoints, [5])
  ack(7)
  after(100)
  assert.equal(checkpoints, [5, 7])
  after(10_000)
  assert.equal(checkpoints, [5, 7])
})

test('events that a filter leaves out move the checkpoint on, but not past what waits', () => {
  const { join, takeAs, ack, checkpoints } = world()
  takeAs([1, 2, 3, 4, 5].map((place) => ({ place, passed: true as const })))
  assert.equal(checkpoints, [5])
  takeAs([placed(6), ...[7, 8, 9, 10, 11].map((place) => ({ place, passed: true as const }))])
  assert.equal(checkpoints, [5])
  join(1)
  ack(6)
  assert.equal(checkpoints, [5, 11])
})

test('a group goes on after its checkpoint without writing it again', () => {
  const { join, take, ack, after, checkpoints } = world({ minCheckpointCount: 1 }, 41)
  join(5)
  take(42, 43)
  after(2_000)
  assert.equal(checkpoints, [])
  ack(42)
  after(2_000)
  assert.equal(checkpoints, [42])
})

test('it reads ahead batch by batch while its history buffer has room', () => {
  const { core, take, join, ack } = world()
  assert.is(core.room(), 3)
  take(1, 2, 3, 4, 5, 6)
  assert.is(core.room(), 3)
  take(7, 8, 9)
  assert.is(core.room(), 0)
  join(4)
  assert.is(core.room(), 3)
  ack(1)
  assert.equal([core.counts().readBuffer, core.counts().liveBuffer], [4, 0])
})

test('it falls behind when more comes live than its live buffer holds', () => {
  const { core, take, join } = world()
  core.caughtUp()
  assert.is(core.room(), 4)
  take(1, 2, 3)
  assert.is(core.room(), 1)
  assert.equal([core.counts().live, core.counts().liveBuffer], [true, 3])
  take(4)
  assert.is(core.room(), 3)
  assert.is(core.counts().live, false)
  join(10)
  core.caughtUp()
  assert.is(core.room(), 4)
})

test('parked events are sent again after what waits to be, and are dealt with when all before them are', () => {
  const { core, join, replay, take, nack, ack, parked, written } = world()
  const { seen } = join(2)
  take(50, 51)
  replay(0, 1, 2)
  nack('retry', 50)
  assert.equal(seen, ['50/0', '51/0', '50/1'])
  ack(50, 51)
  assert.equal(seen.slice(3), ['0/0', '1/0'])
  assert.is(core.replayedUpTo(), undefined)
  ack(1)
  nack('park', 0)
  assert.is(core.replayedUpTo(), undefined)
  assert.equal(parked.map(({ message }) => message.original.id), ['0'])
  written()
  assert.is(core.replayedUpTo(), 2)
  ack(2)
  assert.is(core.replayedUpTo(), 3)
})

test('extra statistics tell how long a consumer takes', () => {
  const { join, take, ack, after } = world({ extraStatistics: true })
  const { consumer } = join(2)
  take(1, 2)
  after(10)
  ack(1)
  after(20)
  ack(2)
  const measured = consumer.timings?.measured()
  assert.equal([measured?.get('Mean'), measured?.get('Fastest'), measured?.get('Highest')], [20, 10, 30])
})

type Step =
  | { readonly does: 'take' | 'pass' | 'join' | 'leave' | 'wait' | 'written' }
  | { readonly does: 'ack' | 'park' | 'retry' | 'skip'; readonly which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constantFrom('take', 'take', 'pass', 'join', 'leave', 'wait', 'written') }),
  fc.record({ does: fc.constantFrom('ack', 'ack', 'park', 'retry', 'skip'), which: fc.nat(20) }),
)

/** Any course of events; `finished` is what a consumer or the parked stream has taken for good. */
const live = (strategy: Settings['strategy'], steps: readonly Step[]) => {
  const { core, takeAs, join, leave, ack, nack, after, parked, checkpoints } = world({ strategy, minCheckpointCount: 1 })
  const hands: Hand[] = []
  const finished = new Set<number>()
  let place = 0
  const write = (): void => {
    for (const { message } of parked.splice(0)) {
      finished.add(message.place)
      core.parked(message, 0)
    }
  }
  const inHand = (): number[] => hands.flatMap(({ consumer }) => [...consumer.inFlight.keys()].map(Number))
  const answer = (does: 'ack' | 'park' | 'retry' | 'skip', id: number | undefined): void => {
    if (id === undefined) return
    if (does === 'ack' || does === 'skip') finished.add(id)
    if (does === 'ack') ack(id)
    else nack(does, id)
  }
  const doStep = (it: Step): void => {
    if (it.does === 'take' && core.room() > 0) takeAs([placed(++place, `stream-${place % 5}`)])
    else if (it.does === 'pass') {
      finished.add(++place)
      takeAs([{ place, passed: true }])
    } else if (it.does === 'join') hands.push(join(2))
    else if (it.does === 'leave') hands.splice(0, 1).forEach(leave)
    else if (it.does === 'wait') after(700)
    else if (it.does === 'written') write()
    else if ('which' in it) answer(it.does, inHand()[it.which])
  }
  const check = (): void => {
    for (const { consumer } of hands) assert.ok(consumer.inFlight.size <= consumer.bufferSize)
    assert.is(new Set(inHand()).size, core.counts().outstanding)
    for (let it = 1; it <= (checkpoints.at(-1) ?? 0); it++) assert.ok(finished.has(it), `${it} is not finished`)
  }
  for (const it of steps) {
    doStep(it)
    check()
  }
  hands.push(join(1_000))
  for (let round = 0; round < 10; round++) {
    for (const id of inHand()) answer('ack', id)
    write()
    after(2_000)
    check()
  }
  return { finished: finished.size, taken: place, checkpoint: checkpoints.at(-1) ?? 0 }
}

for (const strategy of ['RoundRobin', 'DispatchToSingle', 'Pinned', 'PinnedByCorrelation'] as const) {
  test(`whatever happens, nothing is lost and no checkpoint is ahead of the work, ${strategy}`, () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { finished, taken, checkpoint } = live(strategy, steps)
      assert.is(finished, taken)
      assert.is(checkpoint, taken)
    }), { numRuns: 150 })
  })
}

test.run()
