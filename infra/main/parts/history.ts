import { auditMigrations } from '../../../projections/audit-migrations.ts'
import { AUDIT_SCHEMA, type AuditSchema } from '../../../projections/audit-schema.ts'
import type { HistoryQueries } from '../../../read-api/history/past.ts'
import { auditPosition } from '../../audit/position.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import type { Base } from '../base.ts'

/** Where what was is found: in the audit trail, as far as the log has come. */
export const historyOf = async ({ store, ccxDb, now }: Pick<Base, 'store' | 'ccxDb' | 'now'>): Promise<HistoryQueries> => {
  const { db, pool } = ccxDb()
  await migrateToLatest(db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
  return { audit: db.withTables<AuditSchema>(), head: store().head, waitFor: auditPosition(pool), now }
}
