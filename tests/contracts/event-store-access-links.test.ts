import { binaryEvent, type EventStoreDBClient } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, numbered } from '../support/raw-client.ts'
import { type SecuredStore, securedStore } from '../support/secured-event-store.ts'
import { until } from '../support/until.ts'

const ALICE = { username: 'alice', password: 'a password of alice' }

const test = suite<{ secured: SecuredStore; admin: EventStoreDBClient; alice: EventStoreDBClient }>('links and rights')

test.before(async (context) => {
  context.secured = await securedStore()
  context.admin = context.secured.clientOf(context.secured.admin)
  context.alice = context.secured.clientOf(ALICE)
  const { create } = context.secured.usersCallsOf(context.secured.admin)
  await create({ login: ALICE.username, password: ALICE.password, groups: [] })
})
test.after(({ secured }) => secured.stop())

test('a link leads nobody to what they may not read, in a read or a subscription', async ({ admin, alice }) => {
  const [secret, open, links] = [newStream('secret'), newStream(), newStream('links')]
  await admin.setStreamMetadata(secret, { acl: { readRoles: ['$admins'] } })
  for (const stream of [secret, open]) await admin.appendToStream(stream, numbered(1))
  const targets = [`0@${secret}`, '0@$user-admin', `0@${open}`]
  await alice.appendToStream(links, targets.map((it) => binaryEvent({ type: '$>', data: Buffer.from(it) })))
  const read = await collect(alice.readStream(links, { resolveLinkTos: true }))
  assert.equal(read.map(({ event }) => event?.streamId), [undefined, undefined, open])
  assert.equal(read.map(({ link }) => link?.revision), [0n, 1n, 2n])
  const byAdmin = await collect(admin.readStream(links, { resolveLinkTos: true }))
  assert.equal(byAdmin.map(({ event }) => event?.streamId), [secret, '$user-admin', open])
  const seen: (string | undefined)[] = []
  const subscription = alice.subscribeToStream(links, { resolveLinkTos: true })
  subscription.on('data', ({ event }) => seen.push(event?.streamId))
  await until(() => seen.length === 3, { withinMs: 20_000 })
  assert.equal(seen, [undefined, undefined, open])
  await subscription.unsubscribe()
})

test.run()
