import { inspect } from 'node:util'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { Metadata } from '@grpc/grpc-js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { newEvents, newStream } from '../support/events.ts'
import { type SecuredStore, securedStore } from '../support/secured-event-store.ts'

type Context = { secured: SecuredStore; admin: EventStoreDBClient; alice: EventStoreDBClient }

const ALICE = { username: 'alice', password: 'a password of alice' }

const test = suite<Context>('users and access control of the embedded event store')

test.before(async (context) => {
  context.secured = await securedStore()
  context.admin = context.secured.clientOf(context.secured.admin)
  context.alice = context.secured.clientOf(ALICE)
  const { create } = context.secured.usersCallsOf(context.secured.admin)
  await create({ login: ALICE.username, password: ALICE.password, groups: ['readers'] })
})
test.after(async ({ secured }) => secured.stop())

const one = () => [jsonEvent({ type: 'Happened', data: {} })]

const collect = async <T>(reading: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const it of reading) all.push(it)
  return all
}

const typeOf = async (attempt: () => Promise<unknown>): Promise<unknown> => {
  try {
    await attempt()
  } catch (error) {
    if (!(error instanceof Error)) return error
    if ('type' in error) return error.type
    return ('metadata' in error && error.metadata instanceof Metadata && error.metadata.get('exception')[0]) || error
  }
  return 'done'
}

const append = (client: EventStoreDBClient, stream: string) => client.appendToStream(stream, one())
const read = (client: EventStoreDBClient, stream: string) => collect(client.readStream(stream))

test('a user reads and writes ordinary streams, and no system stream', async ({ alice }) => {
  const stream = newStream()
  await append(alice, stream)
  assert.is((await read(alice, stream)).length, 1)
  for (const attempt of [
    () => append(alice, `$${stream}`),
    () => read(alice, '$users'),
    () => read(alice, '$user-admin'),
    () => collect(alice.readAll({ maxCount: 1 })),
  ]) assert.is(await typeOf(attempt), 'access-denied', String(attempt))
})

test('both ways to append tell a denial', async ({ alice }) => {
  const target = `$${newStream()}`
  const unary = () => alice.appendToStream(target, one(), { credentials: ALICE })
  assert.is(await typeOf(() => append(alice, target)), 'access-denied')
  assert.is(await typeOf(unary), 'access-denied')
})

test('administrators read the whole log', async ({ admin }) => {
  const all = await collect(admin.readAll())
  assert.ok(all.some(({ event }) => event?.streamId === '$user-alice'))
})

test('no password is in the log', async ({ admin, secured }) => {
  const readable = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value)
  const text = JSON.stringify(await collect(admin.readAll()), readable)
  assert.not.match(text, ALICE.password)
  assert.not.match(text, secured.admin.password)
})

test('a wrong password and an unknown login are refused alike', async ({ secured }) => {
  for (const credentials of [{ ...ALICE, password: 'guessed' }, { username: 'nobody', password: 'guessed' }]) {
    const client = secured.clientOf(credentials)
    assert.is(await typeOf(() => append(client, newStream())), 'access-denied')
    assert.is(await typeOf(() => read(client, newStream())), 'access-denied')
  }
})

test('the store of the house ends with the cause when its password is wrong, and does not try on', async ({ secured }) => {
  const store = esdbEventStore({ connectionString: secured.urlOf({ ...secured.admin, password: 'guessed' }) })
  const causeOf = async (attempt: () => Promise<unknown>): Promise<[string, string]> => {
    try {
      await attempt()
    } catch (error) {
      if (error instanceof Error && error.cause instanceof Error) return [error.name, error.cause.message]
    }
    throw new Error('there was no error with a cause')
  }
  const [event] = newEvents(1)
  const cause = '16 UNAUTHENTICATED: the credentials are not valid'
  assert.ok(event)
  assert.equal(await causeOf(() => store.append(newStream(), [event], { expected: 'absent' })), ['AppendRefused', cause])
  assert.equal(await causeOf(() => store.read(newStream())), ['ReadRefused', cause])
  const { signal } = new AbortController()
  const follow = () => collect(store.subscribe({ after: 'start', prefixes: ['x-'], signal }))
  assert.equal(await causeOf(follow), ['ReadRefused', cause])
  await store.close()
})

test('a malformed address of the store is not repeated in the error', () => {
  for (const query of ['tls=perhaps', 'tlsVerifyCert=false', 'tlsCaFile=/nowhere.pem']) {
    const connectionString = `esdb://ccx:hidden@127.0.0.1:1?${query}`
    try {
      esdbEventStore({ connectionString })
      assert.unreachable()
    } catch (error) {
      assert.not.match(inspect(error), 'hidden')
    }
  }
})

test('without credentials nothing is read or written', async ({ secured }) => {
  const client = secured.clientOf(undefined)
  assert.is(await typeOf(() => append(client, newStream())), 'access-denied')
  assert.is(await typeOf(() => read(client, newStream())), 'access-denied')
})

test('a changed password counts at once, and ends what was open with the old one', async ({ secured }) => {
  const { create, resetPassword } = secured.usersCallsOf(secured.admin)
  const before = { username: 'bob', password: 'the old one' }
  await create({ login: before.username, password: before.password, groups: [] })
  const stream = newStream()
  const client = secured.clientOf(before)
  await append(client, stream)
  const ended = Promise.withResolvers<unknown>()
  const subscription = client.subscribeToStream(stream)
  subscription.on('error', ended.resolve)
  await new Promise((resolve) => subscription.once('confirmation', resolve))
  await resetPassword({ login: 'bob', password: 'the new one' })
  assert.is(await typeOf(async () => Promise.reject(await ended.promise)), 'access-denied')
  assert.is(await typeOf(() => read(client, stream)), 'access-denied')
  assert.is((await read(secured.clientOf({ ...before, password: 'the new one' }), stream)).length, 1)
})

test('a disabled user is nobody, until enabled again', async ({ secured }) => {
  const { create, disable, enable } = secured.usersCallsOf(secured.admin)
  const carol = { username: 'carol', password: 'a password of carol' }
  await create({ login: 'carol', password: carol.password, groups: [] })
  const client = secured.clientOf(carol)
  const stream = newStream()
  await append(client, stream)
  await disable('carol')
  assert.is(await typeOf(() => read(client, stream)), 'access-denied')
  await enable('carol')
  assert.is((await read(client, stream)).length, 1)
})

test('a user changes only the own password, by saying the current one', async ({ secured }) => {
  const { create } = secured.usersCallsOf(secured.admin)
  const dave = { username: 'dave', password: 'first' }
  await create({ login: 'dave', password: dave.password, groups: [] })
  const own = secured.usersCallsOf(dave)
  const guess = { login: 'dave', current: 'guessed', next: 'second' }
  const other = { login: 'dave', current: 'first', next: 'second' }
  assert.is(await typeOf(() => own.changePassword(guess)), 'access-denied')
  assert.is(await typeOf(() => secured.usersCallsOf(ALICE).changePassword(other)), 'access-denied')
  await own.changePassword({ login: 'dave', current: 'first', next: 'second' })
  assert.is((await secured.usersCallsOf({ ...dave, password: 'second' }).details('dave')).length, 1)
})

test('only administrators manage users', async ({ secured }) => {
  const calls = secured.usersCallsOf(ALICE)
  for (const attempt of [
    () => calls.create({ login: 'eve', password: 'x', groups: ['$admins'] }),
    () => calls.update({ login: 'alice', password: '', groups: ['$admins'] }),
    () => calls.resetPassword({ login: 'admin', password: 'x' }),
    () => calls.disable('admin'),
    () => calls.remove('admin'),
    () => calls.details(''),
    () => calls.details('admin'),
  ]) assert.is(await typeOf(attempt), 'access-denied', String(attempt))
  assert.equal((await calls.details('alice')).map(({ login, groups }) => ({ login, groups })), [
    { login: 'alice', groups: ['readers'] },
  ])
})

test('a user is made once, and can be made again when removed', async ({ secured }) => {
  const { create, remove, details } = secured.usersCallsOf(secured.admin)
  const frank = { username: 'frank', password: 'of frank' }
  const make = () => create({ login: 'frank', password: frank.password, groups: [] })
  await make()
  assert.is(await typeOf(make), 'user-conflict')
  await remove('frank')
  assert.is(await typeOf(() => remove('frank')), 'user-not-found')
  assert.is(await typeOf(() => details('frank')), 'user-not-found')
  assert.is(await typeOf(() => read(secured.clientOf(frank), newStream())), 'access-denied')
  await make()
  const logins = (await details('')).map(({ login }) => login)
  assert.is(logins.filter((login) => login === 'frank').length, 1)
  await append(secured.clientOf(frank), newStream())
})

test('what a list of a stream says comes before the defaults, right by right', async ({ admin, alice }) => {
  const stream = newStream()
  await append(admin, stream)
  await admin.setStreamMetadata(stream, { acl: { readRoles: ['readers'], writeRoles: ['$admins'], metaReadRoles: ['bob'] } })
  assert.is((await read(alice, stream)).length, 1)
  assert.is(await typeOf(() => append(alice, stream)), 'access-denied')
  assert.is(await typeOf(() => alice.getStreamMetadata(stream)), 'access-denied')
  await admin.setStreamMetadata(stream, { acl: { readRoles: ['bob'], deleteRoles: ['$admins'] } })
  assert.is(await typeOf(() => read(alice, stream)), 'access-denied')
  assert.is(await typeOf(() => alice.deleteStream(stream)), 'access-denied')
  assert.is(await typeOf(() => alice.tombstoneStream(stream)), 'access-denied')
  await append(alice, stream)
  assert.is((await alice.getStreamMetadata(stream)).metadata?.acl?.readRoles?.join(), 'bob')
})

test('the settings of the store say what holds where a stream says nothing', async ({ admin, alice }) => {
  const [open, closed] = [newStream(), newStream()]
  await append(alice, closed)
  await admin.setStreamMetadata(open, { acl: { readRoles: ['alice'], writeRoles: ['alice'] } })
  const data = { $userStreamAcl: { $r: ['$admins'], $w: '$admins', $d: '$admins', $mr: '$admins', $mw: '$admins' } }
  await admin.appendToStream('$settings', jsonEvent({ type: 'update-default-acl', data }))
  for (const attempt of [
    () => append(alice, closed),
    () => read(alice, closed),
    () => alice.deleteStream(closed),
    () => alice.getStreamMetadata(open),
    () => alice.setStreamMetadata(open, {}),
  ]) assert.is(await typeOf(attempt), 'access-denied', String(attempt))
  await append(alice, open)
  assert.is((await read(alice, open)).length, 1)
  await admin.appendToStream('$settings', jsonEvent({ type: 'update-default-acl', data: {} }))
  await append(alice, closed)
})

test('discovery finds the one node by the address that was asked', async ({ secured }) => {
  const { username, password } = secured.admin
  const client = secured.connect(`esdb+discover://${username}:${password}@${secured.address}?${secured.query}`)
  const stream = newStream()
  await append(client, stream)
  assert.is((await read(client, stream)).length, 1)
})

test('without TLS and users it listens on loopback alone', async ({ secured }) => {
  assert.match(String(await typeOf(() => secured.listenOpenlyOn('0.0.0.0'))), /without TLS and users/)
})

test.run()
