import { EventStoreDBClient } from '@eventstore/db-client'
import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { startPostgres } from '../support/postgres.ts'
import { errorOf } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }

const test = suite<{ postgres: Awaited<ReturnType<typeof startPostgres>> }>('the embedded event store as a process')

test.before(async (context) => {
  context.postgres = await startPostgres()
})
test.after(({ postgres }) => postgres.stop())

test('without users it listens on loopback only', async ({ postgres }) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.test']) {
    const { message } = await errorOf(() => eventStoreServer({ host, port: 0, databaseUrl: postgres.url }))
    assert.match(String(message), 'loopback')
  }
})

test('a second one on the same database does not start', async ({ postgres }) => {
  const options = { host: '127.0.0.1', port: 0, databaseUrl: postgres.url, lockWaitMs: 300 }
  const first = await eventStoreServer(options)
  const { message } = await errorOf(() => eventStoreServer(options))
  assert.match(String(message), 'another event store writes to this database')
  await first.close()
})

test('it cancels open calls when it is closed', async ({ postgres }) => {
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
  const client = EventStoreDBClient.connectionString(`esdb://${server.address}?tls=false`)
  const failures: unknown[] = []
  const subscription = client.subscribeToAll()
  subscription.on('error', (error) => failures.push(Object.entries(error)))
  await new Promise((resolve) => subscription.once('confirmation', resolve))
  await server.close()
  assert.is(await server.stopped, undefined)
  await until(() => failures.length === 1, PROMPTLY)
  assert.match(JSON.stringify(failures), '"type","cancelled"')
  await client.dispose()
})

test('it ends by itself when its database session is gone', async ({ postgres }) => {
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
  const other = new pg.Client({ connectionString: postgres.url })
  await other.connect()
  await other.query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'`)
  const reason = await server.stopped
  assert.match(String(reason), 'lost its database')
  await other.end()
})

test.run()
