import type { Log } from '../log.ts'
import { resolved } from '../links.ts'
import type { Placed } from './engine.ts'
import type { Message } from './message.ts'
import { ownStream } from './own-stream.ts'

const LINK_TYPE = '$>'

/** The events that a group has put aside: links in a stream of their own. */
export type Parking = {
  readonly load: () => Promise<void>
  /** Resolves when the link is durable. */
  readonly park: (message: Message, reason: string, nowMs: number) => Promise<void>
  /** The next of those that were not sent again yet, up to but not with `stopAt`. Each is given out once. */
  readonly take: (stopAt: number, max: number) => Promise<readonly Placed[]>
  readonly count: () => number
  /** What lies before this revision has been dealt with: it is not read again. */
  readonly truncate: (before: number) => Promise<void>
  readonly forget: () => Promise<void>
}

export const parkingOf = (log: Log, key: string): Parking => {
  const stream = ownStream(log, `$persistentsubscription-${key}-parked`)
  let truncatedBefore = 0
  let taken = 0
  let next = 0
  const truncate = async (before: number): Promise<void> => {
    if (before <= truncatedBefore) return
    const was = truncatedBefore
    truncatedBefore = before
    try {
      await stream.keep({ $tb: before })
    } catch (error) {
      truncatedBefore = was
      throw error
    }
  }
  return {
    load: async () => {
      const [{ truncateBefore = 0 }, head] = await Promise.all([
        log.metadataOf(stream.name), log.storage.headOf(stream.name),
      ])
      next = (head?.revision ?? -1) + 1
      truncatedBefore = truncateBefore === 'deleted' ? next : Math.min(truncateBefore, next)
      taken = truncatedBefore
    },
    park: async ({ event, original }, reason, nowMs) => {
      const data = event === undefined ? original.data.toString() : `${event.revision}@${event.stream}`
      const added = new Date(nowMs).toISOString()
      const metadata = JSON.stringify({ added, reason, subscriptionEventNumber: original.revision })
      const revision = await stream.append({ type: LINK_TYPE, contentType: 'application/octet-stream', data, metadata })
      next = Math.max(next, revision + 1)
    },
    take: async (stopAt, max) => {
      const count = Math.min(stopAt, next) - taken
      if (count <= 0) return []
      const links = await log.storage.scanStream(stream.name, taken, Math.min(max, count), false)
      const events = await Promise.all(links.map(async (link) => {
        const { event } = await resolved(log, link)
        return { place: link.revision, original: link, event }
      }))
      taken += links.length
      return events
    },
    count: () => next - taken,
    truncate,
    forget: stream.remove,
  }
}
