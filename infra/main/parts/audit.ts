import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { auditMigrations } from '../../../projections/audit-migrations.ts'
import { AUDIT_SCHEMA } from '../../../projections/audit-schema.ts'
import { auditApi, auditDb } from '../../../read-api/audit/index.ts'
import { auditPosition } from '../../audit/position.ts'
import { sha256 } from '../../audit/sha256.ts'
import { auditSigner } from '../../audit/signer.ts'
import { signingKey } from '../../audit/signing-key.ts'
import { auditWriter } from '../../audit/writer.ts'
import { readSecretFile, required } from '../../config.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import type { Base, Part } from '../base.ts'

/** Writes the audit trail from the log, and signs its checkpoints. */
export const auditPart = async ({ config, log, metrics, now, signal, store, ccxDb }: Base): Promise<Part> => {
  const events = store()
  const readStore = ccxDb()
  await migrateToLatest(readStore.db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
  const key = signingKey(readSecretFile(required(config.auditKeyFile, 'AUDIT_KEY_FILE')))
  const signer = auditSigner({ store: events, key, now, signal, log })
  const written = auditWriter({
    store: events,
    readStore,
    signal,
    log,
    onGrown: signer.note,
    onAdvanced: ({ commit }, last) => {
      // The store's clock may be ahead of ours.
      const lagMs = last === undefined ? 0 : Math.max(0, Date.parse(now()) - Date.parse(last.recordedAt))
      metrics.projector('audit', { position: commit, lagSeconds: lagMs / 1_000 })
    },
  })
  return {
    checks: { eventStore: events.ping, ccxDb: () => readStore.pool.query('select 1') },
    ended: Promise.all([written, signer.ended]),
  }
}

/** The calls that read the audit trail. */
export const auditCalls = async ({ ccxDb, personal }: Base): Promise<readonly Endpoint[]> => {
  const { db, pool } = ccxDb()
  await migrateToLatest(db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
  return auditApi({ db: auditDb(db), personal: await personal(), sha256, waitFor: auditPosition(pool) })
}
