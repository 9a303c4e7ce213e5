import { type Kysely, type Migration, sql } from 'kysely'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest, type Migrations } from '../../infra/read-store/migrate.ts'
import { startPostgres } from '../support/postgres.ts'

const test = suite('migrations')
let server: Awaited<ReturnType<typeof startPostgres>> | undefined
test.before(async () => {
  server = await startPostgres()
})
test.after(() => server?.stop())

const stores = async (count: number, body: (dbs: readonly Kysely<object>[]) => Promise<void>): Promise<void> => {
  const url = server?.url ?? ''
  const opened = Array.from({ length: count }, () => connect<object>(url, { max: 2 }))
  try {
    await body(opened.map(({ db }) => db))
  } finally {
    await Promise.all(opened.map(({ close }) => close()))
  }
}

const making = (schema: string, table: string): Migration => ({
  up: (db) => db.schema.withSchema(schema).createTable(table).addColumn('n', 'integer').execute(),
})
const two: Migrations = { '0001-first': making('races', 'a'), '0002-second': making('races', 'b') }

test('processes that start together migrate once', () =>
  stores(6, async (dbs) => {
    const ran = await Promise.all(dbs.map((db) => migrateToLatest(db, { schema: 'races', migrations: two })))
    assert.equal(ran.flat().toSorted(), ['0001-first', '0002-second'])
  }))

test('a schema that is up to date is left alone', () =>
  stores(1, async ([db]) => {
    if (db === undefined) throw new Error('BUG: one was asked for')
    assert.equal(await migrateToLatest(db, { schema: 'races', migrations: two }), [])
  }))

test('a step that fails is named and leaves nothing behind', () =>
  stores(1, async ([db]) => {
    if (db === undefined) throw new Error('BUG: one was asked for')
    const migrations: Migrations = {
      '0001-good': making('breaks', 'a'),
      '0002-bad': { up: async (it) => void (await sql`select 1/0`.execute(it)) },
    }
    const failure = await migrateToLatest(db, { schema: 'breaks', migrations }).then(
      () => assert.unreachable(),
      (error: unknown) => error,
    )
    assert.match(String(failure), /^Error: schema breaks cannot be brought up to date \(0002-bad\)$/)
    const { rows } = await sql`select 1 from pg_tables where schemaname = 'breaks' and tablename = 'a'`.execute(db)
    assert.equal(rows, [])
  }))

test('a schema is brought up to date while tables of another come and go', () =>
  stores(2, async ([db, other]) => {
    if (db === undefined || other === undefined) throw new Error('BUG: two were asked for')
    let isOver = false
    const comeAndGo = async (): Promise<void> => {
      while (!isOver) {
        await sql`create schema passing`.execute(other)
        for (const name of ['a', 'b', 'c']) await sql`create table ${sql.table(`passing.${name}`)} (n integer)`.execute(other)
        await sql`drop schema passing cascade`.execute(other)
      }
    }
    const passing = comeAndGo()
    try {
      for (let n = 0; n < 30; n++) {
        const schema = `steady_${n}`
        assert.equal(await migrateToLatest(db, { schema, migrations: { '0001-a': making(schema, 'a') } }), ['0001-a'])
      }
    } finally {
      isOver = true
      await passing
    }
  }))

test.run()
