import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { type AuditDb, eventsOf } from './events.ts'
import { goOn, nothingYet, type Story, TELLING } from './story.ts'

const STRIDE = 1_000
const DATASTORES_MAX = 100
const KEPT_MAX = 80
/** The last of them are all kept: most questions are about the present. */
const KEPT_LAST = 16

/** A story as it stood at a place, to go on from. */
type Kept = { readonly place: string; readonly story: Story }

export type Stories = {
  /**
   * A datastore's story up to and with a place.
   *
   * @param upTo as text that sorts; absent: as far as there is
   */
  readonly at: (datastoreId: string, upTo?: string) => Promise<Story>
}

/**
 * Stories of datastores, folded from the audit trail. Those of long histories are kept here and there on the way, for the
 * datastores that were asked for last, so that the next question about them reads only a part. What is kept never goes
 * stale: events do not change.
 *
 * @param options.stride after how many events a story is kept; default 1,000
 */
export const stories = ({ audit, catalogue, stride = STRIDE }: {
  readonly audit: AuditDb
  readonly catalogue: Catalogue
  readonly stride?: number
}): Stories => {
  const kept = new Map<string, readonly Kept[]>()

  const keep = (datastoreId: string, added: readonly Kept[]): void => {
    const all = [...(kept.get(datastoreId) ?? []), ...added].toSorted((a, b) => (a.place < b.place ? -1 : 1))
    const fewer = all.length > KEPT_MAX ? all.filter((_, n) => n % 2 === 1 || n >= all.length - KEPT_LAST) : all
    kept.delete(datastoreId)
    kept.set(datastoreId, fewer)
    const [oldest] = kept.keys()
    if (kept.size > DATASTORES_MAX && oldest !== undefined) kept.delete(oldest)
  }

  return {
    at: async (datastoreId, upTo) => {
      const from = (kept.get(datastoreId) ?? []).findLast(({ place }) => upTo === undefined || place <= upTo)
      const added: Kept[] = []
      let { story } = from ?? { story: nothingYet }
      let place = ''
      let count = 0
      for await (const events of eventsOf(audit, datastoreId, { after: from?.place, upTo, types: TELLING })) {
        for (const event of events) {
          story = goOn(catalogue, story, event).story
          place = sortablePosition(event.position)
          count += 1
          if (count % stride === 0) added.push({ place, story })
        }
      }
      // Whoever asks is likely to ask again about the same moment.
      if (count > stride / 10 && count % stride !== 0) added.push({ place, story })
      if (added.length > 0) keep(datastoreId, added)
      return story
    },
  }
}
