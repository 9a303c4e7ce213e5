import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { due, job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { Saga } from '../../domain/job/saga.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import {
  at,
  building,
  cancel,
  eventsOf,
  exampleSagas,
  failure,
  note,
  passTime,
  razing,
  start,
  success,
} from '../support/example-saga.ts'
import { fold, given } from '../support/given.ts'

const test = suite('a job')

const decider = job(exampleSagas)
const build = eventsOf(building)
const raze = eventsOf(razing)
const one = { key: 'nod_1' }
const two = { key: 'nod_2' }
const back = { course: 'back' } as const

/** The stream that these commands lead to. */
const after = (...commands: readonly JobCommand[]): readonly JobEvent[] => {
  const stream: JobEvent[] = []
  for (const command of commands) {
    const decision = decider.decide(command, fold(decider, stream))
    if (isRejection(decision)) throw new Error(decision.because)
    stream.push(...decision)
  }
  return stream
}
const dueAfter = (...commands: readonly JobCommand[]) => due(fold(decider, after(...commands)))
const statusAfter = (...commands: readonly JobCommand[]) => fold(decider, after(...commands)).status

const begin = start(building)
const walled = [begin, success(10, 'wall')]
const furnished = [...walled, success(20, 'rooms', one), success(30, 'rooms', two)]
const painted = [...furnished, success(40, 'paint')]
const fenced = [start(razing), success(10, 'fence')]

test('a job begins with its first order, which must be done in time', () =>
  given(decider).when(begin).then(build.started(), build.ordered(0, 'wall')))

test('a job begins once', () => {
  given(decider, ...after(begin)).when(begin).thenNothing()
  given(decider, ...after(...painted, success(50, 'door'))).when(begin).thenNothing()
})

test('nothing can be said to a job that is not there', () => {
  for (const command of [success(0, 'wall'), passTime(0), cancel(0)]) given(decider).when(command).thenRejected('job-not-found')
})

test('the orders of one step go out together', () =>
  given(decider, ...after(begin))
    .when(success(10, 'wall'))
    .then(build.succeeded(10, 20, 'wall'), build.ordered(10, 'rooms', one), build.ordered(10, 'rooms', two)))

test('the next step waits for every order of the step at hand', () => {
  given(decider, ...after(...walled)).when(success(20, 'rooms', two)).then(build.succeeded(20, 40, 'rooms', two))
  assert.is(statusAfter(...walled, success(20, 'rooms', two)), 'running')
})

test('a step with nothing to do is passed over', () =>
  given(decider, ...after(...walled, success(20, 'rooms', one)))
    .when(success(30, 'rooms', two))
    .then(build.succeeded(30, 60, 'rooms', two), build.ordered(30, 'paint')))

test('a job that has done its last step is finished, and its progress stayed below 100', () => {
  given(decider, ...after(...painted)).when(success(50, 'door')).then(build.succeeded(50, 99, 'door'), build.finished(50))
  assert.is(statusAfter(...painted, success(50, 'door')), 'finished')
})

test('a worker may remark on what it is at, and on nothing else', () => {
  given(decider, ...after(begin)).when(note(5, 'first stone', 'wall')).then(build.noted(5, 'first stone', 'wall'))
  given(decider, ...after(...walled)).when(note(15, 'too late', 'wall')).thenNothing()
  given(decider, ...after(begin, failure(5, 'wall'))).when(note(6, 'still at it', 'wall')).thenNothing()
})

test('an order that failed waits before it is repeated', () => {
  given(decider, ...after(begin)).when(failure(10, 'wall')).then(build.failed(10, 1_010, 'wall'))
  assert.is(dueAfter(begin, failure(10, 'wall')), at(1_010))
  given(decider, ...after(begin, failure(10, 'wall'))).when(passTime(1_009)).thenNothing()
  given(decider, ...after(begin, failure(10, 'wall'))).when(passTime(1_010)).then(build.ordered(1_010, 'wall', { attempt: 2 }))
})

test('one order is repeated while its sister goes on', () => {
  const history = [...walled, failure(20, 'rooms', one)]
  given(decider, ...after(...history)).when(success(30, 'rooms', two)).then(build.succeeded(30, 40, 'rooms', two))
  given(decider, ...after(...history)).when(passTime(1_020)).then(build.ordered(1_020, 'rooms', { ...one, attempt: 2 }))
})

test('a step whose attempts are used up is undone itself, for nobody knows what it did', () =>
  given(decider, ...after(begin, failure(10, 'wall'), passTime(1_010)))
    .when(failure(1_020, 'wall', { attempt: 2 }))
    .then(
      build.failed(1_020, null, 'wall', { attempt: 2 }),
      build.unwinding(1_020, 'wall', 'Build the wall: no luck'),
      build.ordered(1_020, 'wall', back),
    ))

test('what can never succeed is not repeated', () =>
  given(decider, ...after(begin))
    .when(failure(10, 'wall', {}, true))
    .then(
      build.failed(10, null, 'wall'),
      build.unwinding(10, 'wall', 'Build the wall: no luck'),
      build.ordered(10, 'wall', back),
    ))

test('unwinding waits for what is under way', () => {
  given(decider, ...after(...walled))
    .when(failure(20, 'rooms', one, true))
    .then(build.failed(20, null, 'rooms', one), build.unwinding(20, 'rooms', 'Furnish the rooms: no luck'))
  given(decider, ...after(...walled, failure(20, 'rooms', one, true)))
    .when(success(30, 'rooms', two))
    .then(
      build.succeeded(30, 40, 'rooms', two),
      build.ordered(30, 'rooms', { ...one, ...back }),
      build.ordered(30, 'rooms', { ...two, ...back }),
    )
})

test('while it waits for what is under way nothing is repeated', () => {
  const halting = [...walled, failure(20, 'rooms', one, true)]
  given(decider, ...after(...halting))
    .when(failure(30, 'rooms', two))
    .then(
      build.failed(30, null, 'rooms', two),
      build.ordered(30, 'rooms', { ...one, ...back }),
      build.ordered(30, 'rooms', { ...two, ...back }),
    )
  assert.is(dueAfter(...walled, failure(20, 'rooms', one), cancel(30)), at(12_010))
})

test('a sister that waited to be repeated when the step failed is not waited for', () =>
  given(decider, ...after(...walled, failure(20, 'rooms', one)))
    .when(failure(30, 'rooms', two, true))
    .then(
      build.failed(30, null, 'rooms', two),
      build.unwinding(30, 'rooms', 'Furnish the rooms: no luck'),
      build.ordered(30, 'rooms', { ...one, ...back }),
      build.ordered(30, 'rooms', { ...two, ...back }),
    ))

const doorGone = [...painted, failure(50, 'door', {}, true)]
const roomsGone = [...doorGone, success(60, 'door', back), success(70, 'rooms', { ...one, ...back })]

test('the steps are undone from the last to the first, those without an undo passed over', () => {
  given(decider, ...after(...doorGone))
    .when(success(60, 'door', back))
    .then(
      build.succeeded(60, 80, 'door', back),
      build.ordered(60, 'rooms', { ...one, ...back }),
      build.ordered(60, 'rooms', { ...two, ...back }),
    )
  given(decider, ...after(...roomsGone))
    .when(success(80, 'rooms', { ...two, ...back }))
    .then(build.succeeded(80, 20, 'rooms', { ...two, ...back }), build.ordered(80, 'wall', back))
})

test('a job that has undone its first step is unwound, and says what went wrong', () => {
  const history = [...roomsGone, success(80, 'rooms', { ...two, ...back })]
  given(decider, ...after(...history))
    .when(success(90, 'wall', back))
    .then(build.succeeded(90, 0, 'wall', back), build.unwound(90, 'Hang the door: no luck'))
  assert.is(statusAfter(...history, success(90, 'wall', back)), 'failed')
})

test('an undo is repeated for ever, and an operator is asked to look each time its attempts are used up', () => {
  const undone = { ...back, attempt: 1 }
  const first = [begin, failure(10, 'wall', {}, true), failure(20, 'wall', undone)]
  given(decider, ...after(...first.slice(0, 2))).when(failure(20, 'wall', undone)).then(build.failed(20, 1_020, 'wall', back))
  const second = [...first, passTime(1_020)]
  given(decider, ...after(...second))
    .when(failure(1_030, 'wall', { ...back, attempt: 2 }))
    .then(build.failed(1_030, 3_030, 'wall', { ...back, attempt: 2 }), build.attention(1_030, 'wall', back))
  const third = [...second, failure(1_030, 'wall', { ...back, attempt: 2 }), passTime(3_030)]
  given(decider, ...after(...third))
    .when(failure(3_040, 'wall', { ...back, attempt: 3 }))
    .then(build.failed(3_040, 7_040, 'wall', { ...back, attempt: 3 }))
  given(decider, ...after(...third))
    .when(success(3_040, 'wall', { ...back, attempt: 3 }))
    .then(build.succeeded(3_040, 0, 'wall', { ...back, attempt: 3 }), build.unwound(3_040, 'Build the wall: no luck'))
})

test('an undo that says it can never succeed is repeated all the same', () =>
  given(decider, ...after(begin, failure(10, 'wall', {}, true)))
    .when(failure(20, 'wall', back, true))
    .then(build.failed(20, 1_020, 'wall', back), build.attention(20, 'wall', back)))

test('a step that cannot be taken back is repeated until it succeeds, and an operator is asked to look', () => {
  given(decider, ...after(...fenced))
    .when(failure(20, 'blast', {}, true))
    .then(raze.failed(20, 1_020, 'blast'), raze.attention(20, 'blast'))
  const again = [...fenced, failure(20, 'blast'), passTime(1_020)]
  given(decider, ...after(...again))
    .when(failure(1_030, 'blast', { attempt: 2 }))
    .then(raze.failed(1_030, 3_030, 'blast', { attempt: 2 }), raze.attention(1_030, 'blast'))
  const cleared = [...again, success(1_030, 'blast', { attempt: 2 }), success(1_040, 'clear', one)]
  given(decider, ...after(...cleared))
    .when(failure(1_050, 'clear', two))
    .then(raze.failed(1_050, 2_050, 'clear', two))
  given(decider, ...after(...cleared))
    .when(success(1_050, 'clear', two))
    .then(raze.succeeded(1_050, 99, 'clear', two), raze.finished(1_050))
})

test('the pause before an attempt doubles up to a minute, however many attempts there were', () => {
  const stream = [...after(...fenced)]
  const pausesMs: number[] = []
  for (let attempt = 1, ms = 20; attempt <= 12; attempt++) {
    for (const command of [failure(ms, 'blast', { attempt }), passTime(ms + 60_000)]) {
      const decision = decider.decide(command, fold(decider, stream))
      if (isRejection(decision)) throw new Error(decision.because)
      stream.push(...decision)
      for (const { type, data } of decision) {
        if (type === 'StepFailed' && data.retryAt !== null) pausesMs.push(Date.parse(data.retryAt) - Date.parse(data.at))
      }
    }
    ms += 60_000
  }
  assert.equal(pausesMs, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60].map((seconds) => seconds * 1_000))
})

test('silence counts as failure only when the worker must have stopped', () => {
  assert.is(dueAfter(begin), at(12_000))
  given(decider, ...after(begin)).when(passTime(11_999)).thenNothing()
  given(decider, ...after(begin))
    .when(passTime(12_000))
    .then(build.failed(12_000, 13_000, 'wall', {}, 'it took longer than it may'))
})

test('silence on the last attempt unwinds the job', () =>
  given(decider, ...after(begin, failure(0, 'wall'), passTime(1_000)))
    .when(passTime(13_000))
    .then(
      build.failed(13_000, null, 'wall', { attempt: 2 }, 'it took longer than it may'),
      build.unwinding(13_000, 'wall', 'Build the wall: it took longer than it may'),
      build.ordered(13_000, 'wall', back),
    ))

test('sisters whose time runs out together fail together and the job unwinds once', () => {
  const last = [...walled, failure(10, 'rooms', one), failure(10, 'rooms', two), passTime(1_010)]
  given(decider, ...after(...last))
    .when(passTime(13_010))
    .then(
      build.failed(13_010, null, 'rooms', { ...one, attempt: 2 }, 'it took longer than it may'),
      build.unwinding(13_010, 'rooms', 'Furnish the rooms: it took longer than it may'),
      build.failed(13_010, null, 'rooms', { ...two, attempt: 2 }, 'it took longer than it may'),
      build.ordered(13_010, 'rooms', { ...one, ...back }),
      build.ordered(13_010, 'rooms', { ...two, ...back }),
    )
})

test('a retry that falls due when a sister gives up is not made while a third is under way', () => {
  const three = { key: 'nod_3' }
  const [wall, rooms] = building.steps
  if (wall === undefined || rooms === undefined) throw new Error('BUG: the building has walls and rooms')
  const wide: Saga = { ...building, steps: [wall, { ...rooms, keys: () => ['nod_1', 'nod_2', 'nod_3'] }] }
  const widely = job({ ...exampleSagas, 'deploy-datastore': () => wide })
  const { ordered, failed, unwinding } = eventsOf(wide)
  const stream = [
    eventsOf(wide).started(), ordered(0, 'wall'), build.succeeded(10, 25, 'wall'),
    ordered(10, 'rooms', { ...one, attempt: 2 }), ordered(10, 'rooms', two), ordered(5_000, 'rooms', three),
    failed(11_000, 12_000, 'rooms', two),
  ]
  given(widely, ...stream)
    .when(passTime(12_010))
    .then(
      failed(12_010, null, 'rooms', { ...one, attempt: 2 }, 'it took longer than it may'),
      unwinding(12_010, 'rooms', 'Furnish the rooms: it took longer than it may'),
    )
})

test('a success within the grace still counts', () =>
  given(decider, ...after(begin)).when(success(11_500, 'wall')).then(...after(begin, success(11_500, 'wall')).slice(2)))

test('an outcome counts once, and only while its order is awaited', () => {
  given(decider, ...after(...walled)).when(success(20, 'wall')).thenNothing()
  given(decider, ...after(...walled)).when(failure(20, 'wall', {}, true)).thenNothing()
  given(decider, ...after(...walled, success(20, 'rooms', one))).when(success(21, 'rooms', one)).thenNothing()
  given(decider, ...after(...walled, success(20, 'rooms', one))).when(failure(21, 'rooms', one, true)).thenNothing()
  given(decider, ...after(begin)).when(success(20, 'door')).thenNothing()
  given(decider, ...after(begin)).when(success(20, 'wall', { key: 'nod_9' })).thenNothing()
  given(decider, ...after(begin)).when(success(20, 'wall', { key: 'constructor' })).thenNothing()
  given(decider, ...after(begin)).when(success(20, 'wall', { attempt: 2 })).thenNothing()
  given(decider, ...after(begin)).when(success(20, 'wall', back)).thenNothing()
})

test('an outcome of an earlier attempt changes nothing, while the next one waits or is under way', () => {
  const waiting = [begin, passTime(12_000)]
  given(decider, ...after(...waiting)).when(success(12_500, 'wall')).thenNothing()
  given(decider, ...after(...waiting, passTime(13_000))).when(success(13_500, 'wall')).thenNothing()
})

test('an outcome from the way forward changes nothing on the way back', () => {
  const undoing = [begin, failure(10, 'wall', {}, true)]
  given(decider, ...after(...undoing)).when(success(20, 'wall')).thenNothing()
  given(decider, ...after(...undoing)).when(failure(20, 'wall', {}, true)).thenNothing()
})

test('a cancelled job waits for what is under way, then unwinds', () => {
  given(decider, ...after(...walled)).when(cancel(20)).then(build.cancelled(20))
  const cancelled = [...walled, cancel(20), success(30, 'rooms', two)]
  given(decider, ...after(...cancelled))
    .when(failure(40, 'rooms', one))
    .then(
      build.failed(40, null, 'rooms', one),
      build.ordered(40, 'rooms', { ...one, ...back }),
      build.ordered(40, 'rooms', { ...two, ...back }),
    )
})

test('a job that is cancelled while it only waits to repeat unwinds at once', () =>
  given(decider, ...after(begin, failure(10, 'wall')))
    .when(cancel(20))
    .then(build.cancelled(20), build.ordered(20, 'wall', back)))

test('a success that comes after the cancellation is undone too', () => {
  given(decider, ...after(begin, cancel(5)))
    .when(success(10, 'wall'))
    .then(build.succeeded(10, 20, 'wall'), build.ordered(10, 'wall', back))
  const undone = [begin, cancel(5), success(10, 'wall')]
  given(decider, ...after(...undone))
    .when(success(20, 'wall', back))
    .then(build.succeeded(20, 0, 'wall', back), build.unwound(20, 'enough', true))
  assert.is(statusAfter(...undone, success(20, 'wall', back)), 'cancelled')
})

test('cancelling twice, or what unwinds already, or what has ended, changes nothing', () => {
  given(decider, ...after(begin, cancel(5))).when(cancel(6)).thenNothing()
  given(decider, ...after(begin, failure(10, 'wall', {}, true))).when(cancel(20)).thenNothing()
  given(decider, ...after(...painted, success(50, 'door'))).when(cancel(60)).thenNothing()
})

test('a job can be cancelled until a step that cannot be taken back is ordered', () => {
  given(decider, ...after(start(razing))).when(cancel(5)).then(raze.cancelled(5))
  given(decider, ...after(...fenced)).when(cancel(20)).thenRejected('job-past-return')
  given(decider, ...after(...fenced, failure(20, 'blast'))).when(cancel(30)).thenRejected('job-past-return')
})

test('nothing changes a job that has ended, and nothing is due', () => {
  const finished = [...painted, success(50, 'door')]
  const unwound = [begin, failure(10, 'wall', {}, true), success(20, 'wall', back)]
  for (const history of [finished, unwound]) {
    for (const command of [success(60, 'door'), success(60, 'wall', back), failure(60, 'wall'), passTime(99_999), cancel(60)]) {
      given(decider, ...after(...history)).when(command).thenNothing()
    }
    assert.is(dueAfter(...history), undefined)
  }
})

test('what is due next is the earliest of deadlines and retries', () => {
  assert.is(dueAfter(...walled), at(12_010))
  assert.is(dueAfter(...walled, failure(20, 'rooms', two)), at(1_020))
})

test('a job whose plan has nothing to do finishes at once', () => {
  const idle = job({
    ...exampleSagas, 'deploy-datastore': () => ({ ...building, steps: building.steps.slice(2, 3) }),
  })
  const steps = [{ name: 'nothing', title: 'Do nothing' }]
  const started = build.started()
  if (started.type !== 'JobStarted') throw new Error('BUG: a job starts with JobStarted')
  given(idle).when(begin).then({ ...started, data: { ...started.data, steps } }, build.finished(0))
})

test('no event but its start can come first', () => assert.throws(() => fold(decider, [build.finished(0)]), /BUG/))

test.run()
