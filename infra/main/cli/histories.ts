import type { JsonValue } from '../../../domain/kernel/json.ts'
import { AUDIT_SCHEMA, type AuditSchema } from '../../../projections/audit-schema.ts'
import { auditMigrations } from '../../../projections/audit-migrations.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { type Chronicle, type Chronicled, chronicle } from '../../../read-api/history/chronicle.ts'
import type { AuditDb } from '../../../read-api/history/events.ts'
import { datastoresNamed, type Named } from '../../../read-api/history/named.ts'
import type { ActorReply } from '../../../read-api/history/replies.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import { onStores, type Stores } from './stores.ts'

const VALUE_SHOWN = 60

/** A text may be a tenant's; a terminal must not be told what to do by it. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?')

/** A value in one line, or the beginning of it. */
export const valueText = (value: JsonValue): string => {
  const text = value === null ? '—' : printable(JSON.stringify(value))
  return text.length > VALUE_SHOWN ? `${text.slice(0, VALUE_SHOWN)}…` : text
}

/** Who acted, as people call him. */
export const actorText = ({ kind, id, login, client_id: clientId, role }: ActorReply): string => {
  const how = [kind, ...(role === null || role === kind ? [] : [role]), ...(clientId === null ? [] : [`client ${clientId}`])]
  return printable(`${login ?? id} (${how.join(', ')})`)
}

/** How long after the beginning something was, as `+ 12.345 s`. */
export const sinceText = (beginning: string, at: string): string =>
  `+${((Date.parse(at) - Date.parse(beginning)) / 1_000).toFixed(3).padStart(10)} s`

/**
 * The one datastore that is meant.
 *
 * @throws an error that lists those that may be meant
 */
export const theOne = (text: string, found: readonly Named[]): Named => {
  const living = found.filter(({ deletedAt }) => deletedAt === undefined)
  const [one] = living.length === 1 ? living : found
  if (one === undefined) throw new Error(`there is and was no datastore ${printable(text)}`)
  if (living.length === 1 || found.length === 1) return one
  const lines = found.map(
    ({ datastoreId, createdAt, deletedAt }) =>
      `  ${datastoreId}  since ${createdAt}${deletedAt === undefined ? '' : `, deleted ${deletedAt}`}`,
  )
  throw new Error([`${found.length} datastores go or went by ${printable(text)}; say which one by its id`, ...lines].join('\n'))
}

/**
 * The one datastore that goes, or went, by an id or a name.
 *
 * @throws an error that lists those that may be meant
 */
export const datastoreMeant = async (
  { db, personal }: Pick<Stores, 'db' | 'personal'>,
  text: string,
): Promise<{ readonly one: Named; readonly audit: AuditDb }> => {
  await migrateToLatest(db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
  const audit = db.withTables<AuditSchema>()
  return { one: theOne(text, await datastoresNamed(audit, personal, text)), audit }
}

/**
 * Looks into the history of a datastore of an instance that is up: whoever may read its state may do this.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @param text the datastore's id or name
 */
export const onHistory = (
  stateDir: string | undefined,
  text: string,
  work: (told: Chronicle, of: Chronicled, audit: AuditDb) => Promise<void>,
): Promise<void> =>
  onStores(stateDir, async ({ config, db, personal }) => {
    const { one, audit } = await datastoreMeant({ db, personal }, text)
    const catalogue = readCatalogue(config.catalogueFile)
    await work(chronicle({ db: db.withSchema(READ_SCHEMA), audit, catalogue, personal }), one, audit)
  })
