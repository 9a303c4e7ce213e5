/** How many of the last measurements are kept. */
const WINDOW = 1_000

/** How long a consumer takes over its messages. */
export type Timings = {
  readonly start: (id: string, nowMs: number) => void
  readonly end: (id: string, nowMs: number) => void
  /** By the names that EventStoreDB gives them, in ms; empty before the first has ended. */
  readonly measured: () => ReadonlyMap<string, number>
}

const SHARES = [
  ['Quintile 1', 0], ['Quintile 2', 0.2], ['Quintile 3', 0.4], ['Quintile 4', 0.6], ['Quintile 5', 0.8],
  ['90%', 0.9], ['95%', 0.95], ['99%', 0.99], ['99.5%', 0.995], ['99.9%', 0.999], ['Highest', 1],
] as const

export const timings = (): Timings => {
  const started = new Map<string, number>()
  const taken: number[] = []
  return {
    start: (id, nowMs) => void started.set(id, nowMs),
    end: (id, nowMs) => {
      const startedMs = started.get(id)
      if (startedMs === undefined) return
      started.delete(id)
      taken.push(Math.round(nowMs - startedMs))
      if (taken.length > WINDOW) taken.shift()
    },
    measured: () => {
      const sorted = taken.toSorted((a, b) => a - b)
      if (sorted.length === 0) return new Map()
      const at = (share: number): number => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? 0
      const sum = sorted.reduce((total, it) => total + it, 0)
      return new Map([
        ['Mean', Math.floor(sum / sorted.length)], ['Median', at(0.5)], ['Fastest', at(0)],
        ...SHARES.map(([name, share]) => [name, at(share)] as const),
      ])
    },
  }
}
