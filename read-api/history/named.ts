import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { KnownEvent } from '../../projections/known-event.ts'
import type { Chronicled } from './chronicle.ts'
import { type AuditDb, beginningOf, knownOf } from './events.ts'

const PAGE = 1_000

/** A datastore that has a name. */
export type Named = Chronicled & { readonly createdAt: string; readonly deletedAt: string | undefined }

const named = async (audit: AuditDb, datastoreId: string, beginning: Chronicled['beginning']): Promise<Named> => {
  const deleted = await audit
    .selectFrom('audit.entries')
    .select('at')
    .where('datastore_id', '=', datastoreId)
    .where('type', '=', 'DatastoreDeleted')
    .executeTakeFirst()
  return { datastoreId, beginning, createdAt: beginning.recordedAt, deletedAt: deleted?.at.toISOString() }
}

/** The names that events give to datastores. */
const namingsOf = (events: readonly KnownEvent[]): readonly { readonly datastoreId: string; readonly name: string }[] =>
  events.flatMap(({ type, data }) => {
    if (type === 'DatastoreCreated') return [{ datastoreId: data.datastoreId, name: data.spec.name }]
    if (type !== 'SettingsChanged' || data.settings.name === undefined) return []
    return [{ datastoreId: data.datastoreId, name: data.settings.name }]
  })

/**
 * The datastores of an installation that go, or went, by an id or a name. Names are sealed, so all of them are looked
 * through: for operators.
 */
export const datastoresNamed = async (
  audit: AuditDb,
  { open }: Pick<PersonalData, 'open'>,
  text: string,
): Promise<readonly Named[]> => {
  const known = await beginningOf(audit, text.toLowerCase())
  if (known !== undefined) return [await named(audit, known.data.datastoreId, known)]
  const found = new Set<string>()
  for (let place: string | undefined = ''; place !== undefined; ) {
    const rows: readonly { readonly position: string; readonly event: string }[] = await audit
      .selectFrom('audit.entries')
      .select(['position', 'event'])
      .where('type', 'in', ['DatastoreCreated', 'SettingsChanged'])
      .where('position', '>', place)
      .orderBy('position')
      .limit(PAGE)
      .execute()
    const namings = namingsOf(knownOf(rows))
    const names = await open(namings.map(({ name }) => name))
    for (const [n, { datastoreId }] of namings.entries()) if (names[n] === text) found.add(datastoreId)
    place = rows.length < PAGE ? undefined : rows.at(-1)?.position
  }
  const begun = await Promise.all([...found].map((datastoreId) => beginningOf(audit, datastoreId)))
  return Promise.all(
    begun.flatMap((beginning) => (beginning === undefined ? [] : [named(audit, beginning.data.datastoreId, beginning)])),
  )
}
