import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { killProcess } from '../support/event-store-child.ts'
import { until } from '../support/until.ts'
import { accept, startReceiver } from '../support/webhook-receiver.ts'
import { startWebhooks } from '../support/webhook-scene.ts'

// limit: 120 s
const test = suite('the sender of webhooks is killed')

const ROUNDS = 8
const scene = await startWebhooks()
const children = new Set<ChildProcess>()

const startChild = (): ChildProcess => {
  const child = fork(join(import.meta.dirname, '../support/sender-process.ts'))
  children.add(child)
  child.send({ url: scene.url, masterKey: scene.masterKey.toString('base64') })
  return child
}

test.after(async () => {
  for (const child of children) await killProcess(child)
  await scene.close()
})

test('at any moment, and each event still arrives, in its order, and again only under its own id', async () => {
  /** At which request of the round the sender dies, and whether before or after it is answered. */
  let fatal: { readonly at: number; readonly answered: boolean; readonly strike: () => void } | undefined
  /** What the receiver has taken: a request that it does not answer, it has not taken. */
  const taken: unknown[] = []
  const receiver = await startReceiver((response, n, received) => {
    if (fatal?.at !== n || fatal.answered) {
      taken.push(received.event.data['clientId'])
      accept(response, n, received)
    }
    if (fatal?.at === n) fatal.strike()
  })
  try {
    await scene.create(receiver.url, { types: ['dev.ccx.account.*'] })
    const clients: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      clients.push(...(await scene.happen(20)))
      const struck = Promise.withResolvers<void>()
      const child = startChild()
      fatal = {
        at: receiver.received.length + 1 + Math.floor(Math.random() * 15),
        answered: round % 2 === 0,
        strike: () => void killProcess(child).then(struck.resolve),
      }
      await struck.promise
    }
    fatal = undefined
    startChild()
    await until(() => taken.includes(clients.at(-1)), { withinMs: 60_000, what: 'the last event' })
    assert.equal([...new Set(taken)], clients, 'each one, in the order in which it was first taken')
    const idOf = new Map(receiver.received.map(({ event }) => [event.data['clientId'], event.id]))
    for (const { event } of receiver.received) assert.is(event.id, idOf.get(event.data['clientId']))
    // One request is lost sight of with each death, no more.
    assert.ok(receiver.received.length <= clients.length + ROUNDS, `${receiver.received.length} requests`)
  } finally {
    await receiver.close()
  }
})

test('and another one that stands by goes on', async () => {
  const receiver = await startReceiver()
  try {
    for (const child of children) await killProcess(child)
    await scene.create(receiver.url, { types: ['dev.ccx.account.*'] })
    const [one, other] = [startChild(), startChild()]
    // A sender that dies between an answer and its note sends that event again, under its id.
    const arrived = (): readonly unknown[] => [...new Set(receiver.received.map(({ event }) => event.data['clientId']))]
    const clients = [...(await scene.happen(2))]
    await until(() => arrived().length === 2, { withinMs: 30_000, what: 'the first events' })
    // Whichever of them is at work: one of these deaths hands over to a process that stood by.
    await killProcess(one)
    clients.push(...(await scene.happen(2)))
    await until(() => arrived().length >= 4, { withinMs: 30_000, what: 'events after a death' })
    startChild()
    await killProcess(other)
    clients.push(...(await scene.happen(2)))
    await until(() => arrived().length >= 6, { withinMs: 30_000, what: 'events after another death' })
    assert.equal(arrived(), clients)
    assert.ok(receiver.received.length <= clients.length + 2, `${receiver.received.length} requests`)
  } finally {
    await receiver.close()
  }
})

test.run()
