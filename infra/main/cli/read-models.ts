import type { Pool } from 'pg'
import type { EventStore } from '../../../domain/kernel/event-store.ts'
import { required } from '../../config.ts'
import { esdbEventStore } from '../../event-store/esdb.ts'
import { connect } from '../../read-store/connect.ts'
import { runningConfig } from './running.ts'

/**
 * Works on the log and the read models of an instance that is up. Nothing is migrated: the release that is asked may be
 * another one than the instance runs.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @param name what the database shows as the name of the connection
 * @returns the command's exit code, as `work` gives it
 * @throws when the instance is not up, or its stores do not answer
 */
export const onReadModels = async (
  stateDir: string | undefined,
  name: string,
  work: (stores: { readonly store: EventStore; readonly pool: Pool }) => Promise<number>,
): Promise<number> => {
  const config = await runningConfig(stateDir)
  const { pool, close } = connect(required(config.ccxDbUrl, 'CCX_DB_URL'), { name })
  const store = esdbEventStore({ connectionString: config.eventStoreUrl })
  try {
    return await work({ store, pool })
  } finally {
    await store.close()
    await close()
  }
}
