import { EventStoreDBClient, jsonEvent, StreamNotFoundError } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { newStream } from '../support/events.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'
import { collect } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

// limit: 120 s
const STREAMS = 8
const KILLS = 4
const ROUNDS_BETWEEN_KILLS = 60

/** With credentials the client makes calls of their own, which fail by themselves when the server dies. */
const options = { credentials: { username: 'nobody', password: 'none' }, deadline: 2_000 }

const test = suite('deleted streams under kill -9')

/** Repeats what may be repeated until it is answered: the revision is exact, and the ids are the same. */
const insist = <T extends object>(attempt: () => Promise<T>): Promise<T> =>
  until(attempt, { withinMs: 60_000, everyMs: 50, what: 'an answer' })

const revisionsOf = async (client: EventStoreDBClient, stream: string): Promise<readonly number[]> => {
  try {
    return (await collect(client.readStream(stream))).map(({ event }) => Number(event?.revision))
  } catch (error) {
    if (error instanceof StreamNotFoundError) return []
    throw error
  }
}

/** Begins a stream anew and deletes it, again and again; what is read in between is what was written since. */
const liveAndDie = async (client: EventStoreDBClient, going: () => boolean, onRound: () => void): Promise<void> => {
  const stream = newStream('phoenix')
  for (let head = -1; going();) {
    const events = [1, 2].map((n) => jsonEvent({ type: 'Risen', data: { n } }))
    const expectedRevision = head === -1 ? 'no_stream' : BigInt(head)
    await insist(() => client.appendToStream(stream, events, { expectedRevision, ...options }))
    assert.equal(await insist(() => revisionsOf(client, stream)), [head + 1, head + 2])
    head += 2
    await insist(() => client.deleteStream(stream, { expectedRevision: BigInt(head), ...options }))
    assert.equal(await insist(() => revisionsOf(client, stream)), [])
    onRound()
  }
}

test('are never brought back by half, and stay deleted once that is acknowledged', async () => {
  const postgres = await startPostgres()
  const order = { port: await freePort(), databaseUrl: postgres.url }
  let server = await startEventStore(order)
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${order.port}?tls=false`)
  let going = true
  let rounds = 0
  const lives = Promise.all(Array.from({ length: STREAMS }, () =>
    liveAndDie(client, () => going, () => void (rounds += 1))))
  // Reported by whoever waits for them.
  lives.catch(() => undefined)
  try {
    for (let kills = 0; kills < KILLS; kills++) {
      const enough = rounds + ROUNDS_BETWEEN_KILLS
      await Promise.race([lives, until(() => rounds >= enough, { withinMs: 60_000, what: 'rounds' })])
      await killProcess(server)
      server = await startEventStore(order)
    }
    going = false
    await lives
  } finally {
    going = false
    await client.dispose()
    await killProcess(server)
    await postgres.stop()
  }
})

test.run()
