import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { hashPassword } from '../../infra/auth/password-hash.ts'
import { mayCall } from '../../infra/embedded/event-store/access/calls.ts'
import { basicCredentials, verifier } from '../../infra/embedded/event-store/access/credentials.ts'
import { isOneOf, NOBODY } from '../../infra/embedded/event-store/access/principal.ts'
import { rightFor, rolesFor } from '../../infra/embedded/event-store/access/rights.ts'
import type { User } from '../../infra/embedded/event-store/access/users.ts'

const test = suite('who may do what in the embedded event store')

const alice = { login: 'alice', groups: ['readers'] }
const STREAMS = '/event_store.client.streams.Streams/'
const PERSISTENT = '/event_store.client.persistent_subscriptions.PersistentSubscriptions/'

test("a call that is not named is nobody's, not even an administrator's", () => {
  const admin = { login: 'admin', groups: ['$admins'] }
  for (const path of ['/event_store.client.operations.Operations/Shutdown', '/toString', '']) assert.not(mayCall(admin, path))
  assert.ok(mayCall(admin, `${STREAMS}Read`))
})

test('without credentials one may ask for the features and the node alone', () => {
  assert.ok(mayCall(NOBODY, '/event_store.client.server_features.ServerFeatures/GetSupportedMethods'))
  assert.ok(mayCall(NOBODY, '/event_store.client.gossip.Gossip/Read'))
  for (const method of ['Read', 'Append', 'BatchAppend', 'Delete', 'Tombstone']) {
    assert.not(mayCall(NOBODY, `${STREAMS}${method}`), method)
  }
})

test('groups of consumers are made and counted by operators', () => {
  for (const method of ['Create', 'Update', 'Delete', 'ReplayParked', 'RestartSubsystem', 'GetInfo', 'List']) {
    assert.not(mayCall(alice, `${PERSISTENT}${method}`), method)
    assert.ok(mayCall({ login: 'ops', groups: ['$ops'] }, `${PERSISTENT}${method}`), method)
  }
})

test('a list names logins, groups, or everyone', () => {
  assert.ok(isOneOf(alice, ['alice']))
  assert.ok(isOneOf(alice, ['bob', 'readers']))
  assert.ok(isOneOf(alice, ['$all']))
  assert.not(isOneOf(alice, ['writers', 'Alice']))
  assert.not(isOneOf(alice, []))
})

test('what is done to a metadata stream is done to the metadata', () => {
  assert.equal(rightFor('read', '$$a'), { stream: 'a', right: 'metaReadRoles' })
  assert.equal(rightFor('write', '$$$settings'), { stream: '$settings', right: 'metaWriteRoles' })
  assert.is(rightFor('delete', '$$a'), undefined)
  assert.is(rightFor('write', '$all'), undefined)
  assert.equal(rightFor('read', '$all'), { stream: '$all', right: 'readRoles' })
})

test('the stream comes before the settings, and the settings before what is built in, each right by itself', () => {
  const own = { readRoles: ['a'] }
  const defaults = { userStreams: { readRoles: ['b'], writeRoles: ['c'] } }
  assert.equal(rolesFor('readRoles', 's', { own, defaults }), ['a'])
  assert.equal(rolesFor('writeRoles', 's', { own, defaults }), ['c'])
  assert.equal(rolesFor('deleteRoles', 's', { own, defaults }), ['$all'])
  assert.equal(rolesFor('readRoles', '$s', { own: undefined, defaults }), ['$admins'])
  assert.equal(rolesFor('readRoles', 's', { own: { readRoles: [] }, defaults }), [], 'nobody is not nothing')
})

test('basic credentials end the login at the first colon', () => {
  const header = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
  assert.equal(basicCredentials(header('alice:a:b')), { login: 'alice', password: 'a:b' })
  for (const other of [header('alice'), 'Bearer abc', 'Basic !', '']) assert.is(basicCredentials(other), undefined)
})

const userWith = async (password: string): Promise<User> => ({
  loginName: 'alice',
  fullName: 'Alice',
  groups: ['readers'],
  hash: await hashPassword(password),
  disabled: false,
  updatedTicks: '0',
})

test('a password is looked up once, until its user is forgotten', async () => {
  let looked = 0
  let user = await userWith('first')
  const { verify, forget } = verifier({
    find: async () => {
      looked += 1
      return user
    },
  })
  const credentials = { login: 'alice', password: 'first' }
  const all = await Promise.all([verify(credentials), verify(credentials), verify(credentials)])
  assert.equal(all, [alice, alice, alice])
  assert.is(looked, 1)
  user = await userWith('second')
  assert.equal(await verify(credentials), alice)
  forget('alice')
  assert.is(await verify(credentials), undefined)
  assert.equal(await verify({ login: 'alice', password: 'second' }), alice)
})

test('what is forgotten while it is being checked is checked once more', async () => {
  const found = [await userWith('first'), await userWith('second')]
  const first = Promise.withResolvers<void>()
  const { verify, forget } = verifier({
    find: async () => {
      const user = found.shift()
      if (found.length === 1) await first.promise
      return user
    },
  })
  const verdict = verify({ login: 'alice', password: 'first' })
  forget('alice')
  first.resolve()
  assert.is(await verdict, undefined)
})

test('a disabled user is nobody', async () => {
  const user = { ...(await userWith('first')), disabled: true }
  assert.is(await verifier({ find: async () => user }).verify({ login: 'alice', password: 'first' }), undefined)
})

test.run()
