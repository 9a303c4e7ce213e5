import { randomBytes } from 'node:crypto'
import { authenticator } from '../../command-handlers/auth/authenticator.ts'
import { authEndpoints } from '../../command-handlers/auth/endpoints.ts'
import { rolesIn } from '../../command-handlers/organisations/membership.ts'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { type AuthStore, authStore } from '../../infra/auth/auth-store.ts'
import { directory } from '../../infra/auth/directory.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { connect, type ReadStore } from '../../infra/read-store/connect.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { projector } from '../../infra/read-store/projector.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keptLog } from './log.ts'
import { startPostgres } from './postgres.ts'
import { type Rest, startRest } from './rest.ts'

export type AuthService = {
  readonly rest: Rest
  readonly store: EventStore
  readonly auth: AuthStore
  readonly personal: PersonalData
  readonly now: () => string
  /** Lets time pass, for the service alone. */
  readonly advance: (ms: number) => void
  /** What the service has logged. */
  readonly lines: readonly string[]
  /** Everything that the schema `auth` holds, as text. */
  readonly kept: () => Promise<string>
  readonly close: () => Promise<void>
}

/** What other calls beside those of the service may stand on. */
export type AuthStores = Pick<AuthService, 'store' | 'auth' | 'personal' | 'now'> & {
  readonly readStore: ReadStore<ReadSchema>
  readonly masterKey: Buffer
}

/**
 * The authentication service as it runs, over a real Postgres with its real projections; only the event store is in
 * memory.
 *
 * @param more other calls behind the same authentication
 */
export const startAuthService = async (
  more: (stores: AuthStores) => Promise<readonly Endpoint[]> = async () => [],
): Promise<AuthService> => {
  const postgres = await startPostgres()
  const readStore = connect<ReadSchema>(postgres.url)
  await ensureTables(readStore.pool, { schema: READ_SCHEMA, projections })
  let aheadMs = 0
  const now = () => new Date(Date.now() + aheadMs).toISOString()
  const auth = authStore({ pool: readStore.pool, now })
  await auth.migrate()
  const store = memoryEventStore()
  const until = new AbortController()
  const { log, lines } = keptLog()
  const projecting = projector({ store, readStore, projections, signal: until.signal, log })
  const position = readPosition({ url: postgres.url })
  await migrateToLatest(readStore.db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  const personal = personalData({ pool: readStore.pool, masterKey })
  const found = directory({ db: readStore.db, personal })
  const roleIn = rolesIn(store)
  const { sessions, credentials, attempts } = auth
  const own = await more({ store, readStore, masterKey, personal, auth, now })
  const rest = await startRest(
    [...own, ...authEndpoints({
      store,
      directory: found,
      credentials,
      sessions,
      attempts,
      personal,
      now,
      secure: false,
      traceparent: () => undefined,
    })],
    { authenticate: authenticator({ sessions, directory: found, roleIn }), roleIn, waitFor: position.waitFor, log },
  )
  const kept = async () => {
    const tables = ['credentials', 'sessions', 'attempts'].map(
      (name) => `select row_to_json(t)::text as row from auth.${name} t`,
    )
    const { rows } = await readStore.pool.query(tables.join(' union all '))
    return JSON.stringify(rows)
  }
  return {
    rest,
    store,
    auth,
    personal,
    now,
    advance: (ms) => {
      aheadMs += ms
    },
    lines,
    kept,
    close: async () => {
      await rest.close()
      until.abort()
      await projecting
      await position.close()
      await readStore.close()
      await postgres.stop()
    },
  }
}
