import { sql } from 'kysely'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../infra/read-store/connect.ts'
import { startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const connections = suite('connections to Postgres')
let server: Awaited<ReturnType<typeof startPostgres>> | undefined
connections.before(async () => {
  server = await startPostgres()
})
connections.after(() => server?.stop())

/** Ends every session of that name from the server's side, once there is one at work. */
const endSessions = async ({ db }: ReturnType<typeof connect<object>>, name: string): Promise<void> => {
  await until(async () => {
    const ended = sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = ${name} and state like 'active%'`
    return (await ended.execute(db)).rows.length > 0
  }, { withinMs: 20_000, what: 'a session at work' })
}

connections('that end in the middle of a query fail that query, and nothing else', async () => {
  const url = server?.url ?? ''
  const [used, other] = [connect<object>(url, { max: 1, name: 'used' }), connect<object>(url, { name: 'other' })]
  try {
    const query = sql`select pg_sleep(60)`.execute(used.db)
    const failure = query.then(() => 'none', (error: unknown) => String(error))
    await endSessions(other, 'used')
    assert.match(await failure, /terminat/)
    // Its end may not have been heard of yet when the next query is sent over it.
    const rows = await until(async () => (await sql`select 1 as n`.execute(used.db)).rows, {
      withinMs: 10_000,
      what: 'another connection',
    })
    assert.equal(rows, [{ n: 1 }])
  } finally {
    await Promise.all([used.close(), other.close()])
  }
})

connections.run()
