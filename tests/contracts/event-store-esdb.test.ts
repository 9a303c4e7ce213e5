import type { ChildProcess } from 'node:child_process'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventStore, RevisionConflict } from '../../domain/kernel/event-store.ts'
import { AppendRefused } from '../../infra/event-store/esdb-append.ts'
import { MalformedEvent } from '../../infra/event-store/esdb-event.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { ReadRefused, StoreUnavailable } from '../../infra/event-store/transient.ts'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { newEvent, newEvents, newStream } from '../support/events.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }

type Context = {
  postgres: Awaited<ReturnType<typeof startPostgres>>
  order: { readonly port: number; readonly databaseUrl: string }
  server: ChildProcess
  store: ReturnType<typeof esdbEventStore>
}

const errorOf = async (attempt: Promise<unknown>): Promise<unknown> => {
  try {
    await attempt
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** Follows until something goes wrong. */
const followed = async (store: EventStore, prefixes: readonly string[]): Promise<number> => {
  let count = 0
  const deliveries = store.subscribe({ after: 'start', prefixes, signal: AbortSignal.timeout(20_000) })
  for await (const { events } of deliveries) count += events.length
  return count
}

const test = suite<Context>('the event store adapter in trouble')

test.before(async (context) => {
  context.postgres = await startPostgres()
  context.order = { port: await freePort(), databaseUrl: context.postgres.url }
  context.server = await startEventStore(context.order)
  context.store = esdbEventStore({
    connectionString: `esdb://127.0.0.1:${context.order.port}?tls=false`,
    appendTimeoutMs: 250,
  })
})
test.after(async ({ store, server, postgres }) => {
  await store.close()
  await killProcess(server)
  await postgres.stop()
})

test('an append that a silent server may have taken is in doubt, taken once if repeated', async ({ store, server }) => {
  const stream = newStream()
  const events = newEvents(2)
  await store.append(stream, events.slice(0, 1), { expected: 'absent' })
  server.kill('SIGSTOP')
  const error = await errorOf(store.append(stream, events.slice(1), { expected: 0n }))
  assert.instance(error, StoreUnavailable)
  assert.instance(await errorOf(store.ping()), StoreUnavailable)
  assert.instance(await errorOf(store.read(stream)), StoreUnavailable)
  server.kill('SIGCONT')
  await until(() => store.ping().then(() => true), PROMPTLY)
  await store.append(stream, events.slice(1), { expected: 0n })
  assert.equal((await store.read(stream)).events.map(({ id }) => id), events.map(({ id }) => id))
})

test('a server that is away is waited for, by appends, reads and subscriptions', async (context) => {
  const { store, order } = context
  const stream = newStream('away')
  const stopping = new AbortController()
  const seen: string[] = []
  const following = (async () => {
    const deliveries = store.subscribe({ after: 'start', prefixes: ['away-'], signal: stopping.signal })
    for await (const { events } of deliveries) seen.push(...events.map(({ id }) => id))
  })()
  const [first, second] = [newEvent(), newEvent()]
  await store.append(stream, [first], { expected: 'absent' })
  await until(() => seen.length === 1, PROMPTLY)
  await killProcess(context.server)
  const appending = store.append(stream, [second], { expected: 0n })
  const reading = store.read(stream)
  context.server = await startEventStore(order)
  assert.is((await appending).revision, 1n)
  assert.equal((await reading).events[0]?.id, first.id)
  await until(() => seen.length === 2, PROMPTLY)
  assert.equal(seen, [first.id, second.id])
  stopping.abort()
  await following
})

test('a restarted server still knows a repeat from a conflict', async (context) => {
  const { store, order } = context
  const stream = newStream()
  const events = newEvents(3)
  const first = await store.append(stream, events, { expected: 'absent' })
  await killProcess(context.server)
  context.server = await startEventStore(order)
  assert.equal(await store.append(stream, events, { expected: 'absent' }), first)
  assert.instance(await errorOf(store.append(stream, newEvents(3), { expected: 'absent' })), RevisionConflict)
  assert.is((await store.append(stream, newEvents(1), { expected: 2n })).revision, 3n)
})

test('an event that is not ours is an error that names it, but only in our streams', async ({ store, order }) => {
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${order.port}?tls=false`)
  const noun = newStream('odd')
  await store.append(`${noun}-1`, newEvents(1), { expected: 'absent' })
  await client.appendToStream(`${noun}-1`, jsonEvent({ type: 'Odd', data: {}, metadata: { commandId: 7 } }))
  await client.dispose()
  const attempts = [
    () => store.read(`${noun}-1`),
    () => store.readAll({ after: 'start', prefixes: [noun], limit: 10 }),
    () => followed(store, [noun]),
  ]
  for (const attempt of attempts) {
    const error = await errorOf(attempt())
    assert.instance(error, MalformedEvent)
    assert.match(String(error), `event 1 of stream ${noun}-1`)
  }
  const other = newStream('even')
  await store.append(other, newEvents(1), { expected: 'absent' })
  assert.is((await store.readAll({ after: 'start', prefixes: [other], limit: 10 })).length, 1)
})

test('what the store never takes or answers is not asked again', async ({ store }) => {
  const huge = newEvent('Huge', { text: 'x'.repeat(1_100_000) })
  assert.instance(await errorOf(store.append(newStream(), [huge], { expected: 'absent' })), AppendRefused)
  const { position } = await store.append(newStream(), newEvents(2), { expected: 'absent' })
  const after = { commit: position.commit - 1n, prepare: position.prepare - 1n }
  assert.instance(await errorOf(store.readAll({ after, prefixes: ['datastore-'], limit: 1 })), ReadRefused)
})

test.run()
