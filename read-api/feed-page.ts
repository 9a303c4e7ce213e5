import type { Kysely } from 'kysely'
import { feedPositionAfter } from '../projections/feed-position.ts'
import { feed } from '../projections/feed.ts'
import type { FeedRow, ReadSchema } from '../projections/schema.ts'

/** What of the feed is wanted. An absent member lets everything through. */
export type FeedFilter = {
  /** Whose; absent: everybody's, for operators. */
  readonly organisationId?: string | undefined
  /** Whole types, or the beginning of one and a star. */
  readonly types?: readonly string[] | undefined
  readonly subjects?: readonly string[] | undefined
}

export type FeedEntry = Omit<FeedRow, 'at'> & { readonly at: Date }

export type FeedPage = {
  readonly entries: readonly FeedEntry[]
  /** Where to go on: after the entries, and after all that was looked at and did not match. */
  readonly place: string
  /** Whether there is more to look at now. */
  readonly more: boolean
}

/** Rows that one question looks at when few of them may match: a rare type costs several short questions. */
const LOOKED_AT_MAX = 10_000

/** The end of the feed as it is now, as a place in it. */
export const feedEnd = async (db: Kysely<ReadSchema>): Promise<string> => {
  const row = await db
    .selectFrom('checkpoints')
    .select(['position_commit', 'position_prepare'])
    .where('projection', '=', feed.name)
    .executeTakeFirst()
  if (row === undefined) return ''
  return feedPositionAfter({ commit: BigInt(row.position_commit), prepare: BigInt(row.position_prepare) })
}

const latest = (...places: readonly (string | undefined)[]): string =>
  places.reduce<string>((last, place) => (place !== undefined && place > last ? place : last), '')

export type FeedQuestion = FeedFilter & { readonly after: string; readonly limit: number }

/**
 * As `feedPage`, where those who ask the same while it is being answered share the answer: many streams that have come
 * equally far are woken together.
 */
export const sharedFeedPage = (db: Kysely<ReadSchema>): ((question: FeedQuestion) => Promise<FeedPage>) => {
  const underWay = new Map<string, Promise<FeedPage>>()
  return ({ organisationId, types, subjects, after, limit }) => {
    const key = JSON.stringify([organisationId, types, subjects, after, limit])
    const asked = underWay.get(key)
    if (asked !== undefined) return asked
    const page = feedPage(db, { organisationId, types, subjects, after, limit }).finally(() => underWay.delete(key))
    underWay.set(key, page)
    return page
  }
}

/**
 * A part of the feed, in its order.
 *
 * @param db with the schema of the read models
 * @param options.after the place to go on from (`placeOf`)
 * @param options.limit entries at most
 */
export const feedPage = async (
  db: Kysely<ReadSchema>,
  { organisationId, types, subjects, after, limit }: FeedQuestion,
): Promise<FeedPage> => {
  const owned = db
    .selectFrom('feed')
    .where('position', '>', after)
    .$if(organisationId !== undefined, (it) => it.where('organisation_id', '=', organisationId ?? ''))
    .orderBy('position')
  // Asked first: whatever it has passed is there when the rows are read.
  const end = await feedEnd(db)
  // Subjects of an organisation have an index of their own.
  const isSearched = subjects === undefined ? types !== undefined : organisationId === undefined
  const looked = isSearched ? await owned.select('position').offset(LOOKED_AT_MAX - 1).limit(1).executeTakeFirst() : undefined
  const entries = await owned
    .selectAll()
    .$if(looked !== undefined, (it) => it.where('position', '<=', looked?.position ?? ''))
    .$if(types !== undefined, (it) =>
      it.where((where) => where.or((types ?? []).map((type) => where('type', 'like', pattern(type))))),
    )
    .$if(subjects !== undefined, (it) => it.where('subject', 'in', subjects ?? []))
    .limit(limit)
    .execute()
  const last = entries.at(-1)?.position
  if (entries.length === limit) return { entries, place: latest(after, last), more: true }
  if (looked !== undefined) return { entries, place: latest(after, looked.position), more: true }
  return { entries, place: latest(after, end, last), more: false }
}

/** A wanted type as SQL's `like` has it. */
const pattern = (type: string): string => {
  const literal = type.replaceAll(/[\\%_]/g, '\\$&')
  return literal.endsWith('*') ? `${literal.slice(0, -1)}%` : literal
}
