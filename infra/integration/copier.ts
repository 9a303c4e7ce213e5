import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type EventStore, type NewEvent, type Revision, RevisionConflict } from '../../domain/kernel/event-store.ts'
import { placeOf } from '../../projections/feed-position.ts'
import { cloudEventOf } from '../../projections/public-events/cloud-event.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type FeedEntry, feedEnd, feedPage } from '../../read-api/feed-page.ts'
import type { FeedTail } from '../../read-api/feed-stream.ts'
import type { Log } from '../telemetry/logger.ts'

/** Events of one append. */
const PAGE = 100
/** Looked at anew so often, whether or not anything is known to have come. */
const ROUND_MS = 5_000

const Copied = z.object({ cursor: z.string() })

/** How far a stream has come: the place in the feed of its last event, and its revision. */
type Reached = { readonly place: string; readonly revision: Revision }

export type Copier = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  /** With the schema of the read models. */
  readonly db: Kysely<ReadSchema>
  readonly tail: FeedTail
  /** What clients call the installation. */
  readonly publicUrl: string
  readonly signal: AbortSignal
  readonly log: Pick<Log, 'info' | 'warn'>
}

/** The stream of an organisation's public events, and the login of the user who may read it. */
export const integrationStream = (organisationId: string): string => `integration-${organisationId}`

const copyOf = (entry: FeedEntry, publicUrl: string): NewEvent => {
  const { id, type, organisation_id: organisationId } = entry
  const actor = { kind: 'system', id: 'integration' } as const
  const metadata = { commandId: id, correlationId: id, causationId: id, actor, organisationId }
  return { id, type, data: cloudEventOf(entry, publicUrl), metadata }
}

/** @throws when the stream's last event is not one that was copied here */
const reachedBy = async ({ store }: Copier, organisationId: string): Promise<Reached> => {
  const stream = integrationStream(organisationId)
  const { events, revision } = await store.read(stream, { backward: true, limit: 1 })
  const [last] = events
  if (last === undefined) return { place: '', revision }
  const place = placeOf(Copied.parse(last.data).cursor)
  if (place === undefined) throw new Error(`BUG: the last event of ${stream} has no place in the feed`)
  return { place, revision }
}

/** Copies what has come since, in its order. What was copied already is recognised by the store. */
const copy = async (copier: Copier, organisationId: string, from: Reached): Promise<Reached> => {
  const { store, db, publicUrl, signal } = copier
  let { place, revision } = from
  for (let more = true; more && !signal.aborted; ) {
    const page = await feedPage(db, { organisationId, after: place, limit: PAGE })
    const last = page.entries.at(-1)
    if (last === undefined) break
    const events = page.entries.map((entry) => copyOf(entry, publicUrl))
    revision = (await store.append(integrationStream(organisationId), events, { expected: revision })).revision
    place = last.position
    more = page.more
  }
  return { place, revision }
}

/**
 * Copies the public events of every organisation whose stream is open into that stream, in the order of the feed, each
 * once. How far it has come the streams say themselves, so it can be stopped anywhere and run twice.
 *
 * @returns when `signal` aborts
 */
export const copyPublicEvents = async (copier: Copier): Promise<void> => {
  const { db, tail, signal } = copier
  const reached = new Map<string, Reached>()
  const trouble = troubles(copier)

  const concerned = async (since: string): Promise<readonly string[]> => {
    const open = await db.selectFrom('event_streams').select('organisation_id').where('open', '=', true).execute()
    const known = open.map((row) => row.organisation_id)
    if (known.every((id) => !reached.has(id))) return known
    const news = db.selectFrom('feed').select('organisation_id').distinct().where('position', '>', since)
    const told = new Set((await news.execute()).map((row) => row.organisation_id))
    return known.filter((id) => !reached.has(id) || told.has(id))
  }
  const bring = async (organisationId: string): Promise<void> => {
    const from = reached.get(organisationId) ?? (await reachedBy(copier, organisationId))
    // Taken up from the stream should this fail, for what was appended is not known then.
    reached.delete(organisationId)
    reached.set(organisationId, await copy(copier, organisationId, from))
  }

  let since = ''
  while (!signal.aborted) {
    await trouble.around('all', async () => {
      const end = await feedEnd(db)
      for (const organisationId of await concerned(since)) {
        if (!signal.aborted) await trouble.around(organisationId, () => bring(organisationId))
      }
      since = end
    })
    await tail.wait({ organisationId: undefined, after: since, withinMs: ROUND_MS, signal })
  }
}

/** Keeps the trouble with one stream from the others, and tells of its beginning and its end. */
const troubles = ({ log }: Pick<Copier, 'log'>) => {
  const failing = new Set<string>()
  return {
    around: async (organisationId: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work()
        if (failing.delete(organisationId)) log.info({ organisationId }, 'public events are copied again')
      } catch (err) {
        // Two copiers get in each other's way now and then, and both are right.
        if (err instanceof RevisionConflict || failing.has(organisationId)) return
        failing.add(organisationId)
        log.warn({ err, organisationId }, 'public events cannot be copied into their stream')
      }
    },
  }
}
