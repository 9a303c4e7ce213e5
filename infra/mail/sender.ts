import type { Pool, PoolClient } from 'pg'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { aloneAtWork, inSessions, rest } from '../read-store/sessions.ts'
import { pauseAfter, type Schedule } from '../webhooks/schedule.ts'
import type { Mailer, Sending } from './mailer.ts'
import { MAIL_CHANNEL, type MailDb } from './migrations.ts'
import { end, pruneMails, putOff, takeDue, type Waiting } from './outbox.ts'

type Line = (fields: object, message: string) => void

export type MailSender = {
  readonly db: MailDb
  readonly pool: Pick<Pool, 'connect'>
  readonly personal: Pick<PersonalData, 'open'>
  readonly mailer: Mailer
  readonly schedule: Schedule
  readonly now: () => Instant
  /** From 0 to 1. */
  readonly chance: () => number
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line; readonly error: Line }
  /** Told of every attempt. */
  readonly observe: (outcome: 'sent' | 'failed' | 'dead') => void
  /** How often to look without having been told of anything, in milliseconds; default 1,000. */
  readonly pollMs?: number
  /** After this a mail in the hand of a sender that died is taken again: more than an attempt may take. Default 120,000. */
  readonly inHandMs?: number
}

/** 30 s, 2 min, 8 min, 32 min, 2 h, 6 h, 6 h, 6 h, 6 h: ten attempts within some 27 hours. */
export const MAIL_SCHEDULE: Schedule = { firstMs: 30_000, factor: 4, longestMs: 6 * 3_600_000, attemptsMax: 10, jitter: 0.2 }

const LOCK_ASK_EVERY_MS = 500
const AT_ONCE_MAX = 5
const PRUNE_EVERY_MS = 3_600_000
/** Within it a mail that is put again is known. */
const KEPT_MS = 365 * 24 * 3_600_000

const settle = async (own: MailSender, { row, mail }: Waiting, sending: Sending): Promise<void> => {
  const { db, schedule, now, chance, log, observe } = own
  const at = new Date(now())
  const told = { mailId: mail.mailId, organisationId: mail.ownerId, attempt: row.attempts }
  if (sending.sent) {
    await end(db, mail.mailId, { state: 'sent' }, at)
    observe('sent')
    log.info(told, 'a mail was sent')
    return
  }
  const { because, forGood } = sending
  const pauseMs = forGood ? undefined : pauseAfter(schedule, { attempt: row.attempts, chance: chance() })
  if (pauseMs === undefined) {
    await end(db, mail.mailId, { state: 'dead', because }, at)
    observe('dead')
    log.error({ ...told, because }, 'a mail was given up; ./ccx mail shows it')
    return
  }
  await putOff(db, mail.mailId, because, new Date(at.getTime() + pauseMs))
  observe('failed')
  log.warn({ ...told, because }, 'a mail was not sent; it is tried again')
}

const work = async (own: MailSender, client: PoolClient, onSound: () => void): Promise<void> => {
  const { db, personal, mailer, now, signal, pollMs = 1_000, inHandMs = 120_000 } = own
  let rung = Promise.withResolvers<void>()
  client.on('notification', () => rung.resolve())
  await client.query(`listen ${MAIL_CHANNEL}`)
  let prunedAtMs = 0
  while (!signal.aborted) {
    rung = Promise.withResolvers<void>()
    const nowMs = Date.parse(now())
    const against = { now: new Date(nowMs), againAt: new Date(nowMs + inHandMs), limit: AT_ONCE_MAX }
    const due = await takeDue(db, personal, against)
    await Promise.all(due.map(async (one) => settle(own, one, await mailer.send(one.mail, one.row.put_at))))
    onSound()
    if (nowMs - prunedAtMs > PRUNE_EVERY_MS) {
      await pruneMails(db, new Date(nowMs - KEPT_MS))
      prunedAtMs = nowMs
    }
    if (due.length > 0) continue
    const waiting = new AbortController()
    await Promise.race([rung.promise, rest(pollMs, AbortSignal.any([signal, waiting.signal]))])
    waiting.abort()
  }
}

/**
 * Sends the mails that wait, until `signal`. One sender is at work at a time. A mail is tried by the schedule until it is
 * sent, or given up and left to an operator. When a sender dies between the server's answer and its own note, the mail is
 * sent again, under the same Message-ID; by no other way is it sent twice.
 */
export const mailSender = (options: MailSender): Promise<void> => {
  const { pool, signal, log } = options
  const sole = {
    pool,
    lock: 'ccx sender of mails',
    askEveryMs: LOCK_ASK_EVERY_MS,
    signal,
    log,
    waiting: 'another sender of mails is at work; waiting for its place',
  }
  return inSessions({ signal, log, trouble: 'mails are not sent; beginning again' }, (onSound) =>
    aloneAtWork(sole, (client, until) => work({ ...options, signal: until }, client, onSound)),
  )
}
