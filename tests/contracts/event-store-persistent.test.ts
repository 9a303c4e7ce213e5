import {
  binaryEvent, eventTypeFilter, type EventStoreDBClient, jsonEvent, persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults, START, streamNameFilter,
} from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watch, type Watched } from '../support/consumers.ts'
import { newStream } from '../support/events.ts'
import { collect, eachServer, errorOf, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }
const GROUP = 'workers'

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }
type Changes = Parameters<typeof persistentSubscriptionToStreamSettingsFromDefaults>[0]

const fromStart = (changes: Changes = {}) =>
  persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...changes })

/** A stream with so many events, and a group that begins at its first. */
const grouped = async (client: EventStoreDBClient, count: number, changes: Changes = {}): Promise<string> => {
  const stream = newStream()
  if (count > 0) await client.appendToStream(stream, numbered(count))
  await client.createPersistentSubscriptionToStream(stream, GROUP, fromStart(changes))
  return stream
}

const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, i) => from + i)

eachServer((name, start) => {
  const test = suite<Context>(`persistent subscriptions to streams: ${name}`)
  const join = (client: EventStoreDBClient, stream: string, bufferSize = 10) =>
    client.subscribeToPersistentSubscriptionToStream(stream, GROUP, { bufferSize })
  const info = (client: EventStoreDBClient, stream: string) =>
    client.getPersistentSubscriptionToStreamInfo(stream, GROUP)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  test('a consumer gets what is there and what comes, once, if it acknowledges', async ({ client }) => {
    const stream = await grouped(client, 30)
    const seen = watch(join(client, stream), async (event, it) => it.ack(event))
    await until(() => seen.events.length === 30, PROMPTLY)
    await client.appendToStream(stream, numbered(40).slice(30))
    await until(() => seen.events.length === 40, PROMPTLY)
    assert.equal(seen.numbers(), upTo(40))
    assert.equal(seen.events.map(({ retryCount }) => retryCount), upTo(40).map(() => 0))
    assert.equal(seen.events.map(({ event }) => event?.revision), upTo(40).map(BigInt))
    await seen.subscription.unsubscribe()
  })

  test('a group begins at the revision it was made for, or with what comes', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(5))
    await client.createPersistentSubscriptionToStream(stream, 'from 3', fromStart({ startFrom: 3n }))
    await client.createPersistentSubscriptionToStream(stream, 'from end', fromStart({ startFrom: 'end' }))
    const three = watch(client.subscribeToPersistentSubscriptionToStream(stream, 'from 3'))
    const end = watch(client.subscribeToPersistentSubscriptionToStream(stream, 'from end'))
    await until(() => end.isConfirmed(), PROMPTLY)
    await client.appendToStream(stream, numbered(6).slice(5))
    await until(() => three.events.length === 3 && end.events.length === 1, PROMPTLY)
    assert.equal([three.numbers(), end.numbers()], [[3, 4, 5], [5]])
    for (const { subscription } of [three, end]) await subscription.unsubscribe()
  })

  test('competing consumers share the events between them', async ({ client }) => {
    const stream = await grouped(client, 0)
    const hands = upTo(3).map(() => watch(join(client, stream), async (event, it) => it.ack(event)))
    await until(() => hands.every((it) => it.isConfirmed()), PROMPTLY)
    for (const event of numbered(60)) await client.appendToStream(stream, event)
    await until(() => hands.flatMap((it) => it.events).length >= 60, PROMPTLY)
    assert.equal(hands.flatMap((it) => it.numbers()).toSorted((a, b) => a - b), upTo(60))
    for (const { events } of hands) assert.is(events.length, 20)
    for (const { subscription } of hands) await subscription.unsubscribe()
  })

  test('a slow consumer gets no more than its buffer holds', async ({ client }) => {
    const stream = await grouped(client, 50)
    const slow = watch(join(client, stream, 7))
    await until(() => slow.events.length === 7, PROMPTLY)
    const { connections, stats } = await info(client, stream)
    assert.equal(connections.map((it) => [it.inFlightMessages, it.availableSlots]), [[7, 0]])
    assert.is(stats.totalInFlightMessages, 7)
    await slow.subscription.ack(...slow.events.slice(0, 3))
    await until(() => slow.events.length === 10, PROMPTLY)
    assert.equal(slow.numbers(), upTo(10))
    await slow.subscription.unsubscribe()
  })

  test('what a leaving consumer had in hand goes to another', async ({ client }) => {
    const stream = await grouped(client, 4)
    const leaving = watch(join(client, stream))
    await until(() => leaving.events.length === 4, PROMPTLY)
    const staying = watch(join(client, stream))
    await until(() => staying.isConfirmed(), PROMPTLY)
    await leaving.subscription.unsubscribe()
    await until(() => staying.events.length === 4, PROMPTLY)
    assert.equal(staying.numbers(), upTo(4))
    assert.equal(staying.events.map(({ retryCount }) => retryCount), [1, 1, 1, 1])
    await staying.subscription.unsubscribe()
  })

  test('what is not answered in time comes again, and is parked after the last try', async ({ client }) => {
    const stream = await grouped(client, 1, { messageTimeout: 200, maxRetryCount: 2 })
    const seen = watch(join(client, stream))
    await until(async () => (await info(client, stream)).stats.parkedMessageCount === 1n, PROMPTLY)
    assert.equal(seen.events.map(({ retryCount }) => retryCount), [0, 1, 2])
    await seen.subscription.unsubscribe()
  })

  test('a refused event is tried again or skipped, as its consumer says', async ({ client }) => {
    const stream = await grouped(client, 3)
    const seen = watch(join(client, stream), async (event, it) => {
      if (event.retryCount > 0) await it.ack(event)
      else await it.nack(event.event?.revision === 1n ? 'skip' : 'retry', 'because', event)
    })
    await until(() => seen.events.length === 5, PROMPTLY)
    assert.equal(seen.numbers().toSorted((a, b) => a - b), [0, 0, 1, 2, 2])
    await until(async () => (await info(client, stream)).stats.outstandingMessagesCount === 0, PROMPTLY)
    assert.is((await info(client, stream)).stats.parkedMessageCount, 0n)
    await seen.subscription.unsubscribe()
  })

  test('a consumer that says stop is done with the event and goes on', async ({ client }) => {
    const stream = await grouped(client, 2)
    const seen = watch(join(client, stream, 1), async (event, it) => it.nack('stop', 'because', event))
    await until(() => seen.events.length === 2, PROMPTLY)
    assert.equal([seen.numbers(), seen.errors], [[0, 1], []])
    await seen.subscription.unsubscribe()
  })

  test('parked events are links in a stream of their own, and come again when asked for', async ({ client }) => {
    const stream = await grouped(client, 4)
    const parked = `$persistentsubscription-${stream}::${GROUP}-parked`
    const seen = watch(join(client, stream), async (event, it) =>
      event.link === undefined ? it.nack('park', 'because', event) : it.ack(event))
    await until(async () => (await info(client, stream)).stats.parkedMessageCount === 4n, PROMPTLY)
    const links = await collect(client.readStream(parked))
    assert.equal(links.map(({ event }) => event?.type), ['$>', '$>', '$>', '$>'])
    const resolved = await collect(client.readStream(parked, { resolveLinkTos: true }))
    assert.equal(resolved.map(({ event }) => event?.streamId), [stream, stream, stream, stream])

    await client.replayParkedMessagesToStream(stream, GROUP, { stopAt: 2 })
    await until(() => seen.events.length === 6, PROMPTLY)
    assert.equal(seen.events.slice(4).map(({ link }) => link?.streamId), [parked, parked])
    assert.equal(seen.numbers().slice(4), [0, 1])
    await until(async () => (await info(client, stream)).stats.parkedMessageCount === 2n, PROMPTLY)
    await client.replayParkedMessagesToStream(stream, GROUP)
    await until(() => seen.events.length === 8, PROMPTLY)
    await until(async () => (await info(client, stream)).stats.parkedMessageCount === 0n, PROMPTLY)
    await until(async () => (await collect(client.readStream(parked))).length === 0, PROMPTLY)
    assert.equal(seen.numbers().slice(6), [2, 3])
    await seen.subscription.unsubscribe()
  })

  test('a link is followed if the group says so, and acknowledged as the link', async ({ client }) => {
    const [target, stream] = [newStream(), newStream('links')]
    await client.appendToStream(target, numbered(2))
    const links = [1, 0, 7].map((it) => binaryEvent({ type: '$>', data: Buffer.from(`${it}@${target}`) }))
    await client.appendToStream(stream, links)
    await client.createPersistentSubscriptionToStream(stream, GROUP, fromStart({ resolveLinkTos: true }))
    const seen = watch(join(client, stream), async (event, it) => it.ack(event))
    await until(() => seen.events.length === 3, PROMPTLY)
    assert.equal(seen.events.map(({ event }) => event?.revision), [1n, 0n, undefined])
    assert.equal(seen.events.map((it) => it.link?.revision), [0n, 1n, 2n])
    await until(async () => (await info(client, stream)).stats.outstandingMessagesCount === 0, PROMPTLY)
    await seen.subscription.unsubscribe()
  })

  test('a group has no more consumers than it may', async ({ client }) => {
    const stream = await grouped(client, 0, { maxSubscriberCount: 1 })
    const first = watch(join(client, stream))
    await until(() => first.isConfirmed(), PROMPTLY)
    const second = watch(join(client, stream))
    await until(() => second.errors.length === 1, PROMPTLY)
    const { type, streamName, groupName } = second.errors[0] ?? {}
    assert.equal([type, streamName, groupName], ['maximum-subscribers-reached', stream, GROUP])
    await first.subscription.unsubscribe()
    await until(async () => (await info(client, stream)).connections.length === 0, PROMPTLY)
    const third = watch(join(client, stream))
    await until(() => third.isConfirmed(), PROMPTLY)
    await third.subscription.unsubscribe()
  })

  test('an update drops the consumers and holds from then on', async ({ client }) => {
    const stream = await grouped(client, 1)
    const seen = watch(join(client, stream))
    await until(() => seen.isConfirmed(), PROMPTLY)
    await client.updatePersistentSubscriptionToStream(stream, GROUP, fromStart({ maxRetryCount: 77 }))
    await until(() => seen.errors.length === 1, PROMPTLY)
    const { type, streamName, groupName } = seen.errors[0] ?? {}
    assert.equal([type, streamName, groupName], ['persistent-subscription-dropped', stream, GROUP])
    assert.is((await info(client, stream)).settings.maxRetryCount, 77)
  })

  test('a deletion drops the consumers, and what the group knew is gone', async ({ client }) => {
    const stream = await grouped(client, 3, { checkPointLowerBound: 1, checkPointAfter: 1, checkPointUpperBound: 1 })
    const seen = watch(join(client, stream), async (event, it) =>
      event.event?.revision === 2n ? it.nack('park', 'because', event) : it.ack(event))
    await until(async () => (await info(client, stream)).stats.lastCheckpointedEventRevision === 2n, PROMPTLY)
    await client.deletePersistentSubscriptionToStream(stream, GROUP)
    await until(() => seen.errors.length === 1, PROMPTLY)
    assert.is(seen.errors[0]?.['type'], 'persistent-subscription-dropped')
    assert.is((await errorOf(() => info(client, stream)))['type'], 'persistent-subscription-does-not-exist')
    await client.createPersistentSubscriptionToStream(stream, GROUP, fromStart())
    const anew = watch(join(client, stream), async (event, it) => it.ack(event))
    await until(() => anew.events.length === 3, PROMPTLY)
    assert.is((await info(client, stream)).stats.parkedMessageCount, 0n)
    await anew.subscription.unsubscribe()
  })

  test('a group that is not there, or is already, is named in the error', async ({ client }) => {
    const stream = await grouped(client, 0)
    const named = (error: Record<string, unknown>) => [error['type'], error['streamName'], error['groupName']]
    const again = await errorOf(() => client.createPersistentSubscriptionToStream(stream, GROUP, fromStart()))
    assert.equal(named(again), ['persistent-subscription-exists', stream, GROUP])
    const absent = ['persistent-subscription-does-not-exist', stream, 'nobody']
    const attempts = [
      () => client.updatePersistentSubscriptionToStream(stream, 'nobody', fromStart()),
      () => client.deletePersistentSubscriptionToStream(stream, 'nobody'),
      () => client.getPersistentSubscriptionToStreamInfo(stream, 'nobody'),
      () => client.replayParkedMessagesToStream(stream, 'nobody'),
    ]
    for (const attempt of attempts) assert.equal(named(await errorOf(attempt)), absent)
    const reader = watch(client.subscribeToPersistentSubscriptionToStream(stream, 'nobody'))
    await until(() => reader.errors.length === 1, PROMPTLY)
    assert.equal(named(reader.errors[0] ?? {}), absent)
    const unlisted = await errorOf(() => client.listPersistentSubscriptionsToStream(newStream()))
    assert.is(unlisted['type'], 'persistent-subscription-does-not-exist')
  })

  test('names hold any characters', async ({ client }) => {
    const [stream, group] = [`${newStream()}/수업 ☂`, 'ヽ༼ຈل͜ຈ༽ﾉ / 1']
    await client.createPersistentSubscriptionToStream(stream, group, fromStart())
    await client.appendToStream(stream, numbered(2))
    const seen = watch(client.subscribeToPersistentSubscriptionToStream(stream, group), async (event, it) =>
      event.link === undefined ? it.nack('park', 'weil ☂', event) : it.ack(event))
    const info = () => client.getPersistentSubscriptionToStreamInfo(stream, group)
    await until(async () => (await info()).stats.parkedMessageCount === 2n, PROMPTLY)
    await client.replayParkedMessagesToStream(stream, group)
    await until(() => seen.events.length === 4, PROMPTLY)
    assert.equal([(await info()).eventSource, (await info()).groupName], [stream, group])
    await client.deletePersistentSubscriptionToStream(stream, group)
    await until(() => seen.errors.length === 1, PROMPTLY)
    assert.is(seen.errors[0]?.['type'], 'persistent-subscription-dropped')
  })

  test('a read batch is smaller than the history buffer', async ({ client }) => {
    const settings = fromStart({ readBatchSize: 500, historyBufferSize: 500 })
    const stream = newStream()
    const error = await errorOf(() => client.createPersistentSubscriptionToStream(stream, GROUP, settings))
    assert.equal([error['type'], error['streamName'], error['groupName']], ['persistent-subscription-failed', stream, GROUP])
    assert.ok(String(error['reason']).length > 0)
  })

  test('settings are told as they were made, and counts as they are', async ({ client }) => {
    const changes = {
      resolveLinkTos: true, extraStatistics: true, messageTimeout: 12_345, maxRetryCount: 3, checkPointAfter: 400,
      checkPointLowerBound: 1, checkPointUpperBound: 50, maxSubscriberCount: 9, liveBufferSize: 80, readBatchSize: 30,
      historyBufferSize: 90, consumerStrategyName: 'Pinned',
    } as const
    const stream = await grouped(client, 6, changes)
    const seen = watch(join(client, stream, 5))
    await until(() => seen.events.length === 5, PROMPTLY)
    await seen.subscription.ack(...seen.events.slice(0, 3))
    await until(() => seen.events.length === 6, PROMPTLY)
    await until(async () => (await info(client, stream)).stats.lastCheckpointedEventRevision === 2n, PROMPTLY)
    const { settings, stats, connections, status, eventSource, groupName } = await info(client, stream)
    assert.equal(settings, { startFrom: START, ...changes })
    assert.equal([eventSource, groupName, status], [stream, GROUP, 'Live'])
    assert.equal([stats.totalItems, stats.outstandingMessagesCount, stats.lastKnownEventRevision], [6n, 3, 5n])
    const [connection] = connections
    assert.equal([connection?.totalItems, connection?.inFlightMessages, connection?.availableSlots], [6n, 3, 2])
    assert.ok(connection?.extraStatistics?.has('99.9%'))
    await seen.subscription.unsubscribe()
  })

  test.run()
})

eachServer((name, start) => {
  const test = suite<Context>(`persistent subscriptions to the log: ${name}`)
  const settings = persistentSubscriptionToAllSettingsFromDefaults
  const join = (client: EventStoreDBClient, group: string) => client.subscribeToPersistentSubscriptionToAll(group)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  test('filters are by stream name or event type, as prefixes or as a pattern', async ({ client }) => {
    const noun = newStream('filtered')
    const type = noun.replaceAll('-', '')
    const filters = [
      streamNameFilter({ prefixes: [`${noun}-a`, `${noun}-b`] }), streamNameFilter({ regex: `^${noun}-[ab]$` }),
      eventTypeFilter({ prefixes: [`${type}a`, `${type}b`] }), eventTypeFilter({ regex: `^${type}[ab]$` }),
    ]
    for (const it of ['a', 'c']) await client.appendToStream(`${noun}-${it}`, jsonEvent({ type: `${type}${it}`, data: {} }))
    const seen: Watched[] = []
    for (const [index, filter] of filters.entries()) {
      const group = `${noun}-${index}`
      await client.createPersistentSubscriptionToAll(group, settings({ startFrom: START }), { filter })
      seen.push(watch(join(client, group), async (event, it) => it.ack(event)))
    }
    for (const it of ['d', 'b']) await client.appendToStream(`${noun}-${it}`, jsonEvent({ type: `${type}${it}`, data: {} }))
    await until(() => seen.every(({ events }) => events.length === 2), PROMPTLY)
    for (const { events, subscription } of seen) {
      assert.equal(events.map(({ event }) => event?.streamId), [`${noun}-a`, `${noun}-b`])
      await subscription.unsubscribe()
    }
  })

  test('a group begins after a position or with what comes, and its checkpoint is a position', async ({ client }) => {
    const noun = newStream('positions')
    const filter = streamNameFilter({ prefixes: [noun] })
    const { position } = await client.appendToStream(`${noun}-1`, numbered(1))
    if (position === undefined) throw new Error('an append has a position')
    const quick = { checkPointAfter: 1, checkPointLowerBound: 1, checkPointUpperBound: 1 }
    const [exact, end] = [`${noun}-exact`, `${noun}-end`]
    await client.createPersistentSubscriptionToAll(exact, settings({ startFrom: position, ...quick }), { filter })
    await client.createPersistentSubscriptionToAll(end, settings({ ...quick }), { filter })
    const seen = [exact, end].map((it) => watch(join(client, it), async (event, consumer) => consumer.ack(event)))
    await until(() => seen.every((it) => it.isConfirmed()), PROMPTLY)
    const last = await client.appendToStream(`${noun}-1`, numbered(2).slice(1))
    await until(() => seen[0]?.events.length === 2 && seen[1]?.events.length === 1, PROMPTLY)
    assert.equal(seen.map((it) => it.numbers()), [[0, 1], [1]])
    await until(async () => {
      const { stats } = await client.getPersistentSubscriptionToAllInfo(exact)
      return (stats.lastCheckpointedEventPosition?.commit ?? 0n) >= (last.position?.commit ?? 0n)
    }, PROMPTLY)
    const { settings: told } = await client.getPersistentSubscriptionToAllInfo(exact)
    assert.equal(told.startFrom, position)
    for (const { subscription } of seen) await subscription.unsubscribe()
  })

  test('a position that nothing stands at yet is no beginning', async ({ client }) => {
    const beyond = { commit: 2n ** 40n, prepare: 2n ** 40n }
    const create = () => client.createPersistentSubscriptionToAll(newStream('beyond'), settings({ startFrom: beyond }))
    const error = await errorOf(create)
    assert.equal([error['type'], error['streamName']], ['persistent-subscription-failed', '$all'])
  })

  test('groups are listed, all of them, of a stream, and of the log; a restart keeps them', async ({ client }) => {
    const [stream, group] = [newStream(), newStream('listed')]
    for (const it of ['one', 'two']) await client.createPersistentSubscriptionToStream(stream, it, fromStart())
    await client.createPersistentSubscriptionToAll(group, settings())
    const listed = async () => ({
      all: (await client.listAllPersistentSubscriptions()).map((it) => [it.eventSource, it.groupName].join('/')),
      stream: (await client.listPersistentSubscriptionsToStream(stream)).map((it) => it.groupName),
      log: (await client.listPersistentSubscriptionsToAll()).map((it) => it.groupName),
    })
    const before = await listed()
    assert.equal(before.stream, ['one', 'two'])
    assert.ok(before.log.includes(group))
    for (const it of [`${stream}/one`, `$all/${group}`]) assert.ok(before.all.includes(it), it)
    const seen = watch(client.subscribeToPersistentSubscriptionToStream(stream, 'one'))
    await until(() => seen.isConfirmed(), PROMPTLY)
    await client.restartPersistentSubscriptionSubsystem()
    await until(() => seen.errors.length === 1, PROMPTLY)
    await until(async () => JSON.stringify(await listed()) === JSON.stringify(before), PROMPTLY)
  })

  test('parked events of the log come again, update keeps the filter, delete ends it', async ({ client }) => {
    const [noun, group] = [newStream('parking'), newStream('group')]
    const filter = streamNameFilter({ prefixes: [noun] })
    await client.createPersistentSubscriptionToAll(group, settings({ startFrom: START }), { filter })
    await client.updatePersistentSubscriptionToAll(group, settings({ startFrom: START, maxRetryCount: 1 }))
    await client.appendToStream(newStream(), numbered(1))
    await client.appendToStream(`${noun}-1`, numbered(2))
    const seen = watch(join(client, group), async (event, it) =>
      event.link === undefined ? it.nack('park', 'because', event) : it.ack(event))
    const parked = async () => (await client.getPersistentSubscriptionToAllInfo(group)).stats.parkedMessageCount
    await until(async () => (await parked()) === 2n, PROMPTLY)
    await client.replayParkedMessagesToAll(group)
    await until(() => seen.events.length === 4, PROMPTLY)
    assert.equal(seen.numbers(), [0, 1, 0, 1])
    await client.deletePersistentSubscriptionToAll(group)
    await until(() => seen.errors.length === 1, PROMPTLY)
    assert.equal([seen.errors[0]?.['type'], seen.errors[0]?.['groupName']], ['persistent-subscription-dropped', group])
  })

  test.run()
})
