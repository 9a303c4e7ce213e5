/** A seeded source of chance: the same seed gives the same run, on every machine. */
export type Chance = {
  /** From 0 up to, but not including, 1. */
  readonly next: () => number
  /** A whole number from `low` to `high`, both included. */
  readonly whole: (low: number, high: number) => number
  /** True in `of` of all cases, from 0 to 1. */
  readonly happens: (of: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
}

/** @param seed any whole number */
export const chance = (seed: number): Chance => {
  // A Weyl sequence, mixed twice: small, quick, and equal numbers never follow one another's pattern.
  let weyl = Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2d) >>> 0
  const next = (): number => {
    weyl = (weyl + 0x9e3779b9) >>> 0
    let mixed = Math.imul(weyl ^ (weyl >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296
  }
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    whole,
    happens: (of) => next() < of,
    pick: (from) => {
      const one = from[whole(0, from.length - 1)]
      if (one === undefined) throw new Error('BUG: nothing to pick from')
      return one
    },
  }
}
