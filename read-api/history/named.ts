import type { PersonalData } from '../../domain/kernel/sealed.ts'
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
  const found: Named[] = []
  for (let place = ''; ; ) {
    const rows = await audit
      .selectFrom('audit.entries')
      .select(['position', 'event'])
      .where('type', '=', 'DatastoreCreated')
      .where('position', '>', place)
      .orderBy('position')
      .limit(PAGE)
      .execute()
    const begun = knownOf(rows).filter((event) => event.type === 'DatastoreCreated')
    const names = await open(begun.map(({ data }) => data.spec.name))
    for (const [n, beginning] of begun.entries()) {
      if (names[n] === text) found.push(await named(audit, beginning.data.datastoreId, beginning))
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return found
    place = last.position
  }
}
