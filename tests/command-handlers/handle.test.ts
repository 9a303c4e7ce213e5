import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { account, type AccountCommand } from '../../domain/account/account.ts'
import { type EventStore, RevisionConflict } from '../../domain/kernel/event-store.ts'
import { handle } from '../../command-handlers/handle.ts'
import { derivedId, freshId, nodesOf } from '../../command-handlers/ids.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { noon } from '../support/examples.ts'
import { sealed } from '../support/personal-data.ts'

const commands = suite('a command meets its stream')

const accountId = derivedId('account', 'me@example.com')
const names = { login: sealed('me@example.com'), firstName: sealed('Me'), lastName: sealed('Doe') }
const register: AccountCommand = {
  type: 'RegisterAccount',
  data: { accountId, ...names, isAdmin: false, now: noon },
}
const createClient = (clientId: string): AccountCommand => ({
  type: 'CreateClient',
  data: { accountId, clientId, name: sealed('ci'), expiresAt: null, now: noon },
})
const streamOf = ({ data }: AccountCommand) => `account-${data.accountId}`
const causeOf = (commandId: string) =>
  ({ commandId, correlationId: commandId, causationId: 'req_1', actor: { kind: 'user', id: 'usr_1' } }) as const

commands('what is decided is appended, with ids that derive from the command', async () => {
  const store = memoryEventStore()
  const send = handle({ store }, account, streamOf)
  const commandId = freshId()
  const outcome = await send(register, causeOf(commandId))
  assert.ok('events' in outcome)
  const { events, revision } = await store.read(`account-${accountId}`)
  assert.is(revision, 0n)
  assert.is(events.length, 1)
  assert.equal(events[0]?.metadata, { ...causeOf(commandId), command: register })
  assert.equal('events' in outcome && outcome.position, events[0]?.position)

  const again = memoryEventStore()
  await handle({ store: again }, account, streamOf)(register, causeOf(commandId))
  assert.is((await again.read(`account-${accountId}`)).events[0]?.id, events[0]?.id)
})

commands('a refusal appends nothing', async () => {
  const store = memoryEventStore()
  const send = handle({ store }, account, streamOf)
  const outcome = await send(createClient('cli_1'), causeOf(freshId()))
  assert.equal(outcome, { rejection: { rejected: 'account-not-found', because: 'there is no such account' } })
  assert.is(await store.head(), 'start')
})

commands('where nothing new happens the position is that of the last event', async () => {
  const store = memoryEventStore()
  const send = handle({ store }, account, streamOf)
  await send(register, causeOf(freshId()))
  const first = await send(createClient('cli_1'), causeOf(freshId()))
  const second = await send(createClient('cli_1'), causeOf(freshId()))
  assert.ok('events' in first && 'events' in second)
  if (!('events' in first) || !('events' in second)) return
  assert.is(first.events.length, 1)
  assert.equal(second, { ...first, events: [], state: second.state })
})

commands('commands that race for a stream are all decided, each on what the others wrote', async () => {
  const store = memoryEventStore()
  const send = handle({ store }, account, streamOf)
  await send(register, causeOf(freshId()))
  const clients = Array.from({ length: 20 }, (_, n) => `cli_${n}`)
  await Promise.all(clients.map((clientId) => send(createClient(clientId), causeOf(freshId()))))
  const { events } = await store.read(`account-${accountId}`)
  assert.is(events.length, 21)
})

commands('a stream that never comes to rest is given up', async () => {
  const calm = memoryEventStore()
  let appends = 0
  const store: EventStore = {
    ...calm,
    append: async () => {
      appends++
      throw new RevisionConflict('someone else wrote first')
    },
  }
  const outcome = handle({ store }, account, streamOf)(register, causeOf(freshId()))
  await outcome.then(() => assert.unreachable(), (error: unknown) => assert.instance(error, RevisionConflict))
  assert.is(appends, 32)
})

commands('a failing store is not mistaken for a race', async () => {
  const store: EventStore = { ...memoryEventStore(), append: () => Promise.reject(new Error('disk full')) }
  const outcome = handle({ store }, account, streamOf)(register, causeOf(freshId()))
  await outcome.then(() => assert.unreachable(), (error: unknown) => assert.match(String(error), /disk full/))
})

commands('the nodes of a datastore have distinct names of one form, the same for the same command', () => {
  const nodes = nodesOf('019b0000-0000-7000-8000-000000000000', 500)
  assert.is(new Set(nodes.map(({ name }) => name)).size, 500)
  assert.is(new Set(nodes.map(({ nodeId }) => nodeId)).size, 500)
  assert.ok(nodes.every(({ name }) => /^db-[0-9a-z]{5}$/.test(name)))
  assert.equal(nodesOf('019b0000-0000-7000-8000-000000000000', 3), nodes.slice(0, 3))
})

commands.run()
