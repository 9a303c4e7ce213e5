// limit: 120 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NewEvent } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { feedTail } from '../../infra/read-store/feed-tail.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { renew } from '../../infra/read-store/renew.ts'
import { feed } from '../../projections/feed.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { events } from '../../read-api/events.ts'
import { pullClient, streamClient } from '../support/feed-clients.ts'
import { rowsAfter } from '../support/folding.ts'
import { freePort } from '../support/free-port.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'
import { until } from '../support/until.ts'

const test = suite('the feed, cut off at random')

const RETURNS = 1_000
const PAUSE_EVERY = 25

const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'complete')
const store = memoryEventStore()
test.after(async () => {
  await readStore.close()
  await server.stop()
})

/** Linear congruential (Park and Miller). */
const dice = (seed: number) => {
  let state = seed
  return (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const alice = principals.alice.ownerId
const hers = (event: NewEvent): NewEvent => ({ ...event, metadata: { ...event.metadata, organisationId: alice } })

const serve = async (port: number) => {
  const position = readPosition({ url: readStore.url })
  const db = readStore.db.withSchema(READ_SCHEMA)
  const tail = feedTail({ db: readStore.db, position })
  const rest = await startRest(events({ db, tail, publicUrl: 'https://ccx.example' }), { port })
  return async () => {
    await rest.close()
    await position.close()
  }
}

test('whoever comes back a thousand times has every event once and in its order, whatever was restarted or rebuilt', async () => {
  const roll = dice(11)
  const port = await freePort()
  let stopServing = await serve(port)
  let projector = startProjector(store, readStore, { batchMax: 20 })
  const url = `http://127.0.0.1:${port}/api/v1/events`
  const options = { url, headers: { authorization: 'Bearer alice' }, roll }
  const [stream, pull] = [streamClient({ ...options, ofEvents: 4 }), pullClient(options)]

  const write = writer(store)
  for (let seed = 1, restarts = 0, rebuilds = 0; stream.returns() < RETURNS; seed++) {
    const appends = randomHistory(seed, { datastores: 6, moves: 600 }).map(({ stream: name, events: all }) => ({
      stream: name,
      events: all.map(hers),
    }))
    for (let at = 0; at < appends.length && stream.returns() < RETURNS; at += PAUSE_EVERY) {
      await write(appends.slice(at, at + PAUSE_EVERY))
      // Never so far behind that it would all be one page.
      const wanted = stream.got.length + 1
      await until(() => stream.got.length >= wanted, { withinMs: 20_000, what: 'another event on the stream' })
      if (roll() < 0.05) {
        await projector.stop()
        projector = startProjector(store, readStore, { batchMax: 20 })
        restarts++
      }
      if (roll() < 0.01) {
        const wishes = { swap: true, accept: false }
        const [renewed] = await renew({ store, pool: readStore.pool, schema: READ_SCHEMA, projections: [feed], ...wishes })
        assert.is(renewed?.outcome, 'swapped')
        rebuilds++
      }
      if (roll() < 0.05) {
        await stopServing()
        stopServing = await serve(port)
        restarts++
      }
    }
    if (stream.returns() >= RETURNS) console.log(`${restarts} restarts, ${rebuilds} rebuilds`)
  }

  const log = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })
  const wanted = [...rowsAfter(feed, log).values()].map(({ id }) => id)
  for (const client of [stream, pull]) {
    await until(() => client.got.length >= wanted.length, { withinMs: 20_000, what: 'the end of the feed' })
    await client.stop()
    assert.equal(client.got.map(({ id }) => id), wanted)
  }
  console.log(`${wanted.length} events; the stream came back ${stream.returns()} times, the pull ${pull.returns()}`)
  await stopServing()
  await projector.stop()
})

test.run()
