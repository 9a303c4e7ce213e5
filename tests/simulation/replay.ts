import { parseArgs } from 'node:util'
import { simulate } from './simulate.ts'

/** Runs one seed, or some in a row, and says what came of each: `node tests/simulation/replay.ts --seed 123 [--count 100]`. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    mistake: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed)
const count = Number(values.count)
const mistakes = values.mistake === undefined ? {} : { [values.mistake]: true }
const began = performance.now()
let broken = 0
const sums = { failovers: 0, acknowledged: 0, lost: 0, chosen: 0 }
for (let seed = first; seed < first + count; seed++) {
  const quiet = count > 1 || values.quiet
  const { wish, breaches, facts } = simulate(seed, quiet ? { mistakes } : { mistakes, trace: (line) => console.log(line) })
  sums.failovers += facts.failovers
  sums.acknowledged += facts.acknowledged
  sums.lost += facts.lost
  sums.chosen += Number(facts.chosen)
  if (breaches.length > 0) broken += 1
  if (breaches.length > 0 || !quiet) console.log(JSON.stringify({ seed, wish, breaches, facts }))
}
console.log(JSON.stringify({ count, broken, ...sums, seconds: (performance.now() - began) / 1_000 }))
