import type { Counts } from './engine.ts'

export type Rates = {
  readonly total: number
  readonly sinceLast: number
  readonly averagePerSecond: number
}

export type ConsumerStatistics = Rates & {
  readonly connectionName: string
  readonly from: string
  readonly username: string
  readonly inFlight: number
  readonly availableSlots: number
  /** How long it takes over a message, in ms; empty unless extra statistics are wanted. */
  readonly measured: ReadonlyMap<string, number>
}

export type Statistics = Rates & {
  readonly counts: Counts
  /** How far the last checkpoint goes, and the newest event that is known of: revisions, or positions in `$all`. */
  readonly checkpointed: number | undefined
  readonly known: number | undefined
  readonly parked: number
  readonly consumers: readonly ConsumerStatistics[]
}

/** Measures a growing number from one question to the next. The first question is about the time since its making. */
export const rates = (): ((total: number, nowMs: number) => Rates) => {
  let lastTotal = 0
  let lastMs: number | undefined
  return (total, nowMs) => {
    const sinceLast = total - lastTotal
    const elapsedMs = lastMs === undefined ? 0 : nowMs - lastMs
    lastTotal = total
    lastMs = nowMs
    return { total, sinceLast, averagePerSecond: elapsedMs > 0 ? Math.floor((sinceLast * 1_000) / elapsedMs) : 0 }
  }
}
