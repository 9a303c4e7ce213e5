import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventStoreUsers, eventStoreUsers } from '../../infra/event-store/esdb-users.ts'
import { environment } from '../support/environment.ts'
import { newStream } from '../support/events.ts'
import { securedStore } from '../support/secured-event-store.ts'

type Given = { readonly url: string; readonly stop: () => Promise<void> }
type Context = { given: Given; users: EventStoreUsers; admin: EventStoreDBClient; clients: EventStoreDBClient[] }

const embedded = async (): Promise<Given> => {
  const { admin, urlOf, stop } = await securedStore()
  return { url: urlOf(admin), stop }
}

/** Every store with users that can be had here. The given one must let us in as an administrator. */
const stores: Readonly<Record<string, () => Promise<Given>>> = {
  'the embedded server': embedded,
  ...(environment.eventStoreUrl?.includes('@') === true
    ? { 'the given server': async () => ({ url: environment.eventStoreUrl ?? '', stop: async () => undefined }) }
    : {}),
}
if (Object.keys(stores).length === 1) console.log('SKIPPED users on a real server: no ESDB_URL with a user is given')

const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    await work()
  } catch (error) {
    return error instanceof Error && 'type' in error ? error.type : error
  }
  return 'done'
}

for (const [name, start] of Object.entries(stores)) {
  const test = suite<Context>(`users and rights on ${name}`)

  const read = async (client: EventStoreDBClient, stream: string): Promise<number> => {
    let count = 0
    for await (const { event } of client.readStream(stream)) if (event !== undefined) count += 1
    return count
  }

  test.before(async (context) => {
    context.given = await start()
    context.users = eventStoreUsers({ connectionString: context.given.url })
    context.admin = EventStoreDBClient.connectionString(context.given.url)
    context.clients = [context.admin]
  })
  test.after(async ({ users, clients, given }) => {
    await users.close()
    await Promise.all(clients.map((client) => client.dispose()))
    await given.stop()
  })

  const as = (context: Context, login: string, password: string): EventStoreDBClient => {
    const url = new URL(context.given.url)
    Object.assign(url, { username: login, password })
    const client = EventStoreDBClient.connectionString(url.href)
    context.clients.push(client)
    return client
  }

  const grant = async (context: Context) => {
    const [login, password, stream] = [`reader-${randomUUID()}`, randomUUID(), newStream()]
    await context.users.ensureUser({ login, password, groups: [] })
    await context.users.grantRead(stream, [login])
    await context.admin.appendToStream(stream, [1, 2, 3].map((n) => jsonEvent({ type: 'Numbered', data: { n } })))
    return { login, password, stream, reader: as(context, login, password) }
  }

  test('streams that say nothing are ours alone, once reserved', async (context) => {
    assert.ok(context.users.distinguishes)
    assert.ok(await context.users.reserve())
    assert.ok(await context.users.reserve())
    const { reader } = await grant(context)
    const other = newStream()
    await context.admin.appendToStream(other, jsonEvent({ type: 'Happened', data: {} }))
    assert.is(await outcome(() => read(reader, other)), 'access-denied')
    assert.is(await outcome(() => reader.appendToStream(other, jsonEvent({ type: 'X', data: {} }))), 'access-denied')
  })

  test('who is granted a stream reads it, and no more', async (context) => {
    const { reader, stream } = await grant(context)
    assert.is(await read(reader, stream), 3)
    for (const attempt of [
      () => reader.appendToStream(stream, jsonEvent({ type: 'X', data: {} })),
      () => reader.deleteStream(stream),
      () => reader.getStreamMetadata(stream),
      () => reader.setStreamMetadata(stream, {}),
    ]) assert.is(await outcome(attempt), 'access-denied', String(attempt))
  })

  test('a user that is made again has another password', async (context) => {
    const { login, password, stream, reader } = await grant(context)
    await context.users.ensureUser({ login, password: `${password}-2`, groups: [] })
    assert.is(await outcome(() => read(reader, stream)), 'access-denied')
    assert.is(await read(as(context, login, `${password}-2`), stream), 3)
  })

  test('a user that is removed comes in no more, and can be removed again', async (context) => {
    const { login, stream, reader } = await grant(context)
    await context.users.removeUser(login)
    await context.users.removeUser(login)
    assert.is(await outcome(() => read(reader, stream)), 'access-denied')
  })

  test('a stream keeps its limits beside its rights', async (context) => {
    const { stream, reader } = await grant(context)
    await context.users.retain(stream, { maxCount: 2 })
    await context.users.retain(stream, { maxCount: 2 })
    assert.is(await read(reader, stream), 2)
    const { metadata } = await context.admin.getStreamMetadata(stream)
    assert.is(metadata?.maxCount, 2)
  })

  test.run()
}
