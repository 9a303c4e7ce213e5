import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { until } from '../support/until.ts'
import { accept, type Behave, fail, type Receiver, signedBy, startReceiver } from '../support/webhook-receiver.ts'
import { startWebhooks } from '../support/webhook-scene.ts'

const test = suite('webhooks that do not get through')

const DEAD_IN_A_ROW_MAX = 3
const WITHIN = { withinMs: 20_000 }
const scene = await startWebhooks()
const start = () => scene.startSender({ deadInARowMax: DEAD_IN_A_ROW_MAX })
let sending = start()
const receivers: Receiver[] = []

const hooked = async (behave: Behave = accept) => {
  const receiver = await startReceiver(behave)
  receivers.push(receiver)
  return { receiver, ...(await scene.create(receiver.url, { types: ['dev.ccx.account.*'] })) }
}
const clientsOf = ({ received }: Receiver) => received.map(({ event }) => event.data['clientId'])
const arrived = (receiver: Receiver, count: number) =>
  until(() => receiver.received.length >= count, { ...WITHIN, what: `${count} requests` })
const act = async (id: string, what: string) => (await scene.asAlice('POST', `/${id}/${what}`)).status
/** Lets time pass until it is so. */
const intime = (condition: () => boolean | Promise<boolean>) =>
  until(async () => {
    scene.advance(60_000)
    return condition()
  }, WITHIN)
const paused = (id: string) => until(async () => (await scene.standing(id)).status === 'paused', WITHIN)

test.after.each(async () => {
  const Hooks = z.object({ webhooks: z.array(z.object({ id: z.string() })) })
  const { webhooks } = Hooks.parse((await scene.asAlice('GET', '')).body)
  for (const { id } of webhooks) await scene.asAlice('DELETE', `/${id}`)
  for (const receiver of receivers.splice(0)) await receiver.close()
})
test.after(async () => {
  await sending.stop()
  await scene.close()
})

/** A webhook with one event that its endpoint refuses among others that it takes. */
const poisoned = async () => {
  let poison: unknown
  const hook = await hooked((response, n, one) => (one.event.data['clientId'] === poison ? fail : accept)(response, n, one))
  await sending.stop()
  const clients = await scene.happen(3)
  poison = clients[1]
  sending = start()
  await intime(() => clientsOf(hook.receiver).includes(clients[2]))
  return {
    ...hook,
    clients,
    heal: () => {
      poison = undefined
    },
  }
}

test('an event that never gets through becomes a dead letter, and those after it go on', async () => {
  const { receiver, id, clients } = await poisoned()
  const [first, bad, last] = clients
  assert.equal(clientsOf(receiver), [first, bad, bad, bad, bad, last])
  const dead = await scene.deadLetters(id)
  const eventId = receiver.received[1]?.event.id
  assert.equal(dead, [{ event_id: eventId, attempts: 4, because: 'the endpoint answered 500' }])
  const log = (await scene.deliveries(id)).filter(({ event_id }) => event_id === eventId)
  assert.equal(log.map(({ outcome }) => outcome), ['dead', 'failed', 'failed', 'failed'])
})

test('a dead letter is tried once more when asked, and is none any more when it gets through', async () => {
  const { receiver, id, heal } = await poisoned()
  const eventId = receiver.received[1]?.event.id ?? ''
  assert.is(await act(id, `dead-letters/${eventId}/replay`), 202)
  await arrived(receiver, 7)
  assert.is(receiver.ids()[6], eventId)
  await until(async () => (await scene.deliveries(id))[0]?.kind === 'dead-letter', WITHIN)
  assert.is((await scene.deadLetters(id)).length, 1)
  heal()
  assert.is(await act(id, `dead-letters/${eventId}/replay`), 202)
  await arrived(receiver, 8)
  await until(async () => (await scene.deadLetters(id)).length === 0, WITHIN)
  assert.equal((await scene.deliveries(id)).slice(0, 2).map(({ kind, outcome }) => [kind, outcome]), [
    ['dead-letter', 'delivered'],
    ['dead-letter', 'failed'],
  ])
  assert.is(await act(id, `dead-letters/${eventId}/replay`), 404)
})

test('a replay sends everything after its cursor again, under the same ids and in the same order', async () => {
  const { receiver, id } = await hooked()
  await scene.happen(5)
  await arrived(receiver, 5)
  const cursor = receiver.received[1]?.event.cursor ?? ''
  assert.is(await act(id, `replay?from=${encodeURIComponent(cursor)}`), 202)
  await arrived(receiver, 8)
  const ids = receiver.ids()
  assert.equal(ids.slice(5), ids.slice(2, 5))
  assert.is(await act(id, 'replay?from=9999999999/9999999999'), 422)
  assert.is(await act(id, 'replay?from=yesterday'), 400)
})

test('a replay from the start brings what happened before the webhook was made', async () => {
  const earlier = await scene.happen(2)
  const { receiver, id } = await hooked()
  await act(id, 'replay?from=start')
  await until(() => earlier.every((client) => clientsOf(receiver).includes(client)), WITHIN)
})

test('a replay while events are on their way loses none', async () => {
  const { receiver, id } = await hooked()
  const clients: string[] = []
  for (let n = 0; n < 4; n++) {
    clients.push(...(await scene.happen(25)))
    const cursor = receiver.received[0]?.event.cursor
    if (cursor !== undefined) await act(id, `replay?from=${encodeURIComponent(cursor)}`)
  }
  await until(() => clientsOf(receiver).at(-1) === clients.at(-1), WITHIN)
  const seen = clientsOf(receiver)
  const last = seen.lastIndexOf(clients[1])
  assert.equal(seen.slice(last), clients.slice(1))
})

test('many dead letters in a row pause the webhook, which says so and keeps its place', async () => {
  const { receiver, id } = await hooked(fail)
  const clients = await scene.happen(DEAD_IN_A_ROW_MAX + 2)
  await intime(async () => (await scene.standing(id)).status === 'paused')
  assert.is((await scene.standing(id)).paused_because, 'failing')
  assert.is((await scene.deadLetters(id)).length, DEAD_IN_A_ROW_MAX)
  const { events } = await scene.store.read(`webhook-${id}`)
  assert.equal(events.map(({ type }) => type), ['WebhookCreated', 'WebhookPaused'])
  assert.equal(events[1]?.metadata.actor, { kind: 'system', id: 'notifier' })
  assert.is(events[1]?.metadata.organisationId, events[0]?.metadata.organisationId)
  receiver.behave(accept)
  const before = receiver.received.length
  assert.is(await act(id, 'resume'), 200)
  await arrived(receiver, before + 2)
  assert.equal(clientsOf(receiver).slice(before), clients.slice(DEAD_IN_A_ROW_MAX))
})

test('an endpoint that answers 410 is paused at once, and gets the event when it is resumed', async () => {
  const { receiver, id } = await hooked((response) => void response.writeHead(410).end())
  const clients = await scene.happen(2)
  await paused(id)
  assert.is((await scene.standing(id)).paused_because, 'gone')
  assert.is(receiver.received.length, 1)
  receiver.behave(accept)
  await act(id, 'resume')
  await arrived(receiver, 3)
  assert.equal(clientsOf(receiver), [clients[0], ...clients])
})

test('a webhook that is gone again is paused again', async () => {
  const { id } = await hooked((response) => void response.writeHead(410).end())
  await scene.happen(1)
  for (let n = 0; n < 2; n++) {
    await paused(id)
    await act(id, 'resume')
  }
  await paused(id)
  const { events } = await scene.store.read(`webhook-${id}`)
  assert.is(events.filter(({ type }) => type === 'WebhookPaused').length, 3)
})

test('a paused webhook gets nothing but a ping, and then everything', async () => {
  const { receiver, id, secret } = await hooked()
  assert.is(await act(id, 'pause'), 200)
  const clients = await scene.happen(3)
  for (let n = 1; n <= 2; n++) {
    assert.is(await act(id, 'test'), 202)
    await arrived(receiver, n)
    await until(async () => (await scene.deliveries(id)).length === n, WITHIN)
  }
  const [ping, another] = receiver.received
  assert.is(another?.event.type, ping?.event.type)
  assert.is(ping?.event.type, 'dev.ccx.webhook.ping.v1')
  assert.is(ping?.event.subject, `webhooks/${id}`)
  assert.equal(ping && signedBy(ping, [secret]), [secret])
  await act(id, 'resume')
  await arrived(receiver, 5)
  assert.equal(clientsOf(receiver).slice(2), clients)
})

test('a ping does not hurry what waits for its next attempt', async () => {
  const { receiver, id } = await hooked(fail)
  const clients = await scene.happen(1)
  await until(async () => (await scene.standing(id)).attempts === 1, WITHIN)
  for (let n = 2; n <= 3; n++) {
    await act(id, 'test')
    await until(async () => (await scene.deliveries(id)).length === n, WITHIN)
  }
  assert.equal(clientsOf(receiver), [clients[0], undefined, undefined])
})

test('while read models are made anew nothing is sent to where events went before', async () => {
  const { receiver: old, id } = await hooked()
  const question = 'select url, as_of from read.webhooks where webhook_id = $1'
  const { rows } = await scene.pool.query<{ url: string; as_of: string }>(question, [id])
  const { receiver } = await hooked()
  await scene.asAlice('PATCH', `/${id}`, { url: receiver.url })
  const became = await scene.pool.query<{ url: string; as_of: string }>(question, [id])
  const seen = 'select 1 from webhooks.endpoint where webhook_id = $1 and seen = $2'
  await until(async () => (await scene.pool.query(seen, [id, became.rows[0]?.as_of])).rowCount === 1, WITHIN)
  const put = (row?: { readonly url: string; readonly as_of: string }) =>
    scene.pool.query('update read.webhooks set url = $2, as_of = $3 where webhook_id = $1', [id, row?.url, row?.as_of])
  await put(rows[0])
  const clients = await scene.happen(2)
  await arrived(receiver, 2)
  assert.equal(old.received, [])
  await put(became.rows[0])
  await arrived(receiver, 4)
  assert.equal(new Set(clientsOf(receiver)), new Set(clients))
})

test('another address is tried at once, however long the pause would be', async () => {
  const { receiver: bad, id } = await hooked(fail)
  const clients = await scene.happen(1)
  await until(async () => (await scene.standing(id)).attempts === 1, WITHIN)
  const good = await startReceiver()
  receivers.push(good)
  assert.is((await scene.asAlice('PATCH', `/${id}`, { url: good.url })).status, 200)
  await arrived(good, 1)
  assert.equal(clientsOf(good), clients)
  assert.is(bad.received.length, 1)
})

test('after a rotation both secrets sign for a day, then the new one alone', async () => {
  const { receiver, id, secret: old } = await hooked()
  const { secret } = z.object({ secret: z.string() }).parse((await scene.asAlice('POST', `/${id}/rotate-secret`)).body)
  assert.is.not(secret, old)
  await scene.happen(1)
  await arrived(receiver, 1)
  scene.advance(24 * 3_600_000)
  await scene.happen(1)
  await arrived(receiver, 2)
  assert.equal(receiver.received.map((one) => signedBy(one, [old, secret])), [[old, secret], [secret]])
})

test('a deleted webhook is sent nothing, and leaves neither secret nor log', async () => {
  const { receiver, id } = await hooked()
  await scene.happen(1)
  await arrived(receiver, 1)
  assert.is((await scene.asAlice('DELETE', `/${id}`)).status, 204)
  assert.is((await scene.asAlice('DELETE', `/${id}`)).status, 204)
  const other = await hooked()
  await scene.happen(1)
  await arrived(other.receiver, 1)
  assert.is(receiver.received.length, 1)
  const columns = ['vault.secret where subject_id', 'webhooks.attempt where webhook_id', 'webhooks.endpoint where webhook_id']
  for (const column of columns) {
    assert.is((await scene.pool.query(`select 1 from ${column} = $1`, [id])).rowCount, 0, column)
  }
})

test.run()
