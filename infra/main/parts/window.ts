import { sendingAdmitted } from '../../../command-handlers/datastore-tools.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { ensureTables } from '../../read-store/tables.ts'
import { windowClock } from '../../runners/window-clock.ts'
import type { Base, Part } from '../base.ts'
import { counted } from './counted.ts'

const INTERVAL_MS = 30_000
const PAUSE_MS = 2_000

/** Begins what waits for the datastores' maintenance windows. */
export const windowPart = async ({ store, ccxDb, metrics, now, signal, log }: Base): Promise<Part> => {
  const events = store()
  const { db, pool } = ccxDb()
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  const { send } = sendingAdmitted({ store: events, around: (sent) => counted(metrics, sent) })
  const ended = windowClock({
    store: events, db: db.withSchema(READ_SCHEMA), pool, send, now, signal, log, intervalMs: INTERVAL_MS, pauseMs: PAUSE_MS,
  })
  return { checks: { ccxDb: () => pool.query('select 1') }, ended }
}
