import { randomUUID } from 'node:crypto'
import {
  type AllStreamSubscription, eventTypeFilter, type EventStoreDBClient, jsonEvent, type PrefixesFilter, type RegexFilter,
  streamNameFilter,
} from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, eachServer, errorOf, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }

/** With credentials the client makes an Append call instead of using BatchAppend. They are not sent without TLS. */
const unary = { credentials: { username: 'nobody', password: 'none' } }

const FORMS = { 'by BatchAppend': {}, 'by Append': unary }

const pick = ({ type, streamName, expectedVersion, actualVersion }: Record<string, unknown>) => ({
  type, streamName, expectedVersion, actualVersion,
})

type Seen = { readonly events: string[]; readonly marks: string[]; readonly subscription: AllStreamSubscription }

const watch = (
  client: EventStoreDBClient,
  filter: PrefixesFilter | RegexFilter,
  fromPosition: 'start' | 'end' = 'start',
): Seen => {
  const events: string[] = []
  const marks: string[] = []
  const checkpointReached = (): void => void marks.push('checkpoint')
  const subscription = client.subscribeToAll({ fromPosition, filter: { ...filter, checkpointReached } })
  subscription.on('confirmation', () => marks.push('confirmation'))
  subscription.on('caughtUp', () => marks.push('caught up'))
  subscription.on('data', ({ event }) => {
    marks.push('event')
    events.push(event?.type ?? '')
  })
  return { events, marks, subscription }
}

eachServer((name, start) => {
  const test = suite<Context>(`the official client: ${name}`)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  for (const [form, options] of Object.entries(FORMS)) {
    test(`tells what a stream is and was expected to be in a conflict, ${form}`, async ({ client }) => {
      const streamName = newStream()
      const append = (expectedRevision: bigint | 'no_stream' | 'stream_exists') =>
        client.appendToStream(streamName, numbered(1), { expectedRevision, ...options })
      const conflict = { type: 'wrong-expected-version', streamName }
      const absent = await errorOf(() => append(3n))
      assert.equal(pick(absent), { ...conflict, expectedVersion: 3n, actualVersion: 'no_stream' })
      const never = await errorOf(() => append('stream_exists'))
      assert.equal(pick(never), { ...conflict, expectedVersion: 'stream_exists', actualVersion: 'no_stream' })
      await append('no_stream')
      const again = await errorOf(() => append('no_stream'))
      assert.equal(pick(again), { ...conflict, expectedVersion: 'no_stream', actualVersion: 0n })
      const ahead = await errorOf(() => append(7n))
      assert.equal(pick(ahead), { ...conflict, expectedVersion: 7n, actualVersion: 0n })
      assert.is((await append('stream_exists')).nextExpectedRevision, 1n)
    })

    test(`says what an append may weigh, ${form}`, async ({ client }) => {
      const streamName = newStream()
      const big = (length: number) => jsonEvent({ type: 'Big', data: { text: 'x'.repeat(length) } })
      const error = await errorOf(() => client.appendToStream(streamName, [big(600_000), big(600_000)], options))
      assert.is(error['type'], 'maximum-append-size-exceeded')
      assert.is(error['maxAppendSize'], 1_048_576)
      const huge = await errorOf(() => client.appendToStream(streamName, [big(5_000_000), big(5_000_000)], options))
      assert.is(huge['type'], 'maximum-append-size-exceeded')
      await client.appendToStream(streamName, big(1_000_000), { expectedRevision: 'no_stream', ...options })
      const [{ event } = { event: undefined }] = await collect(client.readStream(streamName))
      assert.is(JSON.stringify(event?.data).length, 1_000_011)
    })

    test(`recognises a repeat at an exact revision, ${form}`, async ({ client }) => {
      const streamName = newStream()
      const events = numbered(3)
      const first = await client.appendToStream(streamName, events, { expectedRevision: 'no_stream', ...options })
      await client.appendToStream(streamName, numbered(1), { expectedRevision: 2n, ...options })
      assert.equal(await client.appendToStream(streamName, events, { expectedRevision: 'no_stream', ...options }), first)
    })

    test(`recognises a recent repeat at any revision, ${form}`, async ({ client }) => {
      const streamName = newStream()
      const events = numbered(3)
      const first = await client.appendToStream(streamName, events, options)
      assert.equal(await client.appendToStream(streamName, events, options), first)
      const mixed = await errorOf(() => client.appendToStream(streamName, [...events, ...numbered(1)], options))
      assert.is(mixed['type'], 'wrong-expected-version')
    })
  }

  test('an append whose deadline has passed is refused as late', async ({ client }) => {
    const error = await errorOf(() => client.appendToStream(newStream(), numbered(1), { deadline: -1_000 }))
    assert.is(error['type'], 'deadline-exceeded')
  })

  test('five thousand events are one append', async ({ client }) => {
    const streamName = newStream()
    const events = numbered(5_000)
    const { nextExpectedRevision } = await client.appendToStream(streamName, events, { expectedRevision: 'no_stream' })
    assert.is(nextExpectedRevision, 4_999n)
    const read = await collect(client.readStream(streamName))
    assert.equal(read.map(({ event }) => event?.id), events.map(({ id }) => id))
    assert.equal(read.map(({ event }) => event?.revision), events.map((_, i) => BigInt(i)))
  })

  test('an absent stream is not found, in both directions and from any revision', async ({ client }) => {
    const streamName = newStream()
    for (const direction of ['forwards', 'backwards'] as const) {
      const fromRevision = direction === 'forwards' ? 'start' : 'end'
      const error = await errorOf(() => collect(client.readStream(streamName, { direction, fromRevision })))
      assert.is(error['type'], 'stream-not-found')
      assert.is(error['streamName'], streamName)
    }
    await client.appendToStream(streamName, numbered(1))
    assert.equal(await collect(client.readStream(streamName, { fromRevision: 5n })), [])
  })

  test('a stream is read backwards from its end or from a revision, which is included', async ({ client }) => {
    const streamName = newStream()
    await client.appendToStream(streamName, numbered(5))
    const revisions = async (options: { fromRevision: 'end' | 'start' | bigint; maxCount?: number }) => {
      const read = await collect(client.readStream(streamName, { direction: 'backwards', ...options }))
      return read.map(({ event }) => event?.revision)
    }
    assert.equal(await revisions({ fromRevision: 'end' }), [4n, 3n, 2n, 1n, 0n])
    assert.equal(await revisions({ fromRevision: 2n }), [2n, 1n, 0n])
    assert.equal(await revisions({ fromRevision: 'end', maxCount: 2 }), [4n, 3n])
    assert.equal(await revisions({ fromRevision: 'start' }), [0n])
  })

  test('the log is read forwards from a position inclusively, and backwards exclusively', async ({ client }) => {
    const streamName = newStream()
    const positions = []
    for (const event of numbered(4)) positions.push((await client.appendToStream(streamName, event)).position)
    const [first, second, third, last] = positions
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are four')
    const read = async (options: Parameters<typeof client.readAll>[0]) =>
      (await collect(client.readAll(options))).map(({ event }) => event?.position)
    assert.equal(await read({ fromPosition: second }), [second, third, last])
    assert.equal(await read({ direction: 'backwards', fromPosition: third, maxCount: 2 }), [second, first])
    assert.equal(await read({ direction: 'backwards', fromPosition: 'end', maxCount: 1 }), [last])
    assert.equal(await read({ fromPosition: 'end' }), [])
    const beyond = { commit: third.commit * 1_000n, prepare: third.commit * 1_000n }
    assert.equal(await read({ fromPosition: beyond }), [])
  })

  test('a position between two events is no position', async ({ client }) => {
    const { position } = await client.appendToStream(newStream(), numbered(2))
    const between = (position?.commit ?? 0n) - 1n
    const error = await errorOf(() => collect(client.readAll({ fromPosition: { commit: between, prepare: between } })))
    assert.match(String(error['message']), 'Invalid Position')
  })

  test('subscriptions filter by stream names and event types, as prefixes or as a pattern', async ({ client }) => {
    const noun = newStream('filtered')
    const type = `T${randomUUID().slice(0, 8)}`
    const seen = [
      watch(client, streamNameFilter({ prefixes: [`${noun}-a`, `${noun}-b`] })),
      watch(client, streamNameFilter({ regex: `^${noun}-[ab]$` })),
      watch(client, eventTypeFilter({ prefixes: [`${type}-a`, `${type}-b`] })),
      watch(client, eventTypeFilter({ regex: `^${type}-[ab]$` })),
    ]
    await until(() => seen.every(({ marks }) => marks.includes('caught up')), PROMPTLY)
    for (const it of ['c', 'a', 'd', 'b']) {
      await client.appendToStream(`${noun}-${it}`, jsonEvent({ type: `${type}-${it}`, data: {} }))
    }
    await until(() => seen.every(({ events }) => events.length >= 2), PROMPTLY)
    for (const { events, subscription } of seen) {
      assert.equal(events, [`${type}-a`, `${type}-b`])
      await subscription.unsubscribe()
    }
  })

  test('a filtered subscription is confirmed first and gets a checkpoint per window', async ({ client }) => {
    const noun = newStream('windows')
    const seen = watch(client, streamNameFilter({ prefixes: [noun], maxSearchWindow: 10, checkpointInterval: 2 }), 'end')
    await until(() => seen.marks.includes('caught up'), PROMPTLY)
    assert.equal(seen.marks, ['confirmation', 'checkpoint', 'caught up'])
    await client.appendToStream(newStream(), numbered(39))
    await client.appendToStream(noun, numbered(1))
    await client.appendToStream(newStream(), numbered(20))
    await until(() => seen.marks.length >= 7, PROMPTLY)
    // The client reports a checkpoint when it arrives and an event when it is consumed, so only their numbers can be
    // told.
    assert.equal(seen.marks.slice(3).toSorted(), ['checkpoint', 'checkpoint', 'checkpoint', 'event'])
    await seen.subscription.unsubscribe()
  })

  test('a subscription to a stream begins after a revision and goes on', async ({ client }) => {
    const streamName = newStream()
    await client.appendToStream(streamName, numbered(3))
    const revisions: (bigint | undefined)[] = []
    const subscription = client.subscribeToStream(streamName, { fromRevision: 0n })
    subscription.on('data', ({ event }) => revisions.push(event?.revision))
    await until(() => revisions.length === 2, PROMPTLY)
    await client.appendToStream(newStream(), numbered(3))
    await client.appendToStream(streamName, numbered(2))
    await until(() => revisions.length === 4, PROMPTLY)
    assert.equal(revisions, [1n, 2n, 3n, 4n])
    await subscription.unsubscribe()
  })

  test('a subscription to a stream that does not exist yet waits for it', async ({ client }) => {
    const streamName = newStream()
    const revisions: (bigint | undefined)[] = []
    const subscription = client.subscribeToStream(streamName)
    subscription.on('data', ({ event }) => revisions.push(event?.revision))
    await new Promise((resolve) => subscription.once('confirmation', resolve))
    await client.appendToStream(streamName, numbered(1))
    await until(() => revisions.length === 1, PROMPTLY)
    await subscription.unsubscribe()
  })

  test.run()
})
