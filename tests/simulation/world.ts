import { type Chance, chance } from './random.ts'

/** Whoever takes part: a machine, a server, a controller, a store. Everything that happens, happens to one of them. */
export type Actor = {
  readonly name: string
  alive: boolean
  /** Counts its lives: what was meant for an earlier one is lost. */
  life: number
  paused: boolean
  /** What reached it while it was paused. */
  readonly backlog: { readonly life: number; readonly run: () => void }[]
  /** How far its wall clock is ahead, in milliseconds. */
  readonly skewMs: number
  /** How much faster its clocks go than time does. */
  readonly drift: number
  /** The machine that it runs on; what stops that stops this. */
  readonly on: Actor | undefined
}

type Happening = { readonly at: number; readonly turn: number; readonly run: () => void }

export type World = ReturnType<typeof world>

const NO_LINE = (): string => ''

/**
 * Virtual time: what is to happen lies in a queue, and time jumps from one happening to the next.
 *
 * @param seed of all chance in it
 * @param trace gets every line of what happens; left out: nobody reads it
 */
export const world = (seed: number, trace?: (line: string) => void) => {
  const queue = happenings()
  const random: Chance = chance(seed)
  let now = 0
  let turn = 0

  const at = (instant: number, run: () => void): void => queue.push({ at: Math.max(instant, now), turn: turn++, run })

  const isStill = (actor: Actor): boolean => actor.paused || (actor.on !== undefined && isStill(actor.on))
  const lives = (actor: Actor): boolean => actor.alive && (actor.on === undefined || lives(actor.on))

  /** Something reaches an actor of that life: now, or once it goes on, or never. */
  const reach = (actor: Actor, life: number, run: () => void): void => {
    if (actor.life !== life || !lives(actor)) return
    if (isStill(actor)) actor.backlog.push({ life, run })
    else run()
  }

  /** A timer of the actor's own, in milliseconds of its own clock. */
  const timer = (actor: Actor, ms: number, run: () => void): void => {
    const { life } = actor
    at(now + ms / (1 + actor.drift), () => reach(actor, life, run))
  }

  /** What waited for the actor happens now. */
  const goOn = (actor: Actor): void => {
    for (const { life, run } of actor.backlog.splice(0)) at(now, () => reach(actor, life, run))
  }

  return {
    random,
    now: (): number => now,
    at: (inMs: number, run: () => void): void => at(now + inMs, run),
    reach,
    timer,
    goOn,
    isStill,
    lives,
    traced: trace !== undefined,
    trace: (line: () => string = NO_LINE): void => trace?.(`${(now / 1000).toFixed(3).padStart(9)} ${line()}`),
    monotonic: (actor: Actor): number => now * (1 + actor.drift),
    wall: (actor: Actor): number => now + actor.skewMs,

    /** Lets time pass until `done`, or until `untilMs`. */
    run: (untilMs: number, done: () => boolean = () => false): void => {
      for (let next = queue.peek(); next !== undefined && next.at <= untilMs; next = queue.peek()) {
        queue.pop()
        now = next.at
        next.run()
        if (done()) return
      }
      now = untilMs
    },
  }
}

export const actor = (name: string, clocks: { skewMs?: number; drift?: number; on?: Actor } = {}): Actor => ({
  name, alive: true, life: 1, paused: false, backlog: [],
  skewMs: clocks.skewMs ?? 0, drift: clocks.drift ?? 0, on: clocks.on,
})

/** A heap: the earliest first, and of the same instant the one that was put in first. */
const happenings = () => {
  const heap: Happening[] = []
  const before = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.turn < b.turn)
  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]]
    if (one === undefined || other === undefined) return
    heap[a] = other
    heap[b] = one
  }
  const isBefore = (a: number, b: number): boolean => {
    const [one, other] = [heap[a], heap[b]]
    return one !== undefined && other !== undefined && before(one, other)
  }
  return {
    peek: (): Happening | undefined => heap[0],
    push: (one: Happening): void => {
      heap.push(one)
      for (let place = heap.length - 1; place > 0; ) {
        const parent = (place - 1) >> 1
        if (!isBefore(place, parent)) return
        swap(place, parent)
        place = parent
      }
    },
    pop: (): void => {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      for (let place = 0; ; ) {
        const left = 2 * place + 1
        const least = isBefore(left + 1, left) ? left + 1 : left
        if (!isBefore(least, place)) return
        swap(least, place)
        place = least
      }
    },
  }
}
