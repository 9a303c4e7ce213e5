import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Mail } from '../../domain/kernel/mail.ts'
import { readable } from '../../infra/mail/mailer.ts'
import { mailers } from '../support/mailers.ts'

const PUT_AT = new Date('2026-03-04T05:06:07Z')
const MAIL: Mail = {
  mailId: '0e4cf18e-1f4e-4d3a-9a40-1b2f5a9a0001',
  ownerId: '0e4cf18e-1f4e-4d3a-9a40-1b2f5a9a0002',
  to: 'reader@example.com',
  subject: 'Grüße',
  text: 'First line\n.\nA line beyond the dot, and an elephant: 🐘\n\n' +
    'https://ccx.example/auth/confirm#token=jpgI6Hg29jlQ8hl_Uy9nQhCZ_2N_GIeQ4GaW_Yj1xRs\n',
}

const headerOf = (message: string, name: string): string | undefined =>
  new RegExp(`^${name}: *(.*(?:\\r\\n[ \\t].*)*)`, 'im').exec(message)?.[1]

for (const { name, start } of mailers) {
  const contract = suite(`mails by ${name}`)
  let under: Awaited<ReturnType<typeof start>>
  contract.before.each(async () => {
    under = await start()
  })
  contract.after.each(() => under.close())

  contract('a mail arrives as it was written, from whom it should come, and from no machine that answers back', async () => {
    assert.equal(await under.mailer.send(MAIL, PUT_AT), { sent: true })
    const [message = '', ...more] = await under.messages()
    assert.is(more.length, 0)
    assert.is(readable(message).split('\n\n').slice(1).join('\n\n').trimEnd(), MAIL.text.trimEnd())
    assert.is(headerOf(message, 'to'), MAIL.to)
    assert.is(headerOf(message, 'from'), 'CCX <no-reply@ccx.test>')
    assert.is(headerOf(message, 'message-id'), `<${MAIL.mailId}@ccx.test>`)
    assert.is(Date.parse(headerOf(message, 'date') ?? ''), PUT_AT.getTime())
    assert.is(headerOf(message, 'auto-submitted'), 'auto-generated')
    assert.match(headerOf(message, 'subject') ?? '', /^=\?UTF-8\?/i)
  })

  contract('a mail that is sent again bears the same Message-ID', async () => {
    await under.mailer.send(MAIL, PUT_AT)
    await under.mailer.send(MAIL, PUT_AT)
    const ids = (await under.messages()).map((message) => headerOf(message, 'message-id'))
    assert.equal([...new Set(ids)], [`<${MAIL.mailId}@ccx.test>`])
  })

  contract('what a tenant wrote adds neither a header nor a reader', async () => {
    const subject = 'hello\r\nBcc: other@example.com\r\n\r\nbody'
    await under.mailer.send({ ...MAIL, subject }, PUT_AT)
    const [message = ''] = await under.messages()
    assert.is(headerOf(message, 'bcc'), undefined)
    assert.is(headerOf(message, 'subject')?.replaceAll(/\s+/g, ' '), 'hello Bcc: other@example.com body')
  })

  contract.run()
}
