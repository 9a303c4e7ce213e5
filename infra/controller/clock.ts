/** Time as the watch knows it: all its timers go through this, so that a simulation can let it run in a time of its own. */
export type Clock = {
  /** The instant of the wall clock, for what others read. */
  readonly now: () => string
  /** Milliseconds from some beginning; never goes back. What has run out is told by it alone. */
  readonly monotonicMs: () => number
  /** Resolves after so many milliseconds, or when `signal` aborts, whichever comes first. Never rejects. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => new Date().toISOString(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => {
    if (signal?.aborted === true) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
    return promise
  },
}
