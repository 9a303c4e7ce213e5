import * as assert from 'uvu/assert'
import { type Run, simulate } from './simulate.ts'
import type { Mistakes } from './stores.ts'

/** Told with each breach, so that it can be seen again. */
const replayOf = ({ seed, wish, breaches }: Run): string =>
  `seed ${seed}: ${breaches.map(({ rule, atMs, says }) => `${rule}: ${says} (at ${Math.round(atMs)} ms)`).join('; ')} ` +
  `${JSON.stringify(wish)}; node tests/simulation/replay.ts --seed ${seed}`

/** Lets `count` datastores live, and holds that no rule is broken in any. */
export const allHold = (first: number, count: number): void => {
  const broken: string[] = []
  const sums = { failovers: 0, acknowledged: 0, lost: 0, chosen: 0 }
  for (let seed = first; seed < first + count; seed++) {
    const run = simulate(seed)
    if (run.breaches.length > 0) broken.push(replayOf(run))
    sums.failovers += run.facts.failovers
    sums.acknowledged += run.facts.acknowledged
    sums.lost += run.wish.synchronous ? 0 : run.facts.lost
    sums.chosen += Number(run.facts.chosen)
  }
  console.log(
    `seeds ${first} to ${first + count - 1}: ${sums.failovers} failovers, ${sums.acknowledged} acknowledged writes, ` +
      `${sums.lost} of them lost in asynchronous mode, ${sums.chosen} runs with an unfenced primary by the tenant's choice`,
  )
  assert.is(broken.length, 0, broken.slice(0, 5).join('\n'))
  assert.ok(sums.failovers > count / 2, 'the faults lead to failovers')
}

/**
 * The first seed that finds a planted mistake.
 *
 * @param rules one of which it breaks
 */
export const firstToFind = (mistakes: Mistakes, rules: readonly string[], count: number): number | undefined => {
  for (let seed = 1; seed <= count; seed++) {
    if (simulate(seed, { mistakes }).breaches.some(({ rule }) => rules.includes(rule))) return seed
  }
  return undefined
}
