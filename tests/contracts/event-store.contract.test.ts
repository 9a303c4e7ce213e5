import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Delivery, type EventStore, isAfter, type NewEvent, type Recorded, RevisionConflict,
} from '../../domain/kernel/event-store.ts'
import { eventStores, type StartedEventStore } from '../support/event-stores.ts'
import { newEvent, newEvents, newStream } from '../support/events.ts'
import { until } from '../support/until.ts'
import { sealed } from '../support/personal-data.ts'

const PROMPTLY = { withinMs: 20_000 }

const idsOf = (events: readonly { readonly id: string }[]): string[] => events.map(({ id }) => id)

const conflictOf = async (attempt: Promise<unknown>): Promise<RevisionConflict> => {
  try {
    await attempt
  } catch (error) {
    if (error instanceof RevisionConflict) return error
    throw error
  }
  throw new Error('the append was taken')
}

const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('there is nothing here')
  return value
}

/** Follows a store in the background. */
const follower = (
  store: EventStore,
  options: Omit<Parameters<EventStore['subscribe']>[0], 'signal'>,
) => {
  const stopping = new AbortController()
  const deliveries: Delivery[] = []
  const ended = (async () => {
    for await (const delivery of store.subscribe({ ...options, signal: stopping.signal })) deliveries.push(delivery)
  })()
  return {
    deliveries,
    events: (): Recorded[] => deliveries.flatMap(({ events }) => events),
    caughtUp: (): boolean => deliveries.some((it) => it.caughtUp),
    stop: async (): Promise<void> => {
      stopping.abort()
      await ended
    },
  }
}

for (const [name, start] of Object.entries(eventStores)) {
  const test = suite<{ started: StartedEventStore; store: EventStore }>(`event store: ${name}`)

  test.before(async (context) => {
    context.started = await start()
    context.store = context.started.store
  })
  test.after(({ started }) => started.stop())

  test('an absent stream has no events and no revision', async ({ store }) => {
    assert.equal(await store.read(newStream()), { events: [], revision: 'absent' })
    assert.equal(await store.read(newStream(), { backward: true, limit: 1 }), { events: [], revision: 'absent' })
  })

  test('what is written is what is read back', async ({ store }) => {
    const stream = newStream()
    const text = 'naïve 🐘 "quoted" \\ \u0001'
    const event = newEvent('DatastoreCreated', { text, nested: { list: [1, 2.5, null, true] } })
    const withAll: NewEvent = {
      ...event,
      metadata: {
        ...event.metadata,
        requestId: 'req_1',
        organisationId: 'own_1',
        command: { type: 'CreateDatastore', data: { text } },
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        actor: { kind: 'operator', id: 'usr_2', role: 'admin', address: sealed('127.0.0.1'), clientId: 'cli_1' },
      },
    }
    const { revision, position } = await store.append(stream, [withAll], { expected: 'absent' })
    const { events, revision: head } = await store.read(stream)
    const [read] = events
    assert.equal(events.length, 1)
    assert.equal(read, { ...withAll, stream, revision: 0n, position, recordedAt: read?.recordedAt ?? '' })
    assert.match(read?.recordedAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.is(revision, 0n)
    assert.is(head, 0n)
  })

  test('a stream is read in order, from a revision, up to a limit, and backward', async ({ store }) => {
    const stream = newStream()
    const written = newEvents(10)
    await store.append(stream, written, { expected: 'absent' })
    const ids = idsOf(written)
    const read = async (options: Parameters<EventStore['read']>[1]) => {
      const { events, revision } = await store.read(stream, options)
      return { ids: idsOf(events), revision }
    }
    assert.equal(await read({}), { ids, revision: 9n })
    assert.equal(await read({ from: 4n, limit: 3 }), { ids: ids.slice(4, 7), revision: 9n })
    assert.equal(await read({ from: 10n }), { ids: [], revision: 9n })
    assert.equal(await read({ backward: true, limit: 2 }), { ids: ids.toReversed().slice(0, 2), revision: 9n })
    assert.equal(await read({ backward: true, from: 1n }), { ids: [ids[1], ids[0]], revision: 9n })
  })

  test('an append at another revision is a conflict', async ({ store }) => {
    const stream = newStream()
    await conflictOf(store.append(stream, newEvents(1), { expected: 0n }))
    await store.append(stream, newEvents(2), { expected: 'absent' })
    await conflictOf(store.append(stream, newEvents(1), { expected: 'absent' }))
    await conflictOf(store.append(stream, newEvents(1), { expected: 0n }))
    const error = await conflictOf(store.append(stream, newEvents(1), { expected: 2n }))
    assert.match(error.message, stream)
    assert.is((await store.read(stream)).events.length, 2)
    assert.is((await store.append(stream, newEvents(1), { expected: 1n })).revision, 2n)
  })

  test('a repeated append answers as the first did and writes nothing', async ({ store }) => {
    const stream = newStream()
    const first = newEvents(2)
    const second = newEvents(3)
    const begun = await store.append(stream, first, { expected: 'absent' })
    const gone = await store.append(stream, second, { expected: 1n })
    await store.append(stream, newEvents(1), { expected: 4n })
    assert.equal(await store.append(stream, first, { expected: 'absent' }), begun)
    assert.equal(await store.append(stream, second, { expected: 1n }), gone)
    assert.is((await store.read(stream)).events.length, 6)
  })

  test('a repeat with other or more events is a conflict', async ({ store }) => {
    const stream = newStream()
    const [one, two] = [newEvent(), newEvent()]
    await store.append(stream, [one], { expected: 'absent' })
    await conflictOf(store.append(stream, [one, two], { expected: 'absent' }))
    await conflictOf(store.append(stream, [two], { expected: 'absent' }))
    await store.append(stream, [two], { expected: 0n })
    await conflictOf(store.append(stream, [two, one], { expected: 'absent' }))
    assert.equal(idsOf((await store.read(stream)).events), idsOf([one, two]))
  })

  test('of many writers at one revision exactly one wins', async ({ store }) => {
    const stream = newStream()
    const attempts = await Promise.allSettled(
      newEvents(20).map((event) => store.append(stream, [event], { expected: 'absent' })),
    )
    assert.is(attempts.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const it of attempts) if (it.status === 'rejected') assert.instance(it.reason, RevisionConflict)
    assert.is((await store.read(stream)).events.length, 1)
  })

  test('the log is read in the order of writing, after a position, by prefix, up to a limit', async ({ store }) => {
    const [noun, other] = [newStream('n'), newStream('o')]
    const after = await store.head()
    const written: NewEvent[] = []
    for (const event of newEvents(6)) {
      await store.append(`${noun}-${written.length}`, [event], { expected: 'absent' })
      await store.append(`${other}-${written.length}`, newEvents(1), { expected: 'absent' })
      written.push(event)
    }
    const all = await store.readAll({ after, prefixes: [noun], limit: 100 })
    assert.equal(idsOf(all), idsOf(written))
    all.reduce((earlier, later) => (assert.ok(isAfter(later.position, earlier.position)), later))
    const third = present(all[2]).position
    assert.equal(idsOf(await store.readAll({ after: third, prefixes: [noun], limit: 2 })), idsOf(written.slice(3, 5)))
    assert.is((await store.readAll({ after, prefixes: [noun, other], limit: 100 })).length, 12)
    assert.equal(await store.readAll({ after, prefixes: [], limit: 100 }), [])
    assert.is((await store.readAll({ after: 'start', prefixes: [noun], limit: 3 })).length, 3)
  })

  test('the head is where the last append went', async ({ store }) => {
    const { position } = await store.append(newStream(), newEvents(3), { expected: 'absent' })
    assert.equal(await store.head(), position)
    assert.equal(await store.readAll({ after: position, prefixes: ['datastore-'], limit: 10 }), [])
  })

  test('a subscription gives what is there, says that it has caught up, and gives what comes', async ({ store }) => {
    const noun = newStream('n')
    const before = newEvents(1_200)
    const later = newEvents(300)
    const after = await store.head()
    await store.append(`${noun}-1`, before, { expected: 'absent' })
    await store.append(newStream('o'), newEvents(50), { expected: 'absent' })
    const { deliveries, events, caughtUp, stop } = follower(store, { after, prefixes: [noun], batchMax: 100 })
    await until(caughtUp, PROMPTLY)
    const first = deliveries.findIndex((it) => it.caughtUp)
    assert.equal(idsOf(deliveries.slice(0, first + 1).flatMap((it) => it.events)), idsOf(before))
    await Promise.all(later.map((event, i) => store.append(`${noun}-2-${i}`, [event], { expected: 'absent' })))
    await until(() => events().length >= 1_500, PROMPTLY)
    await stop()
    assert.equal(new Set(idsOf(events())), new Set(idsOf([...before, ...later])))
    assert.is(events().length, 1_500)
    assert.ok(deliveries.every((it) => it.events.length <= 100))
    assert.ok(deliveries.slice(first).every((it) => it.caughtUp))
    events().reduce((one, next) => (assert.ok(isAfter(next.position, one.position)), next))
  })

  test('a subscription goes on from the position of any delivery', async ({ store }) => {
    const noun = newStream('n')
    const written = newEvents(40)
    const after = await store.head()
    await store.append(`${noun}-1`, written, { expected: 'absent' })
    const whole = follower(store, { after, prefixes: [noun], batchMax: 7 })
    await until(() => whole.events().length === 40, PROMPTLY)
    await whole.stop()
    let seen = 0
    for (const { events, position } of whole.deliveries) {
      seen += events.length
      const rest = follower(store, { after: position, prefixes: [noun] })
      await until(rest.caughtUp, PROMPTLY)
      await rest.stop()
      assert.equal(idsOf(rest.events()), idsOf(written.slice(seen)))
    }
  })

  test('a subscription learns how far it has come from events it did not ask for', async ({ store }) => {
    const after = await store.head()
    const { deliveries, caughtUp, stop } = follower(store, { after, prefixes: [newStream('n')] })
    await until(caughtUp, PROMPTLY)
    for (let i = 0; i < 3; i++) await store.append(newStream('o'), newEvents(400), { expected: 'absent' })
    await until(() => deliveries.length > 1, PROMPTLY)
    await stop()
    assert.ok(isAfter(present(deliveries.at(-1)).position, after))
    assert.ok(deliveries.every(({ events }) => events.length === 0))
  })

  test('a subscription ends when its signal aborts, even while nothing happens', async ({ store }) => {
    const { caughtUp, stop } = follower(store, { after: await store.head(), prefixes: ['n-'] })
    await until(caughtUp, PROMPTLY)
    await stop()
  })

  test('an append of nothing is a fault of the caller', async ({ store }) => {
    try {
      await store.append(newStream(), [], { expected: 'absent' })
    } catch (error) {
      assert.match(String(error), 'BUG')
      return
    }
    assert.unreachable('the append was taken')
  })

  test.run()
}

const empty = suite<{ started: StartedEventStore }>('an empty event store')
/** A store that was given has had other guests, and one with users holds their events. */
const isEmptyAtFirst = (name: string): boolean => !name.includes('given') && !name.includes('user')
for (const [name, start] of Object.entries(eventStores).filter(([it]) => isEmptyAtFirst(it))) {
  empty(`is caught up with at once: ${name}`, async () => {
    const { store, stop } = await start()
    assert.is(await store.head(), 'start')
    assert.equal(await store.readAll({ after: 'start', prefixes: ['n-'], limit: 10 }), [])
    const first = follower(store, { after: 'start', prefixes: ['n-'] })
    await until(first.caughtUp, PROMPTLY)
    await first.stop()
    const { events, position } = present(first.deliveries[0])
    assert.equal(events, [])
    const second = follower(store, { after: position, prefixes: ['n-'] })
    await store.append('n-1', newEvents(1), { expected: 'absent' })
    await until(() => second.events().length === 1, PROMPTLY)
    await second.stop()
    assert.is((await store.readAll({ after: position, prefixes: ['n-'], limit: 10 })).length, 1)
    await stop()
  })
}
empty.run()
