import { projections } from '../../../projections/index.ts'
import { readMigrations } from '../../../projections/migrations.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import { projector } from '../../read-store/projector.ts'
import type { Base, Part } from '../base.ts'

/** Keeps the read models up with the log. */
export const projectorPart = async ({ log, metrics, now, signal, store, ccxDb }: Base): Promise<Part> => {
  const events = store()
  const readStore = ccxDb()
  await migrateToLatest(readStore.db, { schema: READ_SCHEMA, migrations: readMigrations(READ_SCHEMA) })
  const ended = projector({
    store: events,
    readStore,
    projections,
    signal,
    log,
    onAdvanced: ({ commit }, last) => {
      // The store's clock may be ahead of ours.
      const lagMs = last === undefined ? 0 : Math.max(0, Date.parse(now()) - Date.parse(last.recordedAt))
      metrics.projector('all', { position: commit, lagSeconds: lagMs / 1_000 })
    },
  })
  return { checks: { eventStore: events.ping, ccxDb: () => readStore.pool.query('select 1') }, ended }
}
