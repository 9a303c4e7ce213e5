import type { FailoverLearnt } from '../job/saga.ts'

type Known = {
  /** How much the lost primary had written when it was last seen, in bytes; null: nobody knows. */
  readonly lastKnownBytes: number | null
  readonly synchronous: boolean
  /** All nodes but the lost one. */
  readonly replicas: readonly string[]
}

/**
 * How much of what was acknowledged may be lost, in bytes, by what was recorded. In synchronous mode nothing is, if every
 * replica was seen: one of them holds each acknowledged transaction, and the one that holds most is elected.
 *
 * @returns null where nobody knows
 */
export const lostBytesMax = ({ elected, positions = {} }: FailoverLearnt, known: Known): number | null => {
  const { lastKnownBytes, synchronous, replicas } = known
  if (synchronous && replicas.every((nodeId) => positions[nodeId] !== undefined)) return 0
  const held = elected === undefined ? undefined : positions[elected]
  return lastKnownBytes === null || held === undefined ? null : Math.max(0, lastKnownBytes - held)
}
