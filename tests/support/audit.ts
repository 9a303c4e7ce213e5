import { generateKeyPairSync } from 'node:crypto'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { auditPosition } from '../../infra/audit/position.ts'
import { auditSigner } from '../../infra/audit/signer.ts'
import { type SigningKey, signingKey } from '../../infra/audit/signing-key.ts'
import { type AuditWriterOptions, auditWriter } from '../../infra/audit/writer.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { auditMigrations } from '../../projections/audit-migrations.ts'
import { AUDIT_SCHEMA } from '../../projections/audit-schema.ts'
import type { emptyReadStore } from './read-store.ts'
import { until } from './until.ts'

const CATCH_UP_MS = 60_000

/** A key that nothing was signed with yet. */
export const newSigningKey = (): SigningKey =>
  signingKey(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())

/** The audit trail at work beside a store: its writer and its signer. */
export const startAudit = async (
  store: EventStore,
  readStore: Pick<Awaited<ReturnType<typeof emptyReadStore>>, 'db' | 'pool'>,
  { key = newSigningKey(), everyMs = 20, now = () => new Date().toISOString(), ...more }: {
    readonly key?: SigningKey
    readonly everyMs?: number
    readonly now?: () => string
  } & Partial<Pick<AuditWriterOptions, 'batchMax'>> = {},
) => {
  await migrateToLatest(readStore.db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
  const stopping = new AbortController()
  const { signal } = stopping
  const complaints: string[] = []
  const complain = (fields: object, message: string): void => {
    complaints.push('err' in fields ? `${message}: ${String(fields.err)}` : message)
  }
  const log = { info: () => undefined, warn: complain, error: complain }
  const signer = auditSigner({ store, key, now, signal, log, everyMs })
  const written = auditWriter({ store, readStore, signal, log, onGrown: signer.note, ...more })
  const waitFor = auditPosition(readStore.pool)
  const unsigned = async (): Promise<boolean> => {
    const { rowCount } = await readStore.pool.query(
      `select 1 from audit.chains c where size > coalesce(
         (select max(size) from audit.checkpoints p where p.organisation_id = c.organisation_id), 0)`,
    )
    return rowCount !== 0
  }
  return {
    waitFor,
    complaints: (): readonly string[] => complaints,
    /** Resolves once everything that is in the log is in the trail, and signed. */
    settled: async (): Promise<void> => {
      const head = await store.head()
      if (head !== 'start' && !(await waitFor(head, CATCH_UP_MS))) throw new Error(`the trail stays behind: ${complaints.join()}`)
      await until(async () => !(await unsigned()), { withinMs: CATCH_UP_MS, what: 'every chain being signed' })
    },
    stop: async (): Promise<void> => {
      stopping.abort()
      await Promise.all([written, signer.ended])
    },
  }
}

export type RunningAudit = Awaited<ReturnType<typeof startAudit>>
