/** So many requests at once, and so many more each second. */
export type Rate = { readonly perSecond: number; readonly burst: number }

/** What is limited; undefined: not at all. */
export type RateLimits = {
  /** Requests of one user or client who is signed in, from wherever. */
  readonly user: Rate | undefined
  /** Requests of nobody, from one address. */
  readonly address: Rate | undefined
  /** Requests to sign in and the like, from one address. */
  readonly signIn: Rate | undefined
}

export type RateLimiter = {
  /** Counts a request; how many seconds to wait instead, if there were too many. */
  readonly take: (kind: keyof RateLimits, whose: string) => number | undefined
}

const SWEEP_EVERY_MS = 10_000

/**
 * Token buckets in the memory of this process: one process more lets through as much more. Each user and each address has
 * a bucket of his own, so that none is held up by another.
 *
 * @param options.clockMs a clock that never goes back, in milliseconds
 */
export const rateLimiter = (
  limits: RateLimits,
  { clockMs = () => performance.now() }: { readonly clockMs?: () => number } = {},
): RateLimiter => {
  /** When each bucket will be full; one that is full is not kept. */
  const fullAtMs = new Map<string, number>()
  let sweptAtMs = 0

  const sweep = (nowMs: number): void => {
    if (nowMs - sweptAtMs < SWEEP_EVERY_MS) return
    sweptAtMs = nowMs
    for (const [key, at] of fullAtMs) if (at <= nowMs) fullAtMs.delete(key)
  }

  return {
    take: (kind, whose) => {
      const rate = limits[kind]
      if (rate === undefined) return undefined
      const nowMs = clockMs()
      sweep(nowMs)
      const pauseMs = 1_000 / rate.perSecond
      const key = `${kind} ${whose}`
      const nextMs = Math.max(fullAtMs.get(key) ?? 0, nowMs) + pauseMs
      const overMs = nextMs - nowMs - rate.burst * pauseMs
      if (overMs > 0) return Math.max(1, Math.ceil(overMs / 1_000))
      fullAtMs.set(key, nextMs)
      return undefined
    },
  }
}
