import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'

export type ReadStore<DB> = {
  readonly db: Kysely<DB>
  readonly pool: Pool
  /** Gives the connections back to the server. Done already: nothing. */
  readonly close: () => Promise<void>
}

export type ConnectOptions = {
  /** Connections at most; default 10. */
  readonly max?: number
  /** What the server shows as application_name; default `ccx`. */
  readonly name?: string
  /** Told of connections that break while idle. The pool replaces them by itself. */
  readonly onError?: (error: Error) => void
}

/**
 * A pool of connections to Postgres and Kysely over it. Nothing is connected until the first query.
 *
 * @param url `postgres://user:password@host:port/database`
 */
export const connect = <DB>(url: string, { max = 10, name = 'ccx', onError }: ConnectOptions = {}): ReadStore<DB> => {
  const pool = new Pool({ connectionString: url, max, application_name: name, connectionTimeoutMillis: 10_000 })
  // Without a listener a server that restarts would end the process (57P01 on an idle connection).
  pool.on('error', (error) => onError?.(error))
  // Nor does the pool listen to connections that are in use: the query that breaks with one says so itself.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await db.destroy()
    // Kysely leaves a pool alone that it has not used itself; its idle connections would hold the process for seconds.
    if (!pool.ended) await pool.end()
  }
  return { db, pool, close: () => (closing ??= close()) }
}
