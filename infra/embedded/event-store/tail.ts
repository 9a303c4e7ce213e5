import { lengthOf, type LogRecord } from './record.ts'

/** The most recent events, for live subscribers. Everything older is read from storage. */
export type Tail = {
  readonly push: (records: readonly LogRecord[]) => void
  /** Whether everything after `position` is in here. */
  readonly covers: (position: number) => boolean
  /** Up to `max` events strictly after `position`, in order. */
  readonly after: (position: number, max: number) => readonly LogRecord[]
}

/**
 * @param floor the last position before the tail begins
 * @param limits how much is kept at least; twice as much is kept at most
 */
export const tail = (
  floor: number,
  limits: { readonly events: number; readonly bytes: number } = { events: 8_192, bytes: 16 * 1_048_576 },
): Tail => {
  let records: LogRecord[] = []
  let bytes = 0

  const trim = (): void => {
    if (records.length <= 2 * limits.events && bytes <= 2 * limits.bytes) return
    let first = Math.max(0, records.length - limits.events)
    let kept = records.slice(first).reduce((sum, it) => sum + lengthOf(it, it.stream), 0)
    for (; kept > limits.bytes && first < records.length; first++) {
      const record = records[first]
      if (record !== undefined) kept -= lengthOf(record, record.stream)
    }
    floor = records[first - 1]?.position ?? floor
    records = records.slice(first)
    bytes = kept
  }

  const indexAfter = (position: number): number => {
    let low = 0
    let high = records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((records[middle]?.position ?? Infinity) <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    push: (added) => {
      for (const record of added) {
        records.push(record)
        bytes += lengthOf(record, record.stream)
      }
      trim()
    },
    covers: (position) => position >= floor,
    after: (position, max) => {
      const first = indexAfter(position)
      return records.slice(first, first + max)
    },
  }
}
