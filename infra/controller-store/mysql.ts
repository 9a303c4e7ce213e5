import { Kysely, Migrator, MysqlDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import type { ControllerStore } from './controller-store.ts'
import { clusterTables } from './clusters.ts'
import { journalTables } from './journal.ts'
import { migrations } from './migrations.ts'
import type { ControllerDb } from './schema.ts'

const ATTEMPTS_MAX = 5
const CONNECT_TIMEOUT_MS = 10_000

/** Asks the database, under a name for what is asked. Undone for another session's sake, it is asked again. */
export type Asking = <T>(what: string, question: (db: Kysely<ControllerDb>) => Promise<T>) => Promise<T>

/**
 * CMON DB on MariaDB or MySQL. Nothing is connected until the first question.
 *
 * @param options.url `mysql://user:password@host:port/database`
 * @param options.connectionsMax default 10
 */
export const controllerStore = ({
  url,
  connectionsMax = 10,
}: {
  readonly url: string
  readonly connectionsMax?: number
}): ControllerStore => {
  const pool = createPool({
    uri: url,
    timezone: 'Z',
    connectionLimit: connectionsMax,
    connectTimeout: CONNECT_TIMEOUT_MS,
    supportBigNumbers: true,
  })
  const database = new Kysely<ControllerDb>({ dialect: new MysqlDialect({ pool }) })
  const asking: Asking = async (what, question) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await question(database)
      } catch (cause) {
        if (attempt === ATTEMPTS_MAX || !isContention(cause)) throw new Error(`CMON DB could not ${what}`, { cause })
      }
    }
  }
  let closing: Promise<void> | undefined
  return {
    migrate: () => asking('bring its schema up to date', migrate),
    ...clusterTables(asking),
    ...journalTables(asking),
    ping: async () => {
      await asking('answer', (db) => sql`select 1`.execute(db))
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
