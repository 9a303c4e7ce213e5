import { type EventStoreDBClient, jsonEvent, persistentSubscriptionToStreamSettingsFromDefaults } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { cloudEvent } from '../../projections/public-events/cloud-event.ts'
import { type IntegrationScene, integrationScene } from '../support/integration-scene.ts'
import { principals } from '../support/rest.ts'
import { until } from '../support/until.ts'

const PATH = '/api/v1/event-stream/credentials'
const PROMPTLY = { withinMs: 20_000 }

const Credentials = z.object({
  login: z.string(),
  stream: z.string(),
  password: z.string(),
  created_at: z.iso.datetime(),
  connection_string: z.string(),
  ca: z.string(),
})

const test = suite<{ scene: IntegrationScene }>("the stream of an organisation's public events")

test.before(async (context) => {
  context.scene = await integrationScene()
  for (const { userId } of Object.values(principals)) await context.scene.register(userId)
})
test.after(async ({ scene }) => scene.close())

const open = async ({ rest }: IntegrationScene, as: string) => {
  const { status, body } = await rest.ask('POST', PATH, { as })
  assert.is(status, 201)
  return Credentials.parse(body)
}

const clientOf = ({ secured }: IntegrationScene, { login, password }: { login: string; password: string }) =>
  secured.clientOf({ username: login, password })

const read = async (client: EventStoreDBClient, stream: string) => {
  const found: { id: string; type: string; data: unknown }[] = []
  for await (const { event } of client.readStream(stream)) if (event !== undefined) found.push(event)
  return found
}

const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Error)) return error
    return 'type' in error ? error.type : error
  }
  return 'done'
}

test('credentials are told once, with all that a client needs', async ({ scene }) => {
  const made = await open(scene, 'alice')
  assert.is(made.login, `integration-${principals.alice.userId}`)
  assert.is(made.stream, made.login)
  assert.match(made.ca, /BEGIN CERTIFICATE/)
  assert.is(
    made.connection_string,
    `esdb://${made.login}:${made.password}@${scene.secured.address}?tls=true&tlsCaFile=event-store-ca.pem`,
  )
  const { status, body } = await scene.rest.ask('GET', PATH, { as: 'alice' })
  assert.is(status, 200)
  assert.equal(body, { login: made.login, stream: made.stream, created_at: made.created_at })
})

test('the stream has every public event of the organisation, from the first on, in order, as CloudEvents', async ({ scene }) => {
  const { userId } = principals.alice
  for (let n = 0; n < 5; n++) await scene.happen(userId)
  const made = await open(scene, 'alice')
  for (let n = 0; n < 250; n++) await scene.happen(userId)
  const client = clientOf(scene, made)
  const settled = async () => (await scene.fed(userId)).length >= 257 && (await read(client, made.stream)).length >= 257
  await until(settled, PROMPTLY)
  const found = await read(client, made.stream)
  assert.equal(found.map(({ id }) => id), await scene.fed(userId))
  for (const { id, type, data } of found) {
    const event = cloudEvent.parse(data)
    assert.is(event.id, id)
    assert.is(event.type, type)
    assert.is(event.source, `https://ccx.example/organisations/${userId}`)
  }
})

test('a subscriber follows it live, and goes on when copiers come and go', async ({ scene }) => {
  const { userId } = principals.bob
  const made = await open(scene, 'bob')
  const seen: string[] = []
  const subscription = clientOf(scene, made).subscribeToStream(made.stream)
  subscription.on('data', ({ event }) => {
    if (event !== undefined) seen.push(event.id)
  })
  subscription.on('error', () => undefined)
  const stop = scene.startCopier()
  for (let n = 0; n < 30; n++) await scene.happen(userId)
  await stop()
  const stopNext = scene.startCopier()
  for (let n = 0; n < 30; n++) await scene.happen(userId)
  await until(async () => seen.length >= 61 && seen.length === (await scene.fed(userId)).length, PROMPTLY)
  assert.equal(seen, await scene.fed(userId))
  await stopNext()
  await subscription.unsubscribe()
})

test('the credentials reach this one stream, by reading, and nothing else', async ({ scene }) => {
  const [made, other] = [await open(scene, 'alice'), await open(scene, 'bob')]
  const client = clientOf(scene, made)
  await until(async () => (await outcome(() => read(client, made.stream))) === 'done', PROMPTLY)
  const event = jsonEvent({ type: 'X', data: {} })
  const credentials = { username: made.login, password: made.password }
  const settings = persistentSubscriptionToStreamSettingsFromDefaults()
  const all = async () => {
    for await (const { event: one } of client.readAll({ maxCount: 1 })) assert.unreachable(`${one?.streamId}`)
  }
  const subscribed = (subscription: ReturnType<EventStoreDBClient['subscribeToAll']>) =>
    new Promise((resolve, reject) => {
      subscription.on('error', reject)
      subscription.on('data', resolve)
    })
  const attempts: readonly (() => Promise<unknown>)[] = [
    () => read(client, other.stream),
    () => read(client, `account-${principals.alice.userId}`),
    () => read(client, '$users'),
    () => read(client, `$user-${made.login}`),
    () => read(client, '$settings'),
    all,
    () => subscribed(client.subscribeToAll()),
    () => client.appendToStream(made.stream, event),
    () => client.appendToStream(made.stream, event, { credentials }),
    () => client.appendToStream('anything-1', event),
    () => client.appendToStream('$settings', event),
    () => client.getStreamMetadata(made.stream),
    () => client.setStreamMetadata(made.stream, {}),
    () => client.setStreamMetadata('anything-1', {}),
    () => client.deleteStream(made.stream),
    () => client.tombstoneStream(made.stream),
    () => client.createPersistentSubscriptionToStream(made.stream, 'group', settings),
    () => client.deletePersistentSubscriptionToStream(made.stream, 'group'),
    () => client.listAllPersistentSubscriptions(),
    () => client.getPersistentSubscriptionToStreamInfo(made.stream, 'group'),
  ]
  for (const attempt of attempts) assert.is(await outcome(attempt), 'access-denied', String(attempt))
  const users = scene.secured.usersCallsOf(credentials)
  for (const attempt of [
    () => users.details(''),
    () => users.details('admin'),
    () => users.create({ login: 'eve', password: 'x', groups: ['$admins'] }),
    () => users.update({ login: made.login, password: '', groups: ['$admins'] }),
    () => users.resetPassword({ login: 'admin', password: 'x' }),
    () => users.remove('admin'),
  ]) assert.match(String(await outcome(attempt)), /PERMISSION_DENIED/, String(attempt))
})

test('new credentials end those before them; taken back, they end at once, and the stream goes on later', async ({ scene }) => {
  const { userId } = principals.olga
  const [first, second] = [await open(scene, 'olga'), await open(scene, 'olga')]
  assert.is.not(first.password, second.password)
  assert.is(await outcome(() => read(clientOf(scene, first), first.stream)), 'access-denied')
  const client = clientOf(scene, second)
  await until(async () => (await outcome(() => read(client, second.stream))) === 'done', PROMPTLY)
  assert.is((await scene.rest.ask('DELETE', PATH, { as: 'olga' })).status, 200)
  assert.is(await outcome(() => read(client, second.stream)), 'access-denied')
  assert.is((await scene.rest.ask('GET', PATH, { as: 'olga' })).status, 404)
  assert.is((await scene.rest.ask('DELETE', PATH, { as: 'olga' })).status, 200)
  await scene.happen(userId)
  const third = await open(scene, 'olga')
  const again = clientOf(scene, third)
  await until(async () => (await scene.fed(userId)).length === (await read(again, third.stream)).length, PROMPTLY)
  assert.equal((await read(again, third.stream)).map(({ id }) => id), await scene.fed(userId))
})

test('a stream that cannot be written keeps the others from nothing', async ({ scene }) => {
  const [alice, bob] = [await open(scene, 'alice'), await open(scene, 'bob')]
  const admin = scene.secured.clientOf(scene.secured.admin)
  await admin.tombstoneStream(alice.stream)
  await scene.happen(principals.alice.userId)
  await scene.happen(principals.bob.userId)
  const client = clientOf(scene, bob)
  await until(async () => (await read(client, bob.stream)).length === (await scene.fed(principals.bob.userId)).length, PROMPTLY)
  assert.equal((await read(client, bob.stream)).map(({ id }) => id), await scene.fed(principals.bob.userId))
})

test('no password is in any event', async ({ scene }) => {
  const { password } = await open(scene, 'bob')
  const text: string[] = []
  for await (const { event } of scene.secured.clientOf(scene.secured.admin).readAll()) text.push(JSON.stringify(event?.data))
  assert.ok(text.length > 300)
  assert.not.ok(text.some((one) => one.includes(password)))
})

test.run()
