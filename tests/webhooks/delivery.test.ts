import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { until } from '../support/until.ts'
import { accept, fail, type Receiver, signedBy, startReceiver } from '../support/webhook-receiver.ts'
import { startWebhooks } from '../support/webhook-scene.ts'

const test = suite('webhooks are sent')

const Hooks = z.object({ webhooks: z.array(z.object({ id: z.string() })) })

const scene = await startWebhooks()
const receivers: Receiver[] = []
let sending = scene.startSender()

const WITHIN = { withinMs: 20_000 }
const hooked = async (...behave: Parameters<typeof startReceiver>) => {
  const receiver = await startReceiver(...behave)
  receivers.push(receiver)
  // The webhooks' own life is told of too.
  return { receiver, ...(await scene.create(receiver.url, { types: ['dev.ccx.account.*'] })) }
}
const clientsOf = ({ received }: Receiver) => received.map(({ event }) => event.data['clientId'])
const commitOf = (cursor: string | null | undefined): bigint => BigInt(cursor?.split('/')[0] || 0)
const arrived = (receiver: Receiver, count: number) =>
  until(() => receiver.received.length >= count, { ...WITHIN, what: `${count} requests` })
const settled = async (id: string) => (await scene.deliveries(id)).toReversed()
const logged = async (id: string, count: number) => {
  await until(async () => (await settled(id)).length >= count, { ...WITHIN, what: `${count} attempts in the log` })
  return settled(id)
}

test.after.each(async () => {
  const { body } = await scene.asAlice('GET', '')
  for (const { id } of Hooks.parse(body).webhooks) await scene.asAlice('DELETE', `/${id}`)
  for (const receiver of receivers.splice(0)) await receiver.close()
})
test.after(async () => {
  await sending.stop()
  await scene.close()
})

test('every event arrives once, in its order, signed, as the feed has it', async () => {
  const { receiver, id, secret } = await hooked()
  const clients = await scene.happen(60)
  await arrived(receiver, 60)
  assert.equal(clientsOf(receiver), clients)
  for (const one of receiver.received) {
    assert.equal(signedBy(one, [secret, 'whsec_AAAA']), [secret])
    assert.is(one.headers['webhook-id'], one.event.id)
    assert.is(one.event.type, 'dev.ccx.account.client-created.v1')
  }
  const log = await logged(id, 60)
  assert.equal(new Set(log.map(({ outcome, response_code: code }) => `${outcome} ${code}`)), new Set(['delivered 204']))
  assert.equal(log.map(({ event_id }) => event_id), receiver.ids())
})

test('what happened before a webhook was made is not sent, nor what happens to others', async () => {
  await scene.happen(2)
  const { receiver } = await hooked()
  await scene.happen(2, '0b000000-0000-4000-8000-000000000002')
  const [client] = await scene.happen(1)
  await arrived(receiver, 1)
  assert.equal(clientsOf(receiver), [client])
})

test('what a webhook does not want is passed over', async () => {
  const all = await hooked()
  const [of, none] = [await hooked(), await hooked()]
  await scene.asAlice('PATCH', `/${none.id}`, { types: ['dev.ccx.job.*'] })
  const [first] = await scene.happen(1)
  await arrived(of.receiver, 1)
  await scene.asAlice('PATCH', `/${of.id}`, { types: ['dev.ccx.account.*'], subjects: [`clients/${first}`] })
  await scene.happen(1)
  await arrived(all.receiver, 2)
  const unwanted = commitOf(all.receiver.received[1]?.event.cursor)
  const passed = async (id: string) => commitOf((await scene.standing(id)).cursor) >= unwanted
  for (const { id } of [of, none]) await until(() => passed(id), WITHIN)
  await scene.asAlice('PATCH', `/${of.id}`, { subjects: [] })
  const [last] = await scene.happen(1)
  await arrived(of.receiver, 2)
  assert.equal(clientsOf(of.receiver), [first, last])
  assert.equal(none.receiver.received, [])
})

test('what fails is tried again under the same id before anything else is sent', async () => {
  const { receiver, id, secret } = await hooked((response, n, received) => (n <= 2 ? fail : accept)(response, n, received))
  const clients = await scene.happen(2)
  await arrived(receiver, 1)
  for (const attempts of [1, 2]) {
    await until(async () => (await scene.standing(id)).attempts === attempts, WITHIN)
    scene.advance(120_000)
  }
  await arrived(receiver, 4)
  assert.equal(clientsOf(receiver), [clients[0], clients[0], clients[0], clients[1]])
  const [a, b, c] = receiver.received
  assert.is(a?.headers['webhook-id'], c?.headers['webhook-id'])
  assert.is.not(a?.headers['webhook-timestamp'], c?.headers['webhook-timestamp'])
  assert.ok(b && signedBy(b, [secret]).length === 1)
  const log = await logged(id, 4)
  assert.equal(
    log.map(({ attempt, outcome, response, because }) => ({ attempt, outcome, response, because })),
    [
      { attempt: 1, outcome: 'failed', response: 'no', because: 'the endpoint answered 500' },
      { attempt: 2, outcome: 'failed', response: 'no', because: 'the endpoint answered 500' },
      { attempt: 3, outcome: 'delivered', response: null, because: null },
      { attempt: 1, outcome: 'delivered', response: null, because: null },
    ],
  )
  assert.ok(log[0]?.next_attempt_at !== null && log[2]?.next_attempt_at === null)
})

test('an endpoint that is dead or hangs holds up nobody', async () => {
  const { receiver: hanging } = await hooked(() => undefined)
  const { receiver: failing } = await hooked(fail)
  const gone = await hooked()
  await gone.receiver.close()
  const { receiver } = await hooked()
  const clients = await scene.happen(30)
  await arrived(receiver, 30)
  assert.equal(clientsOf(receiver), clients)
  assert.is(hanging.received.length, 1)
  assert.is(failing.received.length, 1)
  await until(async () => (await settled(gone.id)).at(-1)?.because === 'the connection was refused', WITHIN)
})

test('Retry-After makes the pause longer', async () => {
  const { receiver, id } = await hooked((response, n) =>
    n === 1 ? void response.writeHead(429, { 'retry-after': '3600' }).end() : void response.writeHead(200).end('fine'),
  )
  await scene.happen(1)
  await until(async () => (await scene.standing(id)).attempts === 1, WITHIN)
  const [attempt] = await settled(id)
  const pauseMs = Date.parse(attempt?.next_attempt_at ?? '') - Date.parse(scene.now())
  assert.ok(pauseMs > 3_500_000 && pauseMs <= 3_600_000, `${pauseMs}`)
  scene.advance(3_600_000)
  await arrived(receiver, 2)
})

test('a redirect is a failure, and nobody is sent to where it leads', async () => {
  const { receiver: elsewhere } = await hooked()
  const { id } = await hooked((response) => void response.writeHead(307, { location: elsewhere.url }).end())
  await scene.happen(1)
  await until(async () => (await scene.standing(id)).attempts === 1, WITHIN)
  assert.is((await settled(id))[0]?.because, 'the endpoint answered 307')
  await arrived(elsewhere, 1)
  assert.is(elsewhere.received.length, 1)
})

test('a sender takes over from one that has ended, and one alone is at work', async () => {
  const { receiver } = await hooked()
  const second = scene.startSender()
  const clients = [...(await scene.happen(5))]
  await arrived(receiver, 5)
  await sending.stop()
  clients.push(...(await scene.happen(5)))
  await arrived(receiver, 10)
  sending = second
  assert.equal(clientsOf(receiver), clients)
})

test('a sender whose connection breaks begins again', async () => {
  const { receiver } = await hooked()
  const broken = await scene.pool.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()
     and pid in (select pid from pg_stat_activity where query like 'listen %webhook_errand')`,
  )
  assert.is(broken.rowCount, 1)
  const clients = await scene.happen(3)
  await arrived(receiver, 3)
  assert.equal(clientsOf(receiver), clients)
})

test.run()
