import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import type { EventStore } from '../../../domain/kernel/event-store.ts'
import type { PersonalData } from '../../../domain/kernel/sealed.ts'
import type { Instant } from '../../../domain/kernel/time.ts'
import { projections } from '../../../projections/index.ts'
import type { ReadSchema } from '../../../projections/schema.ts'
import { type AuthStore, authStore } from '../../auth/auth-store.ts'
import { type Config, required } from '../../config.ts'
import { esdbEventStore } from '../../event-store/esdb.ts'
import { connect } from '../../read-store/connect.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import { type ReadPosition, readPosition } from '../../read-store/position.ts'
import { masterKey } from '../../secrets/master-key.ts'
import { VAULT, vaultMigrations } from '../../secrets/migrations.ts'
import { personalData } from '../../secrets/personal-data.ts'
import { runningConfig } from './running.ts'

/** What an operator's command works on. */
export type Stores = {
  readonly config: Config
  readonly store: EventStore
  readonly pool: Pool
  readonly db: Kysely<ReadSchema>
  readonly auth: AuthStore
  readonly masterKey: Buffer
  readonly personal: PersonalData
  readonly position: ReadPosition
  readonly now: () => Instant
}

/**
 * Works on the stores of an instance that is up: whoever may read its state may do this.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @returns what `work` returns
 * @throws when the instance is not up, or its stores do not answer
 */
export const onStores = async <T>(stateDir: string | undefined, work: (stores: Stores) => Promise<T>): Promise<T> => {
  const config = await runningConfig(stateDir)
  const now = () => new Date().toISOString()
  const url = required(config.ccxDbUrl, 'CCX_DB_URL')
  const { pool, db, close } = connect<ReadSchema>(url, { name: 'ccx-cli' })
  const store = esdbEventStore({ connectionString: config.eventStoreUrl })
  const position = readPosition({ url, names: projections.map(({ name }) => name) })
  try {
    const auth = authStore({ pool, now })
    await auth.migrate()
    await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
    const key = await masterKey(required(config.masterKeyFile, 'MASTER_KEY_FILE'))
    const personal = personalData({ pool, masterKey: key })
    return await work({ config, store, pool, db, auth, masterKey: key, personal, position, now })
  } finally {
    await position.close()
    await store.close()
    await close()
  }
}
