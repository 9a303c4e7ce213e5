import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Pool } from 'pg'
import { z } from 'zod'
import type { Mail, Outbox } from '../../domain/kernel/mail.ts'
import { ERASED, OrganisationErased, type PersonalData } from '../../domain/kernel/sealed.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { migrateToLatest } from '../read-store/migrate.ts'
import { MAIL, MAIL_CHANNEL, type MailDb, type MailRow, mailMigrations } from './migrations.ts'

const Words = z.object({ to: z.string(), subject: z.string(), text: z.string() })

/** Where mails wait, brought up to date. */
export const mailDb = async (pool: Pool): Promise<MailDb> => {
  const db: MailDb = new Kysely({ dialect: new PostgresDialect({ pool }) })
  await migrateToLatest(db, { schema: MAIL, migrations: mailMigrations })
  return db
}

type Options = {
  readonly db: MailDb
  readonly personal: Pick<PersonalData, 'seal'>
  readonly now: () => Instant
}

/**
 * Mails wait in Postgres, sealed under their owners' keys. A mail that was put before, sent or not, is not put again; one
 * to an organisation that is erased is not put at all.
 */
export const outbox = ({ db, personal, now }: Options): Outbox => ({
  put: async ({ mailId, ownerId, to, subject, text }) => {
    let sealed: MailRow['sealed']
    try {
      sealed = await personal.seal(ownerId, JSON.stringify({ to, subject, text } satisfies z.infer<typeof Words>))
    } catch (error) {
      if (error instanceof OrganisationErased) return
      throw error
    }
    const at = new Date(now())
    const row = { mail_id: mailId, owner_id: ownerId, state: 'waiting', sealed, put_at: at, attempts: 0 } as const
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('mail.outbox')
      .values({ ...row, next_attempt_at: at, because: null, ended_at: null })
      .onConflict((conflict) => conflict.column('mail_id').doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows === 1n) await sql`select pg_notify(${MAIL_CHANNEL}, '')`.execute(db)
  },
})

/** A mail that waits, as it will be sent. */
export type Waiting = { readonly row: Readonly<MailRow>; readonly mail: Mail }

/** What the rows say; undefined where the owner's key is destroyed. */
const openedRows = async (
  rows: readonly MailRow[],
  { open }: Pick<PersonalData, 'open'>,
): Promise<readonly { readonly row: MailRow; readonly mail: Mail | undefined }[]> => {
  const texts = await open(rows.map(({ sealed }) => sealed ?? ERASED))
  return rows.map((row, n) => {
    const text = texts[n]
    if (text === undefined || text === ERASED) return { row, mail: undefined }
    return { row, mail: { mailId: row.mail_id, ownerId: row.owner_id, ...Words.parse(JSON.parse(text)) } }
  })
}

/**
 * Takes the mails whose time has come, those that waited longest first, and moves the next attempt of each on before it
 * is made: a sender that dies with one in hand does not come back to it at once, and never forgets it.
 *
 * @param options.againAt when the next attempt is made if nothing more is heard of this one
 */
export const takeDue = async (
  db: MailDb,
  personal: Pick<PersonalData, 'open'>,
  { now, againAt, limit }: { readonly now: Date; readonly againAt: Date; readonly limit: number },
): Promise<readonly Waiting[]> => {
  const rows = await db
    .updateTable('mail.outbox')
    .set({ next_attempt_at: againAt, attempts: sql`attempts + 1` })
    .where('mail_id', 'in', (eb) =>
      eb
        .selectFrom('mail.outbox')
        .select('mail_id')
        .where('state', '=', 'waiting')
        .where('next_attempt_at', '<=', now)
        .orderBy('next_attempt_at')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .execute()
  const found = await openedRows(rows, personal)
  const erased = found.flatMap(({ row, mail }) => (mail === undefined ? [row.mail_id] : []))
  if (erased.length > 0) await db.deleteFrom('mail.outbox').where('mail_id', 'in', erased).execute()
  return found.flatMap(({ row, mail }) => (mail === undefined ? [] : [{ row, mail }]))
}

type Ended = { readonly state: 'sent' } | { readonly state: 'dead'; readonly because: string }

/** Ends a mail's waiting. What it said goes with it when it is sent. */
export const end = async (db: MailDb, mailId: string, ended: Ended, at: Date): Promise<void> => {
  const words = ended.state === 'sent' ? { sealed: null, because: null } : { because: ended.because }
  await db
    .updateTable('mail.outbox')
    .set({ state: ended.state, ended_at: at, ...words })
    .where('mail_id', '=', mailId)
    .execute()
}

/** Writes down why an attempt failed, and when the next one is made. */
export const putOff = async (db: MailDb, mailId: string, because: string, until: Date): Promise<void> => {
  await db.updateTable('mail.outbox').set({ because, next_attempt_at: until }).where('mail_id', '=', mailId).execute()
}

/** Forgets mails that ended before. */
export const pruneMails = async (db: MailDb, before: Date): Promise<void> => {
  await db.deleteFrom('mail.outbox').where('ended_at', '<', before).execute()
}

/** A mail that is not sent, as an operator sees it; null where its owner is erased. */
export type Listed = {
  readonly row: Readonly<Omit<MailRow, 'sealed'>>
  readonly mail: Mail | undefined
}

/** Mails that wait or were given up, oldest first. */
export const listMails = async (
  db: MailDb,
  personal: Pick<PersonalData, 'open'>,
  { limit, mailId }: { readonly limit: number; readonly mailId?: string | undefined },
): Promise<readonly Listed[]> => {
  const rows = await db
    .selectFrom('mail.outbox')
    .selectAll()
    .where('state', '!=', 'sent')
    .$if(mailId !== undefined, (it) => it.where('mail_id', '=', mailId ?? ''))
    .orderBy('put_at')
    .orderBy('mail_id')
    .limit(limit)
    .execute()
  return openedRows(rows, personal)
}

/**
 * Lets a mail that is not sent be sent at once, with all its attempts before it.
 *
 * @returns whether there is such a mail
 */
export const retryMail = async (db: MailDb, mailId: string, now: Date): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('mail.outbox')
    .set({ state: 'waiting', attempts: 0, next_attempt_at: now, ended_at: null })
    .where('mail_id', '=', mailId)
    .where('state', '!=', 'sent')
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await sql`select pg_notify(${MAIL_CHANNEL}, '')`.execute(db)
  return true
}
