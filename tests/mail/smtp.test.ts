import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import { smtpMailer } from '../../infra/mail/smtp.ts'
import { freePort } from '../support/free-port.ts'
import { FROM } from '../support/mailers.ts'
import { type Answers, startSmtpReceiver } from '../support/smtp-receiver.ts'

const test = suite('sending mails over SMTP')

const MAIL = { mailId: '0e4cf18e-1f4e-4d3a-9a40-1b2f5a9a0001', ownerId: 'o', to: 'reader@example.com', subject: 's', text: 't' }
const NOW = new Date()

const authority = await createAuthority('mail server')
const certificate = await issue(authority, { commonName: 'mail', dnsNames: ['localhost'], addresses: ['127.0.0.1'], days: 1 })
const tls = { cert: certificate.certificatePem, key: certificate.keyPem }

type Receiver = Awaited<ReturnType<typeof startSmtpReceiver>>
const withReceiver = async (answers: Answers, work: (receiver: Receiver) => Promise<void>): Promise<void> => {
  const receiver = await startSmtpReceiver(answers)
  try {
    await work(receiver)
  } finally {
    await receiver.close()
  }
}

const sendBy = async (url: string, { mail = MAIL, authorityPem }: { mail?: typeof MAIL; authorityPem?: string } = {}) => {
  const mailer = smtpMailer({ url, from: FROM, authorityPem })
  try {
    return await mailer.send(mail, NOW)
  } finally {
    mailer.close()
  }
}

test('a reader whom the server does not know is given up at once, and its words are not repeated', () =>
  withReceiver({ onReader: (address) => `550 5.1.1 <${address}> is nobody` }, async ({ url }) => {
    const sending = await sendBy(url)
    assert.equal(sending, { sent: false, because: 'the mail server did not take it (550 at RCPT TO)', forGood: true })
  }))

test('a reader whom the server will know later is tried again', () =>
  withReceiver({ onReader: () => '451 later' }, async ({ url }) => {
    assert.equal(await sendBy(url), { sent: false, because: 'the mail server did not take it (451 at RCPT TO)', forGood: false })
  }))

test('a server that is not there is tried again', async () => {
  const sending = await sendBy(`smtp://127.0.0.1:${await freePort()}`)
  assert.is(!sending.sent && sending.forGood, false)
  assert.is(sending.sent, false)
})

test('a reader with a comma is one reader, whom nobody else stands in for', () =>
  withReceiver({}, async ({ url, arrived }) => {
    await sendBy(url, { mail: { ...MAIL, to: 'a@example.com, b@example.com' } })
    for (const { to } of arrived) assert.ok(to.length <= 1)
  }))

test('the connection is encrypted when the server offers it, and the password goes over nothing else', () =>
  withReceiver({ tls }, async ({ port, arrived }) => {
    const url = `smtp://mailer:p%40ss@127.0.0.1:${port}`
    assert.equal(await sendBy(url, { authorityPem: authority.certificatePem }), { sent: true })
    assert.equal(arrived.map(({ encrypted, user }) => ({ encrypted, user })), [{ encrypted: true, user: 'mailer' }])
  }))

test('a server with a certificate of nobody gets no mail', () =>
  withReceiver({ tls }, async ({ url, arrived }) => {
    assert.is((await sendBy(url)).sent, false)
    assert.is(arrived.length, 0)
  }))

test('where encryption is demanded, a server without it gets no mail', () =>
  withReceiver({}, async ({ url, arrived }) => {
    const sending = await sendBy(`${url}?tls=required`)
    assert.is(!sending.sent && sending.forGood, false)
    assert.is(arrived.length, 0)
  }))

test.run()
