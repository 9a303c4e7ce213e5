import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isAfter, type Recorded, type Revision } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { newEvent } from '../support/events.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const WRITERS = 20
const KILLS = 5
const APPENDS_BETWEEN_KILLS = 400

type Acknowledged = Pick<Recorded, 'id' | 'stream' | 'revision' | 'position'>

const test = suite('the embedded event store under kill -9')

const cleanups: (() => unknown)[] = []
test.after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup()
})

test('loses, doubles and reorders nothing that it has acknowledged', async () => {
  const postgres = await startPostgres()
  cleanups.push(postgres.stop)
  const order = { port: await freePort(), databaseUrl: postgres.url }
  let server = await startEventStore(order)
  cleanups.push(() => killProcess(server))
  const store = esdbEventStore({ connectionString: `esdb://127.0.0.1:${order.port}?tls=false`, appendTimeoutMs: 3_000 })
  cleanups.push(store.close)
  const acknowledged: Acknowledged[] = []
  const proposed = new Set<string>()
  const followed: Recorded[] = []
  const stopping = new AbortController()
  let writing = true
  cleanups.push(() => {
    writing = false
    stopping.abort()
  })

  const write = async (stream: string): Promise<void> => {
    let revision: Revision = 'absent'
    while (writing) {
      const events = [newEvent(), newEvent()]
      for (const { id } of events) proposed.add(id)
      const written = await store.append(stream, events, { expected: revision })
      revision = written.revision
      acknowledged.push({ id: events[1]?.id ?? '', stream, ...written })
    }
  }
  const follow = async (): Promise<void> => {
    const deliveries = store.subscribe({ after: 'start', prefixes: ['writer-'], signal: stopping.signal })
    for await (const { events } of deliveries) followed.push(...events)
  }
  const following = follow()
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(`writer-${i}`)))
  for (let kills = 0; kills < KILLS; kills++) {
    const enough = acknowledged.length + APPENDS_BETWEEN_KILLS
    await Promise.race([writers, until(() => acknowledged.length >= enough, { withinMs: 60_000, what: 'appends' })])
    await killProcess(server)
    server = await startEventStore(order)
  }
  writing = false
  await writers

  const log = await store.readAll({ after: 'start', prefixes: ['writer-'], limit: 1_000_000 })
  const stored = new Map(log.map((event) => [event.id, event]))
  assert.is(stored.size, log.length, 'no event is there twice')
  assert.is(log.length, proposed.size, 'every append was repeated until it was taken')
  for (const written of acknowledged) {
    const { id, stream, revision, position } = stored.get(written.id) ?? {}
    assert.equal({ id, stream, revision, position }, written)
  }
  const heads = new Map<string, bigint>()
  for (const [i, event] of log.entries()) {
    assert.is(event.revision, (heads.get(event.stream) ?? -1n) + 1n, 'revisions have no gaps')
    heads.set(event.stream, event.revision)
    assert.ok(isAfter(event.position, log[i - 1]?.position ?? 'start'), 'positions increase')
  }
  await until(() => followed.length >= log.length, { withinMs: 20_000, what: 'the subscription seeing everything' })
  assert.equal(followed.map(({ id }) => id), log.map(({ id }) => id), 'the subscription saw each once and in order')

  stopping.abort()
  await following
})

test.run()
