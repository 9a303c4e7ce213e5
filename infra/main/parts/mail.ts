import { readFileSync } from 'node:fs'
import type { Config } from '../../config.ts'
import { fileMailer } from '../../mail/files.ts'
import type { Mailer } from '../../mail/mailer.ts'
import { mailDb } from '../../mail/outbox.ts'
import { MAIL_SCHEDULE, mailSender } from '../../mail/sender.ts'
import { smtpMailer } from '../../mail/smtp.ts'
import type { Base, Part } from '../base.ts'

const mailerOf = ({ mail: { smtpUrl, smtpCaFile, dir, from } }: Config): Mailer | undefined => {
  const authorityPem = smtpCaFile === undefined ? undefined : readFileSync(smtpCaFile, 'utf8')
  if (smtpUrl !== undefined) return smtpMailer({ url: smtpUrl, from, authorityPem })
  return dir === undefined ? undefined : fileMailer({ dir, from })
}

/** Sends the mails that wait. Without SMTP_URL and MAIL_DIR they go on waiting. */
export const mailPart = async ({ config, log, metrics, now, signal, ccxDb, personal }: Base): Promise<Part> => {
  const { pool } = ccxDb()
  const db = await mailDb(pool)
  const checks = { ccxDb: () => pool.query('select 1') }
  const mailer = mailerOf(config)
  if (mailer === undefined) {
    log.warn({}, 'mails are not sent: neither SMTP_URL nor MAIL_DIR is set')
    const ended = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    return { checks, ended }
  }
  const sending = mailSender({
    db,
    pool,
    personal: await personal(),
    mailer,
    schedule: MAIL_SCHEDULE,
    now,
    chance: Math.random,
    signal,
    log,
    observe: metrics.mail,
  })
  return { checks, ended: sending.finally(mailer.close) }
}
