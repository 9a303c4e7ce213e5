import { Kysely, PostgresDialect } from 'kysely'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { NOTICES, type NoticesDb, noticesMigrations } from '../../notices/migrations.ts'
import { teller } from '../../notices/teller.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import { ensureTables } from '../../read-store/tables.ts'
import type { Base, Part } from '../base.ts'

/** Puts mails about what happens to datastores. */
export const noticesPart = async ({ config, log, signal, store, ccxDb, personal, outbox }: Base): Promise<Part> => {
  const { db: readDb, pool } = ccxDb()
  const db: NoticesDb = new Kysely({ dialect: new PostgresDialect({ pool }) })
  await migrateToLatest(db, { schema: NOTICES, migrations: noticesMigrations })
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  const read = readDb.withSchema(READ_SCHEMA)
  const { http: { publicUrl } } = config
  const ended = teller({
    store: store(), db, pool, read, personal: await personal(), outbox: await outbox(), publicUrl, signal, log,
  })
  return { checks: { ccxDb: () => pool.query('select 1') }, ended }
}
