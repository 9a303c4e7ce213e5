import { asked } from './commands.ts'
import type { Doing } from './network.ts'
import type { Site } from './site.ts'
import { type Actor, actor } from './world.ts'
import { watch } from './watch.ts'
import { orderTaker } from './workers.ts'

const SLOT_TTL_MS = 5_000
const RENEW_MS = 1_000

/** A controller: carries orders out, and watches the datastore while that is its own. */
export const controller = (site: Site, name: string, clocks: { skewMs: number; drift: number }): { actor: Actor; live: () =>
  void } => {
  const { world, net, db } = site
  const own = actor(name, clocks)
  const owned = { untilMs: 0 }

  function* claims(): Doing<void> {
    for (;;) {
      // Before anything is sent: the database's own reckoning begins later.
      const validUntilMs = world.monotonic(own) + SLOT_TTL_MS
      const got = yield* asked(site, own, () => {
        const { slot } = db
        if (slot.owner !== name && slot.until > db.now()) return false
        slot.owner = name
        slot.until = db.now() + SLOT_TTL_MS
        return true
      })
      if (got !== undefined) owned.untilMs = got ? validUntilMs : 0
      yield* net.sleep(own, RENEW_MS)
    }
  }

  const live = (): void => {
    owned.untilMs = 0
    net.begin(own, claims())
    watch(site, own, () => world.monotonic(own) < owned.untilMs)
  }
  orderTaker(site, own)
  live()
  return { actor: own, live }
}
