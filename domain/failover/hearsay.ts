import type { Heard, Monitor } from './watched.ts'

/**
 * What replicas say, taken together, of a primary that does not answer us.
 *
 * @param answers of those that were asked after its first missed look
 * @returns `lost` when none that answers has an answer of the primary, or has received anything since it was looked at;
 * `alone` when none answers
 */
export const judged = ({ nodes }: Monitor, answers: readonly Heard[]): 'lost' | 'alive' | 'alone' => {
  const said = answers.filter((one) => one.said !== undefined)
  if (said.length === 0) return 'alone'
  const hearsIt = said.some(({ nodeId, said: word }) => {
    const received = nodes[nodeId]?.positionBytes
    return word !== undefined && (word.answers || (typeof received === 'number' && word.receivedBytes > received))
  })
  return hearsIt ? 'alive' : 'lost'
}
