/**
 * What of an ordered stream is finished without a gap. Events are taken on in order and finished in any order.
 */
export type Progress = {
  /** Takes on the event at `place`. @returns its sequence, by which it is finished */
  readonly begin: (place: number) => number
  readonly finish: (sequence: number) => void
  /** An event that nobody needs to finish. */
  readonly pass: (place: number) => void
  /** Everything up to `place` is finished, which are `count` events; no place when nothing is. */
  readonly reached: () => { readonly place: number | undefined; readonly count: number }
}

/** @param from where the first event comes after; undefined for the beginning */
export const progress = (from: number | undefined): Progress => {
  /** In the order of sequences, each with the place before it. */
  const unfinished = new Map<number, number | undefined>()
  let last = from
  let count = 0
  return {
    begin: (place) => {
      unfinished.set(count, last)
      last = place
      count += 1
      return count - 1
    },
    finish: (sequence) => void unfinished.delete(sequence),
    pass: (place) => {
      last = place
      count += 1
    },
    reached: () => {
      const [lowest] = unfinished
      return lowest === undefined ? { place: last, count } : { place: lowest[1], count: lowest[0] }
    },
  }
}

type Policy = {
  readonly checkpointAfterMs: number
  readonly minCheckpointCount: number
  readonly maxCheckpointCount: number
}

/**
 * When a checkpoint is due: at once after `maxCheckpointCount` events; after `checkpointAfterMs` if there are
 * `minCheckpointCount` at least, which is looked at when the clock ticks. The first needs no time to pass.
 *
 * @returns asks for a checkpoint, which counts as written when a place is answered
 */
export const checkpointing = (
  { checkpointAfterMs, minCheckpointCount, maxCheckpointCount }: Policy,
  { reached }: Progress,
): ((nowMs: number, ticking: boolean) => number | undefined) => {
  const pauseMs = checkpointAfterMs === 0 ? Infinity : checkpointAfterMs
  let lastCount = 0
  let lastMs = -Infinity
  return (nowMs, ticking) => {
    const { place, count } = reached()
    const advanced = count - lastCount
    if (place === undefined || advanced === 0) return undefined
    const full = advanced >= maxCheckpointCount
    const rested = ticking && nowMs - lastMs >= pauseMs && advanced >= minCheckpointCount
    if (!full && !rested) return undefined
    lastCount = count
    lastMs = nowMs
    return place
  }
}
