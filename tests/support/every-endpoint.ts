import { randomBytes } from 'node:crypto'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import { readConfig } from '../../infra/config.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import type { Base } from '../../infra/main/base.ts'
import { authServiceCalls, restCalls } from '../../infra/main/parts/calls.ts'
import { mailDb, outbox } from '../../infra/mail/outbox.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { startMetrics } from '../../infra/telemetry/metrics.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keptLog } from './log.ts'
import { startPostgres } from './postgres.ts'

/**
 * Every call that the services answer, wired as they are: over a real Postgres with empty read models, and an event store
 * in memory.
 */
export const everyEndpoint = async (): Promise<{
  readonly endpoints: readonly Endpoint[]
  readonly close: () => Promise<void>
}> => {
  const postgres = await startPostgres()
  const readStore = connect<ReadSchema>(postgres.url)
  const { db, pool } = readStore
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  const personal = personalData({ pool, masterKey })
  const secrets = sealedSecrets({ pool, masterKey })
  const now = () => new Date().toISOString()
  const mails = outbox({ db: await mailDb(pool), personal, now })
  const store = { ...memoryEventStore(), ping: async () => undefined }
  const position = readPosition({ url: postgres.url })
  const until = new AbortController()
  const metrics = startMetrics({ service: 'test' })
  const unused = () => Promise.reject(new Error('BUG: nothing is called here'))
  const base: Base = {
    service: 'test',
    config: readConfig({}),
    log: keptLog().log,
    metrics: metrics.metrics,
    metricsHandler: metrics.metricsHandler,
    signal: until.signal,
    now,
    store: () => store,
    storeUsers: () => ({
      distinguishes: false, reserve: unused, ensureUser: unused, removeUser: unused, grantRead: unused, retain: unused,
      close: async () => undefined,
    }),
    messaging: unused,
    questions: () => ({ ask: unused, serve: unused, close: async () => undefined }),
    ccxDb: () => readStore,
    readPosition: () => position,
    secrets: async () => secrets,
    personal: async () => personal,
    outbox: async () => mails,
  }
  const endpoints = (await Promise.all([...authServiceCalls, ...restCalls].map((calls) => calls(base)))).flat()
  return {
    endpoints,
    close: async () => {
      until.abort()
      await position.close()
      await readStore.close()
      await metrics.stop()
      await postgres.stop()
    },
  }
}
