import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Event } from '../../domain/kernel/decider.ts'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { type Upcasters, shapes, shapesOf, upcasters } from '../../projections/upcast.ts'
import { deciders } from '../../infra/rehearsal/deciders.ts'
import { projections } from '../../projections/index.ts'
import { KNOWN_TYPES, PREFIXES, prefixOf } from '../../projections/known-event.ts'
import { noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { type Sample, type Shape, sampledShapes, sampledStreams, strayings } from '../support/samples.ts'

const test = suite('the shapes of events')

const sampled = sampledShapes()
const newestOf = (type: string): number => 1 + (upcasters[type]?.length ?? 0)
const samplesOf = (type: string, version = newestOf(type)): readonly Sample[] =>
  sampled.find((shape) => shape.type === type && shape.version === version)?.samples ?? []
const wireName = ({ type, version }: Pick<Shape, 'type' | 'version'>): string =>
  version === 1 ? type : `${type}.v${version}`
const read = (shape: Shape, { data }: Sample) => shapes.read({ type: wireName(shape), data })

const streamOf = ({ type, data }: Event): string => {
  const prefix = prefixOf(type) ?? 'other-'
  // `datastoreId` for `datastore-`, and so on.
  const ids: Readonly<Record<string, unknown>> = { ...data }
  return `${prefix}${String(ids[`${prefix.slice(0, -1)}Id`])}`
}

test('each event has samples of every shape it ever had', () => {
  const wanted = KNOWN_TYPES.flatMap((type) =>
    Array.from({ length: newestOf(type) }, (_, n) => wireName({ type, version: n + 1 })),
  )
  const there = sampled.flatMap((shape) => (shape.samples.length > 0 ? [wireName(shape)] : []))
  assert.equal(there.toSorted(), wanted.toSorted())
})

test('what was written in an old shape is read in the newest', () => {
  for (const shape of sampled) {
    for (const sample of shape.samples) {
      const { type, data } = read(shape, sample)
      assert.is(type, shape.type)
      assert.equal(strayings(data, samplesOf(type)), [], `${wireName(shape)} as it is read`)
    }
  }
})

test('what is written today has the newest shape that there are samples of', async () => {
  const store = memoryEventStore(() => noon)
  for (const seed of [31, 32, 33]) await writer(store)(randomHistory(seed, { datastores: 60, moves: 8_000 }))
  const events = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })
  assert.ok(new Set(events.map(({ type }) => type)).size > 20)
  for (const { type, data } of events) assert.equal(strayings(data, samplesOf(type)), [], type)
})

test('a reply that was recorded in the clear is read as the text that is sealed today', () => {
  const answered = { fingerprint: 'f', status: 201, position: null }
  const old = { type: 'RequestAnswered', data: { ...answered, body: { uuid: 'clu_1' } } }
  assert.equal(shapes.read(old), { type: 'RequestAnswered', data: { ...answered, answer: '{"uuid":"clu_1"}' } })
})

test('the first events of all are folded as they were meant', () => {
  const events: readonly Recorded[] = recorded(
    streamOf,
    sampledStreams().map(({ type, data }) => shapes.read({ type, data })),
  )
  const statuses = new Map<string, string>()
  for (const prefix of PREFIXES) {
    const ids = new Set(events.map(({ stream }) => stream).filter((stream) => stream.startsWith(prefix)))
    for (const id of ids) {
      const fold = deciders[prefix]()
      for (const event of events) if (event.stream === id) fold.evolve(event)
      statuses.set(id.replace(/-.*/, ''), fold.status())
    }
  }
  assert.equal(Object.fromEntries(statuses), { datastore: 'deleted', job: 'finished', account: 'registered' })
  const rows = Object.fromEntries(projections.map((it) => [it.name, rowsAfter(it, events).size]))
  assert.equal([rows['datastores'], rows['jobs'], rows['accounts'], rows['oauth-clients']], [0, 2, 1, 1])
  assert.ok((rows['job-log'] ?? 0) > 60)
})

test('a store gives nobody an old shape, and writes the newest', async () => {
  const postgres = await startPostgres()
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
  const url = `esdb://${server.address}?tls=false`
  const store = esdbEventStore({ connectionString: url })
  const client = EventStoreDBClient.connectionString(url)
  for (const [n, shape] of sampled.entries()) {
    const events = shape.samples.map(({ data, metadata }) => {
      return jsonEvent({ id: randomUUID(), type: wireName(shape), data, metadata })
    })
    await client.appendToStream(`sample-${n}`, events)
    const { events: found } = await store.read(`sample-${n}`)
    assert.equal(found.map(({ type, data }) => ({ type, data })), shape.samples.map((sample) => read(shape, sample)))
    assert.equal(found.map(({ metadata }) => metadata), shape.samples.map(({ metadata }) => metadata))
  }
  const { events: [event] } = await store.read(`sample-${sampled.findIndex(({ type }) => type === 'StepOrdered')}`)
  if (event === undefined) throw new Error('BUG: there is a sample')
  await store.append('sample-new', [{ ...event, id: randomUUID() }], { expected: 'absent' })
  for await (const { event: written } of client.readStream('sample-new')) assert.is(written?.type, 'StepOrdered.v2')
  await client.dispose()
  await store.close()
  await server.close()
  await postgres.stop()
})

test('the store in memory gives nobody an old shape either', async () => {
  const store = memoryEventStore(() => noon)
  const [sample] = samplesOf('StepOrdered', 1)
  const actor = { kind: 'system', id: 'test' } as const
  const metadata = { commandId: 'c', correlationId: 'c', causationId: 'c', actor }
  const event = { id: 'e', type: 'StepOrdered.v1', data: sample?.data ?? {}, metadata }
  await store.append('job-1', [event], { expected: 'absent' })
  const { events: [found] } = await store.read('job-1')
  assert.equal([found?.type, found?.data], ['StepOrdered', shapes.read(event).data])
})

test('shapes are passed through one after the other', () => {
  const known: Upcasters = {
    Moved: [
      ({ to }) => ({ place: to }),
      ({ place }) => ({ place, at: 'unknown' }),
    ],
  }
  const { read: readIt, wireType } = shapesOf(known)
  const newest = { type: 'Moved', data: { place: 'here', at: 'unknown' } }
  assert.equal(readIt({ type: 'Moved', data: { to: 'here' } }), newest)
  assert.equal(readIt({ type: 'Moved.v2', data: { place: 'here' } }), newest)
  assert.equal(readIt({ type: 'Moved.v3', data: { place: 'here', at: 'unknown' } }), newest)
  assert.equal([wireType('Moved'), wireType('Stayed')], ['Moved.v3', 'Stayed'])
})

test('a shape that only a later release knows keeps its name, which nobody takes for the old one', () => {
  const later = { type: 'StepOrdered.v3', data: {} }
  assert.equal(shapes.read(later), later)
  assert.ok(!KNOWN_TYPES.includes(later.type))
})

test.run()
