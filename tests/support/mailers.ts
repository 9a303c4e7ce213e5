import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filedMails, fileMailer } from '../../infra/mail/files.ts'
import type { Mailer } from '../../infra/mail/mailer.ts'
import { smtpMailer } from '../../infra/mail/smtp.ts'
import { startSmtpReceiver } from './smtp-receiver.ts'

export const FROM = 'CCX <no-reply@ccx.test>'

/** An adapter, and where its mails arrive. */
export type MailerUnderTest = {
  readonly name: string
  readonly start: () => Promise<{
    readonly mailer: Mailer
    /** Every message that arrived, as it went over the wire. */
    readonly messages: () => Promise<readonly string[]>
    readonly close: () => Promise<void>
  }>
}

/** Every way that mails can leave. */
export const mailers: readonly MailerUnderTest[] = [
  {
    name: 'SMTP',
    start: async () => {
      const receiver = await startSmtpReceiver()
      const mailer = smtpMailer({ url: receiver.url, from: FROM })
      const close = async () => {
        mailer.close()
        await receiver.close()
      }
      return { mailer, messages: async () => receiver.arrived.map(({ message }) => message), close }
    },
  },
  {
    name: 'files',
    start: async () => {
      const parent = await mkdtemp(join(tmpdir(), 'ccx-mails-'))
      const dir = join(parent, 'mail')
      const messages = async () =>
        Promise.all((await filedMails(dir)).map(({ path }) => readFile(path, 'utf8')))
      return { mailer: fileMailer({ dir, from: FROM }), messages, close: () => rm(parent, { recursive: true }) }
    },
  },
]
