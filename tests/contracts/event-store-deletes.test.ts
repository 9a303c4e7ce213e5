import type { EventStoreDBClient } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, eachServer, errorOf, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }
const DELETED = 9_223_372_036_854_775_807n

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }
type Expected = 'any' | 'no_stream' | 'stream_exists' | bigint

/** With credentials the client makes an Append call instead of using BatchAppend. They are not sent without TLS. */
const FORMS = { 'by BatchAppend': {}, 'by Append': { credentials: { username: 'nobody', password: 'none' } } }

eachServer((name, start) => {
  const test = suite<Context>(`deleted streams: ${name}`)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  const typeOf = async (attempt: () => Promise<unknown>) => (await errorOf(attempt))['type']
  const read = async (client: EventStoreDBClient, stream: string) =>
    (await collect(client.readStream(stream))).map(({ event }) => Number(event?.revision))
  const written = async (client: EventStoreDBClient, count = 3): Promise<string> => {
    const stream = newStream()
    await client.appendToStream(stream, numbered(count))
    return stream
  }

  test('a deleted stream is not found, in both directions, and its events are still in the log', async ({ client }) => {
    const stream = newStream()
    const { position } = await client.appendToStream(stream, numbered(2))
    const deletion = await client.deleteStream(stream)
    assert.ok((deletion.position?.commit ?? 0n) > (position?.commit ?? 0n))
    assert.is(await typeOf(() => read(client, stream)), 'stream-not-found')
    const down = { direction: 'backwards', fromRevision: 'end' } as const
    assert.is(await typeOf(() => collect(client.readStream(stream, down))), 'stream-not-found')
    const log = await collect(client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 3 }))
    assert.equal(log.map(({ event }) => event?.streamId), [`$$${stream}`, stream, stream])
    assert.equal(log[0]?.event?.position, deletion.position)
  })

  for (const [form, options] of Object.entries(FORMS)) {
    const expectations: readonly Expected[] = ['any', 'no_stream', 2n]
    for (const expectedRevision of expectations) {
      test(`an append at ${expectedRevision} begins a deleted stream anew and counts on, ${form}`, async ({ client }) => {
        const stream = await written(client)
        await client.deleteStream(stream)
        const again = await client.appendToStream(stream, numbered(2), { expectedRevision, ...options })
        assert.is(again.nextExpectedRevision, 4n)
        assert.equal(await read(client, stream), [3, 4])
        assert.equal((await client.getStreamMetadata(stream)).metadata, { truncateBefore: 3 })
      })
    }

    test(`a deleted stream refuses an append that wants it to exist or that is behind, ${form}`, async ({ client }) => {
      const stream = await written(client)
      await client.deleteStream(stream)
      const append = (expectedRevision: Expected) => () =>
        client.appendToStream(stream, numbered(1), { expectedRevision, ...options })
      const gone = await errorOf(append('stream_exists'))
      assert.equal([gone['type'], gone['streamName']], ['stream-deleted', stream])
      assert.is(await typeOf(append(1n)), 'wrong-expected-version')
      assert.is(await typeOf(append(5n)), 'wrong-expected-version')
      assert.is(await typeOf(() => read(client, stream)), 'stream-not-found')
    })

    test(`a tombstoned stream refuses every append, to its metadata as well, ${form}`, async ({ client }) => {
      const stream = await written(client)
      await client.tombstoneStream(stream)
      for (const expectedRevision of ['any', 'no_stream', 'stream_exists', 2n] as const) {
        for (const target of [stream, `$$${stream}`]) {
          const append = () => client.appendToStream(target, numbered(1), { expectedRevision, ...options })
          const { type, streamName } = await errorOf(append)
          assert.equal([type, streamName], ['stream-deleted', target], `${expectedRevision}`)
        }
      }
    })
  }

  test('metadata written to a deleted stream brings it back, what was before stays hidden', async ({ client }) => {
    const stream = await written(client)
    await client.deleteStream(stream)
    await client.setStreamMetadata(stream, { maxCount: 10, owner: 'us' })
    assert.equal((await client.getStreamMetadata(stream)).metadata, { maxCount: 10, owner: 'us', truncateBefore: 3 })
    assert.equal(await read(client, stream), [])
    await client.appendToStream(stream, numbered(1), { expectedRevision: 'stream_exists' })
    assert.equal(await read(client, stream), [3])
  })

  test('a deletion takes the place of all metadata', async ({ client }) => {
    const stream = await written(client)
    await client.setStreamMetadata(stream, { maxCount: 1, owner: 'us' })
    await client.deleteStream(stream)
    await client.appendToStream(stream, numbered(2))
    assert.equal((await client.getStreamMetadata(stream)).metadata, { truncateBefore: 3 })
    assert.equal(await read(client, stream), [3, 4])
  })

  test('a stream is deleted and begun anew again and again', async ({ client }) => {
    const stream = newStream()
    for (let round = 0; round < 4; round++) {
      const { nextExpectedRevision } = await client.appendToStream(stream, numbered(1), { expectedRevision: 'no_stream' })
      assert.is(nextExpectedRevision, BigInt(round))
      assert.equal(await read(client, stream), [round])
      await client.deleteStream(stream, { expectedRevision: BigInt(round) })
    }
    await client.deleteStream(stream)
    assert.is(await typeOf(() => read(client, stream)), 'stream-not-found')
  })

  test('the first append to a deleted stream may be repeated', async ({ client }) => {
    const stream = await written(client)
    await client.deleteStream(stream)
    const events = numbered(2)
    const first = await client.appendToStream(stream, events, { expectedRevision: 2n })
    assert.equal(await client.appendToStream(stream, events, { expectedRevision: 2n }), first)
    assert.equal(await read(client, stream), [3, 4])
  })

  test('fifty appends at once begin a deleted stream anew once', async ({ client }) => {
    const stream = await written(client)
    await client.deleteStream(stream)
    await Promise.all(numbered(50).map((event) => client.appendToStream(stream, event)))
    assert.equal(await read(client, stream), Array.from({ length: 50 }, (_, i) => 3 + i))
    const [metadata] = await collect(client.readStream(`$$${stream}`))
    assert.is(metadata?.event?.revision, 1n)
  })

  for (const how of ['deleteStream', 'tombstoneStream'] as const) {
    test(`${how} says in trailers what was expected and what is`, async ({ client }) => {
      const stream = await written(client)
      const conflict = await errorOf(() => client[how](stream, { expectedRevision: 7n }))
      const { type, streamName, expectedVersion } = conflict
      assert.equal({ type, streamName, expectedVersion }, {
        type: 'wrong-expected-version', streamName: stream, expectedVersion: 7n,
      })
      assert.is(await typeOf(() => client[how](stream, { expectedRevision: 'no_stream' })), 'wrong-expected-version')
      await client[how](stream, { expectedRevision: 2n })
    })
  }

  test('a stream with neither events nor metadata cannot be deleted, but ended', async ({ client }) => {
    for (const expectedRevision of ['any', 'no_stream'] as const) {
      assert.is(await typeOf(() => client.deleteStream(newStream(), { expectedRevision })), 'wrong-expected-version')
    }
    const described = newStream()
    await client.setStreamMetadata(described, { maxCount: 1 })
    await client.deleteStream(described)
    const ended = newStream()
    await client.tombstoneStream(ended, { expectedRevision: 'no_stream' })
    assert.is(await typeOf(() => read(client, ended)), 'stream-deleted')
  })

  test('a tombstone ends a stream and its metadata for ever', async ({ client }) => {
    const stream = await written(client)
    const { position } = await client.tombstoneStream(stream)
    for (const gone of [stream, `$$${stream}`]) {
      const error = await errorOf(() => read(client, gone))
      assert.equal([error['type'], error['streamName']], ['stream-deleted', gone])
    }
    assert.is(await typeOf(() => client.deleteStream(stream)), 'stream-deleted')
    assert.is(await typeOf(() => client.tombstoneStream(stream)), 'stream-deleted')
    assert.is(await typeOf(() => client.getStreamMetadata(stream)), 'stream-deleted')
    const [last] = await collect(client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 1 }))
    const { type, revision, streamId } = last?.event ?? {}
    assert.equal({ type, revision, streamId }, { type: '$streamDeleted', revision: DELETED, streamId: stream })
    assert.equal(last?.event?.position, position)
  })

  test('a deleted stream can be ended as well', async ({ client }) => {
    const stream = await written(client)
    await client.deleteStream(stream)
    await client.tombstoneStream(stream)
    assert.is(await typeOf(() => read(client, stream)), 'stream-deleted')
  })

  test('the names of streams in errors are whole, whatever they are made of', async ({ client }) => {
    const stream = `Straße ${newStream()}`
    await client.appendToStream(stream, numbered(1))
    assert.is(await typeOf(() => client.deleteStream(stream, { expectedRevision: 5n })), 'wrong-expected-version')
    await client.tombstoneStream(stream)
    assert.is((await errorOf(() => client.appendToStream(stream, numbered(1))))['streamName'], stream)
    assert.is(await typeOf(() => read(client, stream)), 'stream-deleted')
  })

  test('a subscription to a deleted stream gets what comes after', async ({ client }) => {
    const stream = await written(client)
    await client.deleteStream(stream)
    const seen: number[] = []
    const subscription = client.subscribeToStream(stream)
    subscription.on('data', ({ event }) => seen.push(Number(event?.revision)))
    await new Promise((resolve) => subscription.once('caughtUp', resolve))
    await client.appendToStream(stream, numbered(2))
    await until(() => seen.length === 2, PROMPTLY)
    assert.equal(seen, [3, 4])
    await subscription.unsubscribe()
  })

  test('a subscription to a stream that has ended fails', async ({ client }) => {
    const stream = await written(client)
    await client.tombstoneStream(stream)
    const failed = Promise.withResolvers<unknown>()
    client.subscribeToStream(stream).on('error', (error) => failed.resolve('type' in error ? error.type : error))
    assert.is(await failed.promise, 'stream-deleted')
  })

  test.run()
})
