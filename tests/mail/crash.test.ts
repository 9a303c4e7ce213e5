import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { killProcess } from '../support/event-store-child.ts'
import { startMails } from '../support/mail-scene.ts'
import { startSmtpReceiver } from '../support/smtp-receiver.ts'
import { until } from '../support/until.ts'

// limit: 120 s
const test = suite('the sender of mails is killed')

const ROUNDS = 6
const scene = await startMails()
const children = new Set<ChildProcess>()

const startChild = (smtpUrl: string): ChildProcess => {
  const child = fork(join(import.meta.dirname, '../support/mail-process.ts'))
  children.add(child)
  child.send({ url: scene.url, smtpUrl, masterKey: scene.masterKey.toString('base64') })
  return child
}

test.after(async () => {
  for (const child of children) await killProcess(child)
  await scene.close()
})

test('at any moment, and each mail still arrives, and again only under its own Message-ID', async () => {
  /** At which mail the sender dies, and whether before or after it is answered. */
  let fatal: { readonly at: number; readonly answered: boolean; readonly strike: () => void } | undefined
  let count = 0
  const receiver = await startSmtpReceiver({
    onMail: () => {
      count += 1
      if (fatal?.at !== count) return true
      fatal.strike()
      return fatal.answered
    },
  })
  try {
    const readers: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 0; n < 8; n++) {
        const to = `reader-${round}-${n}@example.com`
        readers.push(to)
        await scene.outbox.put({ mailId: randomUUID(), ownerId: scene.ownerId, to, subject: 'hello', text: 'there' })
      }
      const struck = Promise.withResolvers<void>()
      const child = startChild(receiver.url)
      const at = count + 1 + Math.floor(Math.random() * 6)
      fatal = { at, answered: round % 2 === 0, strike: () => void killProcess(child).then(struck.resolve) }
      await struck.promise
    }
    fatal = undefined
    startChild(receiver.url)
    const unsent = async () => Number((await scene.pool.query(`select 1 from mail.outbox where state = 'waiting'`)).rowCount)
    await until(async () => (await unsent()) === 0, { withinMs: 60_000, what: 'the last mail' })
    const idsOf = new Map<string, Set<string>>()
    for (const { to: [to = ''], messageId } of receiver.arrived) idsOf.set(to, (idsOf.get(to) ?? new Set()).add(messageId))
    assert.equal([...idsOf.keys()].toSorted(), readers.toSorted())
    for (const [to, ids] of idsOf) assert.is(ids.size, 1, to)
    // Those that were in hand at a death are sent once more, and no others.
    assert.ok(receiver.arrived.length <= readers.length + 5 * ROUNDS, `${receiver.arrived.length} arrived`)
  } finally {
    await receiver.close()
  }
})

test.run()
