/** One message in hand. */
export type Taken = {
  /** Its time starts anew. */
  readonly extend: () => void
  readonly giveBack: () => void
  /** False once its time has run out: the broker has handed it to someone else, or will. */
  readonly held: () => boolean
}

/**
 * Counts the messages in hand, so that never more than `count` are. A place falls free when it is given back, or when
 * its time runs out, because then the broker hands the message out again and this reader no longer holds it.
 *
 * @param waitMs how long the broker waits for an acknowledgement
 * @param freed called whenever a place has fallen free
 */
export const places = (count: number, waitMs: number, freed: () => void) => {
  const timers = new Map<object, NodeJS.Timeout>()
  const take = (): Taken => {
    const place = {}
    const giveBack = (): void => {
      clearTimeout(timers.get(place))
      if (timers.delete(place)) freed()
    }
    const start = () => timers.set(place, setTimeout(giveBack, waitMs).unref())
    start()
    return {
      giveBack,
      held: () => timers.has(place),
      extend: () => {
        const timer = timers.get(place)
        if (timer === undefined) return
        clearTimeout(timer)
        start()
      },
    }
  }
  return {
    take,
    free: (): number => Math.max(0, count - timers.size),
  }
}

/** Wakes its one waiter. A ring that nobody waits for is remembered, so that no change is missed. */
export const bell = () => {
  let rung = false
  let wake = (): void => {}
  return {
    ring: (): void => {
      rung = true
      wake()
    },
    rings: async (): Promise<void> => {
      if (!rung) await new Promise<void>((resolve) => (wake = resolve))
      rung = false
    },
  }
}
