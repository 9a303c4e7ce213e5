import {
  type EventStoreDBClient, persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults,
  START,
} from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watch } from '../support/consumers.ts'
import { newStream } from '../support/events.ts'
import { collect, errorOf, numbered } from '../support/raw-client.ts'
import { type SecuredStore, securedStore } from '../support/secured-event-store.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }
const ALICE = { username: 'alice', password: 'a password of alice' }
const OPERATOR = { username: 'olaf', password: 'a password of olaf' }
const GROUP = 'workers'

type Context = { secured: SecuredStore; admin: EventStoreDBClient; alice: EventStoreDBClient; operator: EventStoreDBClient }

const fromStart = persistentSubscriptionToStreamSettingsFromDefaults({
  startFrom: START, checkPointAfter: 1, checkPointLowerBound: 1, checkPointUpperBound: 1,
})

const test = suite<Context>('persistent subscriptions and users')

test.before(async (context) => {
  const secured = await securedStore()
  const { create } = secured.usersCallsOf(secured.admin)
  await create({ login: ALICE.username, password: ALICE.password, groups: [] })
  await create({ login: OPERATOR.username, password: OPERATOR.password, groups: ['$ops'] })
  Object.assign(context, {
    secured, admin: secured.clientOf(secured.admin), alice: secured.clientOf(ALICE), operator: secured.clientOf(OPERATOR),
  })
})
test.after(({ secured }) => secured.stop())

test('an operator makes groups and ends them, an ordinary user does not', async ({ operator, alice }) => {
  const stream = newStream()
  await operator.createPersistentSubscriptionToStream(stream, GROUP, fromStart)
  const attempts = [
    () => alice.createPersistentSubscriptionToStream(newStream(), GROUP, fromStart),
    () => alice.updatePersistentSubscriptionToStream(stream, GROUP, fromStart),
    () => alice.deletePersistentSubscriptionToStream(stream, GROUP),
    () => alice.replayParkedMessagesToStream(stream, GROUP),
    () => alice.restartPersistentSubscriptionSubsystem(),
  ]
  for (const attempt of attempts) assert.is((await errorOf(attempt))['type'], 'access-denied', String(attempt))
  await operator.deletePersistentSubscriptionToStream(stream, GROUP)
})

test('a user consumes what he may read, is named as consumer, and does not see what the group writes', async (context) => {
  const { admin, alice } = context
  const stream = newStream()
  await admin.appendToStream(stream, numbered(3))
  await admin.createPersistentSubscriptionToStream(stream, GROUP, fromStart)
  const seen = watch(alice.subscribeToPersistentSubscriptionToStream(stream, GROUP), async (event, it) =>
    event.event?.revision === 1n ? it.nack('park', 'because', event) : it.ack(event))
  const info = () => admin.getPersistentSubscriptionToStreamInfo(stream, GROUP)
  await until(async () => (await info()).stats.lastCheckpointedEventRevision === 2n, PROMPTLY)
  assert.equal((await info()).connections.map(({ username }) => username), [ALICE.username])
  for (const suffix of ['checkpoint', 'parked']) {
    const own = `$persistentsubscription-${stream}::${GROUP}-${suffix}`
    assert.is((await errorOf(() => collect(alice.readStream(own))))['type'], 'access-denied')
    await until(async () => (await collect(admin.readStream(own))).length > 0, PROMPTLY)
  }
  await seen.subscription.unsubscribe()
})

test('a user does not consume what he may not read, whoever made the group', async ({ admin, alice }) => {
  const [stream, group] = [newStream(), newStream('group')]
  await admin.setStreamMetadata(stream, { acl: { readRoles: ['$admins'] } })
  await admin.createPersistentSubscriptionToStream(stream, GROUP, fromStart)
  await admin.createPersistentSubscriptionToAll(group, persistentSubscriptionToAllSettingsFromDefaults())
  const consumers = [
    watch(alice.subscribeToPersistentSubscriptionToStream(stream, GROUP)),
    watch(alice.subscribeToPersistentSubscriptionToAll(group)),
  ]
  await until(() => consumers.every(({ errors }) => errors.length === 1), PROMPTLY)
  assert.equal(consumers.map(({ errors }) => errors[0]?.['type']), ['access-denied', 'access-denied'])
  const { connections } = await admin.getPersistentSubscriptionToAllInfo(group)
  assert.is(connections.length, 0)
})

test.run()
