import { randomBytes, randomUUID } from 'node:crypto'
import type { Mailer } from '../../infra/mail/mailer.ts'
import { mailDb, outbox } from '../../infra/mail/outbox.ts'
import { type MailSender, mailSender } from '../../infra/mail/sender.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations, type VaultSchema } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import type { Schedule } from '../../infra/webhooks/schedule.ts'
import { keptLog } from './log.ts'
import { startPostgres } from './postgres.ts'

/** Three attempts, so far apart that only the scene's clock gets from one to the next. */
export const PATIENT: Schedule = { firstMs: 60_000, factor: 2, longestMs: 600_000, attemptsMax: 3, jitter: 0 }

/** The outbox over a real Postgres with its vault; its clock can be put forward. */
export const startMails = async () => {
  const postgres = await startPostgres()
  const { pool, db, close } = connect<VaultSchema>(postgres.url)
  await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  let aheadMs = 0
  const now = () => new Date(Date.now() + aheadMs).toISOString()
  // Keys are not remembered, so that an erasure is seen at once.
  let clockMs = 0
  const personal = personalData({ pool, masterKey, clockMs: () => (clockMs += 10_000) })
  const mails = await mailDb(pool)
  const { log, lines } = keptLog()

  /** Lets a sender work until `stop`. */
  const send = (mailer: Mailer, options: Partial<MailSender> = {}) => {
    const until = new AbortController()
    const outcomes: string[] = []
    const ended = mailSender({
      db: mails,
      pool,
      personal,
      mailer,
      schedule: PATIENT,
      now,
      chance: () => 0.5,
      signal: until.signal,
      log,
      observe: (outcome) => void outcomes.push(outcome),
      pollMs: 20,
      ...options,
    })
    return {
      outcomes,
      stop: async () => {
        until.abort()
        await ended
      },
    }
  }
  return {
    url: postgres.url,
    ownerId: randomUUID(),
    masterKey,
    pool,
    db: mails,
    personal,
    secrets: sealedSecrets({ pool, masterKey }),
    outbox: outbox({ db: mails, personal, now }),
    now,
    advance: (ms: number) => {
      aheadMs += ms
    },
    lines,
    send,
    close: async () => {
      await close()
      await postgres.stop()
    },
  }
}
