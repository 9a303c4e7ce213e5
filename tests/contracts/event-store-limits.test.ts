import { type EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, eachServer, errorOf, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }
type Read = Parameters<EventStoreDBClient['readStream']>[1]

eachServer((name, start) => {
  const test = suite<Context>(`stream metadata: ${name}`)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  const revisionsOf = async (client: EventStoreDBClient, stream: string, options: Read = {}) =>
    (await collect(client.readStream(stream, options))).map(({ event }) => Number(event?.revision))

  test('what is set is what is got, keys of one\'s own included', async ({ client }) => {
    const stream = newStream()
    assert.equal(await client.getStreamMetadata(stream), { streamName: stream })
    const acl = { readRoles: ['$all'], writeRoles: ['writer', 'other'] }
    const metadata = { maxCount: 7, maxAge: 3_600, truncateBefore: 2, cacheControl: 60, acl, owner: 'us', level: 3 }
    await client.setStreamMetadata(stream, metadata, { expectedRevision: 'no_stream' })
    assert.equal((await client.getStreamMetadata(stream)).metadata, metadata)
    const error = await errorOf(() => client.setStreamMetadata(stream, {}, { expectedRevision: 'no_stream' }))
    assert.is(error['type'], 'wrong-expected-version')
    assert.is(error['actualVersion'], 0n)
  })

  test('metadata alone makes a stream that exists, without events', async ({ client }) => {
    const stream = newStream()
    await client.setStreamMetadata(stream, { maxCount: 5 })
    assert.is((await errorOf(() => collect(client.readStream(stream))))['type'], 'stream-not-found')
    const append = await client.appendToStream(stream, numbered(1), { expectedRevision: 'stream_exists' })
    assert.is(append.nextExpectedRevision, 0n)
  })

  test('a metadata stream keeps one event, in both directions', async ({ client }) => {
    const stream = newStream()
    for (const maxCount of [1, 2, 3]) await client.setStreamMetadata(stream, { maxCount })
    for (const direction of ['forwards', 'backwards'] as const) {
      const fromRevision = direction === 'forwards' ? 'start' : 'end'
      assert.equal(await revisionsOf(client, `$$${stream}`, { direction, fromRevision }), [2])
    }
    assert.equal(await revisionsOf(client, `$$${stream}`, { direction: 'backwards', fromRevision: 1n }), [])
  })

  test('a count leaves the last events, in both directions and from any revision', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(10))
    await client.setStreamMetadata(stream, { maxCount: 3 })
    assert.equal(await revisionsOf(client, stream), [7, 8, 9])
    assert.equal(await revisionsOf(client, stream, { fromRevision: 2n, maxCount: 2 }), [7, 8])
    assert.equal(await revisionsOf(client, stream, { direction: 'backwards', fromRevision: 'end' }), [9, 8, 7])
    assert.equal(await revisionsOf(client, stream, { direction: 'backwards', fromRevision: 8n }), [8, 7])
    assert.equal(await revisionsOf(client, stream, { direction: 'backwards', fromRevision: 4n }), [])
    await client.appendToStream(stream, numbered(1))
    assert.equal(await revisionsOf(client, stream), [8, 9, 10])
    await client.setStreamMetadata(stream, { maxCount: 100 })
    assert.equal((await revisionsOf(client, stream)).length, 11)
  })

  test('a truncation hides what lies before it, and all of it if it lies beyond the end', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(6))
    await client.setStreamMetadata(stream, { truncateBefore: 4 })
    assert.equal(await revisionsOf(client, stream), [4, 5])
    assert.equal(await revisionsOf(client, stream, { direction: 'backwards', fromRevision: 'end' }), [5, 4])
    await client.setStreamMetadata(stream, { truncateBefore: 4, maxCount: 1 })
    assert.equal(await revisionsOf(client, stream), [5])
    await client.setStreamMetadata(stream, { truncateBefore: 60 })
    assert.equal(await revisionsOf(client, stream), [])
    await client.setStreamMetadata(stream, {})
    assert.equal(await revisionsOf(client, stream), [0, 1, 2, 3, 4, 5])
  })

  test('an age hides what is older, in both directions', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(3))
    await client.setStreamMetadata(stream, { maxAge: 3_600 })
    assert.equal(await revisionsOf(client, stream), [0, 1, 2])
    await client.setStreamMetadata(stream, { maxAge: 1 })
    await until(async () => (await revisionsOf(client, stream)).length === 0, PROMPTLY)
    assert.equal(await revisionsOf(client, stream, { direction: 'backwards', fromRevision: 'end' }), [])
    await client.setStreamMetadata(stream, { maxAge: 3_600 })
    assert.equal(await revisionsOf(client, stream), [0, 1, 2])
  })

  test('a limited stream is read to its end, page after page', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(5_000))
    await client.setStreamMetadata(stream, { maxCount: 4_321, truncateBefore: 100 })
    const expected = Array.from({ length: 4_321 }, (_, i) => 679 + i)
    assert.equal(await revisionsOf(client, stream), expected)
    const downwards = { direction: 'backwards', fromRevision: 'end' } as const
    assert.equal(await revisionsOf(client, stream, downwards), expected.toReversed())
  })

  const META = { type: '$metadata', contentType: 'application/json' } as const
  const saying = (client: EventStoreDBClient, stream: string, data: Record<string, unknown>) =>
    client.appendToStream(`$$${stream}`, { ...jsonEvent({ type: META.type, data }), ...META })

  test('metadata that makes no sense limits nothing', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(4))
    for (const data of [
      { $maxCount: 'two' }, { $maxCount: 1.5 }, { $tb: true }, { $maxCount: 1, $maxAge: 'old' }, { $maxCount: 1, $acl: 5 },
      { $maxCount: 0 }, { $maxCount: -1 }, { $tb: -1 }, { $maxAge: 0 }, { $maxCount: 1, $acl: { $r: [1] } },
      { $tb: 1e300, $maxCount: 1 },
    ]) {
      await saying(client, stream, data)
      assert.equal(await revisionsOf(client, stream), [0, 1, 2, 3], JSON.stringify(data))
    }
    await saying(client, stream, { $maxCount: 2, other: { $maxCount: 'two' } })
    assert.equal(await revisionsOf(client, stream), [2, 3])
  })

  test('the whole log shows what a limit hides', async ({ client }) => {
    const stream = newStream()
    const { position } = await client.appendToStream(stream, numbered(1, 'First'))
    await client.appendToStream(stream, numbered(1, 'Second'))
    await client.setStreamMetadata(stream, { maxCount: 1 })
    const all = await collect(client.readAll({ fromPosition: position ?? 'start', maxCount: 3 }))
    assert.equal(all.map(({ event }) => event?.type), ['First', 'Second', '$metadata'])
  })

  test('a subscription begins with what the limits leave, and then gets all that comes', async ({ client }) => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(5))
    await client.setStreamMetadata(stream, { maxCount: 2 })
    const seen: number[] = []
    const subscription = client.subscribeToStream(stream)
    subscription.on('data', ({ event }) => seen.push(Number(event?.revision)))
    await new Promise((resolve) => subscription.once('caughtUp', resolve))
    await client.appendToStream(stream, numbered(4))
    await until(() => seen.length >= 6, PROMPTLY)
    assert.equal(seen, [3, 4, 5, 6, 7, 8])
    await subscription.unsubscribe()
  })

  test('a limit lets an append be repeated all the same', async ({ client }) => {
    const stream = newStream()
    const events = numbered(3)
    const first = await client.appendToStream(stream, events, { expectedRevision: 'no_stream' })
    await client.setStreamMetadata(stream, { truncateBefore: 3 })
    assert.equal(await client.appendToStream(stream, events, { expectedRevision: 'no_stream' }), first)
  })

  test.run()
})
