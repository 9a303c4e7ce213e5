import { z } from 'zod'
import { mailDb } from '../../infra/mail/outbox.ts'
import { mailSender } from '../../infra/mail/sender.ts'
import { smtpMailer } from '../../infra/mail/smtp.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { keptLog } from './log.ts'
import { FROM } from './mailers.ts'

/** The sender of mails in a process of its own, so that a test can kill it. Told what to do by its parent's first message. */
const Order = z.object({ url: z.string(), smtpUrl: z.string(), masterKey: z.base64() })

process.once('message', (message) => {
  const { url, smtpUrl, masterKey } = Order.parse(message)
  const { pool } = connect(url)
  void mailDb(pool).then((db) =>
    mailSender({
      db,
      pool,
      personal: personalData({ pool, masterKey: Buffer.from(masterKey, 'base64') }),
      mailer: smtpMailer({ url: smtpUrl, from: FROM }),
      schedule: { firstMs: 50, factor: 1, longestMs: 50, attemptsMax: 1_000, jitter: 0 },
      now: () => new Date().toISOString(),
      chance: () => 0,
      signal: new AbortController().signal,
      log: keptLog().log,
      observe: () => undefined,
      pollMs: 20,
      inHandMs: 2_000,
    }),
  )
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
