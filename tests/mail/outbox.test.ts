import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Mail } from '../../domain/kernel/mail.ts'
import type { Mailer, Sending } from '../../infra/mail/mailer.ts'
import { listMails, pruneMails } from '../../infra/mail/outbox.ts'
import { onMails } from '../../infra/main/cli/mail.ts'
import { FROM } from '../support/mailers.ts'
import { startMails } from '../support/mail-scene.ts'
import { until } from '../support/until.ts'

const test = suite('mails that wait')

const scene = await startMails()
test.after(() => scene.close())
test.before.each(() => pruneEverything())

const pruneEverything = async () => {
  await scene.pool.query('delete from mail.outbox')
}

const mailTo = (to: string, ownerId: string = randomUUID()): Mail => ({
  mailId: randomUUID(),
  ownerId,
  to,
  subject: 'Confirm your address',
  text: `the secret word for ${to}`,
})

const answering = (answer: (mail: Mail) => Sending): { readonly mailer: Mailer; readonly sent: Mail[] } => {
  const sent: Mail[] = []
  const send: Mailer['send'] = async (mail) => {
    sent.push(mail)
    return answer(mail)
  }
  return { mailer: { send, close: () => undefined }, sent }
}
const taking = () => answering(() => ({ sent: true }))
const refusing = (forGood: boolean) => answering(() => ({ sent: false, because: 'the server did not take it', forGood }))
const rowOf = async ({ mailId }: Mail) => {
  const row = await scene.db.selectFrom('mail.outbox').selectAll().where('mail_id', '=', mailId).executeTakeFirst()
  return row
}
const onCli = (...words: string[]) => onMails({ ...scene, from: FROM, dir: undefined }, words)

test('a mail is sealed while it waits, and what it said is gone once it is sent', async () => {
  const mail = mailTo('reader@example.com')
  await scene.outbox.put(mail)
  const { rows } = await scene.pool.query('select row_to_json(o)::text as row from mail.outbox o')
  assert.is(rows.length, 1)
  for (const word of [mail.to, mail.subject, mail.text]) assert.not.match(JSON.stringify(rows), word)
  const { mailer, sent } = taking()
  const sender = scene.send(mailer)
  await until(async () => (await rowOf(mail))?.state === 'sent', { withinMs: 10_000, what: 'the sending' })
  await sender.stop()
  assert.equal(sent, [mail])
  assert.is((await rowOf(mail))?.sealed, null)
  assert.not.match(scene.lines.join(), mail.to)
})

test('a mail that is put again, before or after it is sent, is sent once', async () => {
  const mail = mailTo('reader@example.com')
  await Promise.all([scene.outbox.put(mail), scene.outbox.put(mail), scene.outbox.put(mail)])
  const { mailer, sent } = taking()
  const sender = scene.send(mailer)
  await until(async () => (await rowOf(mail))?.state === 'sent', { withinMs: 10_000 })
  const other = mailTo('other@example.com')
  await scene.outbox.put(mail)
  await scene.outbox.put(other)
  await until(async () => (await rowOf(other))?.state === 'sent', { withinMs: 10_000 })
  await sender.stop()
  assert.equal(sent, [mail, other])
})

test('two senders side by side send each mail once', async () => {
  const mails = Array.from({ length: 40 }, (_, n) => mailTo(`reader-${n}@example.com`))
  const { mailer, sent } = taking()
  const senders = [scene.send(mailer), scene.send(mailer)]
  for (const mail of mails) await scene.outbox.put(mail)
  await until(() => sent.length >= mails.length, { withinMs: 20_000, what: 'all mails' })
  for (const sender of senders) await sender.stop()
  assert.equal(sent.map(({ mailId }) => mailId).toSorted(), mails.map(({ mailId }) => mailId).toSorted())
})

test('a mail that is not taken is tried again later and later, then given up, and an operator sees why', async () => {
  const mail = mailTo('reader@example.com')
  await scene.outbox.put(mail)
  const { mailer, sent } = refusing(false)
  const sender = scene.send(mailer)
  const pauses: number[] = []
  for (const attempt of [1, 2]) {
    await until(() => sent.length === attempt, { withinMs: 10_000, what: `attempt ${attempt}` })
    const row = await until(async () => {
      const found = await rowOf(mail)
      return found?.because === null ? undefined : found
    }, { withinMs: 10_000 })
    await until(() => sender.outcomes.length === attempt, { withinMs: 10_000 })
    const settled = await rowOf(mail)
    pauses.push((settled ?? row).next_attempt_at.getTime() - Date.parse(scene.now()))
    scene.advance(600_000)
  }
  assert.ok((pauses[0] ?? 0) > 50_000 && (pauses[0] ?? 0) <= 60_000, String(pauses))
  assert.ok((pauses[1] ?? 0) > 110_000 && (pauses[1] ?? 0) <= 120_000, String(pauses))
  await until(async () => (await rowOf(mail))?.state === 'dead', { withinMs: 10_000, what: 'giving up' })
  assert.equal(sender.outcomes, ['failed', 'failed', 'dead'])
  const listed = (await onCli('list')).join('\n')
  assert.match(listed, `${mail.mailId}  dead`)
  assert.match(listed, 'the server did not take it')
  assert.match((await onCli('show', mail.mailId)).join('\n'), mail.text)
  await sender.stop()

  assert.match((await onCli('retry', mail.mailId)).join(), 'tried again')
  const better = taking()
  const again = scene.send(better.mailer)
  await until(async () => (await rowOf(mail))?.state === 'sent', { withinMs: 10_000, what: 'the sending at last' })
  await again.stop()
  await onCli('retry', mail.mailId).then(() => assert.unreachable(), () => undefined)
})

test('a mail that a server refuses for good is given up at once, and holds up no other', async () => {
  const [wrong, right] = [mailTo('nobody@example.com'), mailTo('reader@example.com')]
  await scene.outbox.put(wrong)
  await scene.outbox.put(right)
  const { mailer } = answering(({ to }) =>
    to === wrong.to ? { sent: false, because: 'the server knows no such reader', forGood: true } : { sent: true },
  )
  const sender = scene.send(mailer)
  await until(async () => (await rowOf(right))?.state === 'sent', { withinMs: 10_000 })
  await until(async () => (await rowOf(wrong))?.state === 'dead', { withinMs: 10_000 })
  await sender.stop()
})

test('a mail whose owner is erased is never sent, and none is put for him', async () => {
  const mail = mailTo('reader@example.com')
  await scene.outbox.put(mail)
  await scene.secrets.destroyOwner(mail.ownerId)
  await scene.outbox.put(mailTo('reader@example.com', mail.ownerId))
  const [listed] = await listMails(scene.db, scene.personal, { limit: 10 })
  assert.is(listed?.mail, undefined)
  const { mailer, sent } = taking()
  const sender = scene.send(mailer)
  await until(async () => (await rowOf(mail)) === undefined, { withinMs: 10_000, what: 'the mail to be forgotten' })
  await sender.stop()
  assert.equal(sent, [])
})

test('mails that ended long ago are forgotten, those that wait are not', async () => {
  const [old, waiting] = [mailTo('old@example.com'), mailTo('waiting@example.com')]
  await scene.outbox.put(old)
  const { mailer } = taking()
  const sender = scene.send(mailer)
  await until(async () => (await rowOf(old))?.state === 'sent', { withinMs: 10_000 })
  await sender.stop()
  await scene.outbox.put(waiting)
  await pruneMails(scene.db, new Date(Date.parse(scene.now()) + 1_000))
  assert.is(await rowOf(old), undefined)
  assert.is((await rowOf(waiting))?.state, 'waiting')
})

test.run()
