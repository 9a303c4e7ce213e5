import { setTimeout as pause } from 'node:timers/promises'
import { sql, type Kysely, type Migration, type MigrationResultSet, Migrator } from 'kysely'

const ATTEMPTS_MAX = 100
const RETRY_MS = 20
/** A table, or the schema it was in, is gone (PostgreSQL manual, appendix A). */
const GONE: readonly unknown[] = ['42P01', '3F000']

/**
 * The migrator looks at the tables of every schema, by name after name; one that is dropped meanwhile, as when read
 * models are swapped, makes it fail before it has begun.
 */
const insisted = async (migrate: () => Promise<MigrationResultSet>): Promise<MigrationResultSet> => {
  for (let attempt = 1; ; attempt++) {
    const found = await migrate()
    const { error, results } = found
    const isLost = error instanceof Error && 'code' in error && GONE.includes(error.code)
    if (!isLost || results !== undefined || attempt === ATTEMPTS_MAX) return found
    await pause(RETRY_MS)
  }
}

/** Steps of a schema by name; they run in the order of their names, each once. */
export type Migrations = Readonly<Record<string, Migration>>

/**
 * Brings a schema up to date, making it when it is absent. Processes may race: one migrates, the others wait and find
 * it done.
 *
 * @param options.schema where the tables live; the record of what has run lives there too
 * @param options.migrations every step there has ever been, so that a step is never renamed or removed
 * @returns the names of the steps that ran
 * @throws when a step fails; what ran in this call is rolled back
 */
export const migrateToLatest = async <DB>(
  db: Kysely<DB>,
  { schema, migrations }: { readonly schema: string; readonly migrations: Migrations },
): Promise<readonly string[]> => {
  // Two sessions that make the same schema at once collide in the catalogue even with "if not exists".
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`ccx migrate ${schema}`}, 0))`.execute(trx)
    await trx.schema.createSchema(schema).ifNotExists().execute()
  })
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableSchema: schema,
  })
  const { error, results } = await insisted(() => migrator.migrateToLatest())
  if (error !== undefined) {
    const failed = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'before any step'
    throw new Error(`schema ${schema} cannot be brought up to date (${failed})`, { cause: error })
  }
  return (results ?? []).map(({ migrationName }) => migrationName)
}
