import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, Migrator, MysqlDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import type { ControllerStore } from './controller-store.ts'
import { clusterTables } from './clusters.ts'
import { nodeLocks } from './exclusive.ts'
import { journalTables } from './journal.ts'
import { migrations } from './migrations.ts'
import type { ControllerDb } from './schema.ts'
import { slotTables } from './slots.ts'
import { standingTables } from './standing.ts'

const ATTEMPTS_MAX = 5
const CONNECT_TIMEOUT_MS = 10_000
const PATIENCE_MS = 15_000
const PAUSE_MS_MAX = 500

/**
 * Asks the database, under a name for what is asked. Undone for another session's sake, it is asked again; so it is for
 * a while when the database is away: its own restart must not cost an order one of its attempts.
 */
export type Asking = <T>(what: string, question: (db: Kysely<ControllerDb>) => Promise<T>) => Promise<T>

/**
 * CMON DB on MariaDB or MySQL. Nothing is connected until the first question.
 *
 * @param options.url `mysql://user:password@host:port/database`
 * @param options.connectionsMax default 10
 * @param options.patienceMs how long a database that is away is waited for; default 15,000
 */
export const controllerStore = ({
  url,
  connectionsMax = 10,
  patienceMs = PATIENCE_MS,
}: {
  readonly url: string
  readonly connectionsMax?: number
  readonly patienceMs?: number
}): ControllerStore => {
  const pool = createPool({
    uri: url,
    timezone: 'Z',
    connectionLimit: connectionsMax,
    connectTimeout: CONNECT_TIMEOUT_MS,
    supportBigNumbers: true,
  })
  const database = new Kysely<ControllerDb>({ dialect: new MysqlDialect({ pool }) })
  let closing: Promise<void> | undefined
  const askingFor =
    (waitMs: number): Asking =>
    async (what, question) => {
      const giveUpAtMs = performance.now() + waitMs
      let contentions = 0
      for (let attempt = 1; ; attempt++) {
        try {
          return await question(database)
        } catch (cause) {
          const contends = isContention(cause) && ++contentions < ATTEMPTS_MAX
          const isWorthWaiting = isAway(cause) && closing === undefined && performance.now() < giveUpAtMs
          if (!contends && !isWorthWaiting) throw new Error(`CMON DB could not ${what}`, { cause })
          if (!contends) await pause(Math.min(20 * 2 ** attempt, PAUSE_MS_MAX))
        }
      }
    }
  const asking = askingFor(patienceMs)
  return {
    migrate: () => asking('bring its schema up to date', migrate),
    ...clusterTables(asking),
    ...standingTables(asking),
    ...slotTables(asking),
    ...nodeLocks({ asking, url, connectTimeoutMs: CONNECT_TIMEOUT_MS }),
    ...journalTables(asking),
    ping: async () => {
      await askingFor(0)('answer', (db) => sql`select 1`.execute(db))
    },
    close: () => (closing ??= database.destroy()),
  }
}

const migrate = async (db: Kysely<ControllerDb>): Promise<void> => {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}

const CONTENTION: readonly unknown[] = ['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT']

const isContention = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && CONTENTION.includes(error.code)

const AWAY: readonly unknown[] = [
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST', 'ER_SERVER_SHUTDOWN',
]

/** Whether the server cannot be reached, or went while it was asked. */
const isAway = (error: unknown): boolean =>
  error instanceof Error && (('code' in error && AWAY.includes(error.code)) || error.message.includes('in closed state'))
