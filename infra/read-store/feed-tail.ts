import type { Kysely } from 'kysely'
import { feedPositionAfter } from '../../projections/feed-position.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import type { FeedTail } from '../../read-api/feed-stream.ts'
import type { ReadPosition } from './position.ts'

/** New rows that are looked at to see whom they concern; where there are more, everybody is woken. */
const ROWS_MAX = 5_000
const WAIT_MS = 10_000
/** The database may have less than is known here: it has just come back, or the feed is being made anew. */
const AGAIN_MS = 50

type Waiter = { readonly organisationId: string | undefined; readonly after: string; readonly settle: () => void }

/**
 * Wakes those who wait for the feed: all of a process are served by one listening connection and, for each advance of
 * the read models, one question about whom it concerns.
 *
 * @param options.position of the read models
 * @param options.onError told when that question fails; everybody is woken then, and looks for himself
 */
export const feedTail = ({ db, position, onError }: {
  readonly db: Kysely<ReadSchema>
  readonly position: Pick<ReadPosition, 'waitFor' | 'known'>
  readonly onError?: (error: unknown) => void
}): FeedTail => {
  const read = db.withSchema(READ_SCHEMA)
  const waiters = new Set<Waiter>()
  let seen = ''
  let following = false

  /** Whom the rows up to a place concern; undefined: too many to say. */
  const concerned = async (upTo: string): Promise<ReadonlySet<string> | undefined> => {
    const rows = await read
      .selectFrom('feed')
      .select('organisation_id')
      .where('position', '>', seen)
      .where('position', '<=', upTo)
      .limit(ROWS_MAX)
      .execute()
    return rows.length === ROWS_MAX ? undefined : new Set(rows.map((row) => row.organisation_id))
  }

  const wake = async (): Promise<void> => {
    const upTo = feedPositionAfter(position.known())
    if (upTo <= seen) return
    const organisations = await concerned(upTo).catch((error: unknown) => onError?.(error))
    seen = upTo
    for (const { organisationId, after, settle } of waiters) {
      const isConcerned =
        organisations === undefined ||
        (organisationId === undefined ? organisations.size > 0 : organisations.has(organisationId))
      if (isConcerned && after < upTo) settle()
    }
  }

  /** As long as somebody waits. */
  const follow = async (): Promise<void> => {
    following = true
    while (waiters.size > 0) {
      const known = position.known()
      const { commit, prepare } = known === 'start' ? { commit: 0n, prepare: -1n } : known
      // A closed position answers at once, for ever.
      const began = performance.now()
      const advanced = await position.waitFor({ commit, prepare: prepare + 1n }, WAIT_MS)
      if (!advanced && performance.now() - began < WAIT_MS / 2) break
      await wake()
    }
    following = false
  }

  return {
    wait: ({ organisationId, after, withinMs, signal }) => {
      if (!following) seen = feedPositionAfter(position.known())
      if (signal.aborted) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiter: Waiter = {
        organisationId,
        after,
        settle: () => {
          clearTimeout(limit)
          signal.removeEventListener('abort', waiter.settle)
          waiters.delete(waiter)
          resolve()
        },
      }
      const limit = setTimeout(waiter.settle, seen > after ? Math.min(withinMs, AGAIN_MS) : withinMs)
      signal.addEventListener('abort', waiter.settle, { once: true })
      waiters.add(waiter)
      if (!following) void follow()
      return promise
    },
  }
}
