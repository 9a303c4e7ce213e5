// limit: 120 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { firstToFind } from './seeds.ts'
import { simulate } from './simulate.ts'

const test = suite('the simulation')

test('is the same run for the same seed, to the last line', () => {
  const linesOf = (seed: number): readonly string[] => {
    const lines: string[] = []
    simulate(seed, { trace: (line) => lines.push(line) })
    return lines
  }
  const lines = linesOf(7)
  assert.ok(lines.length > 20)
  assert.equal(linesOf(7), lines)
  assert.not.equal(linesOf(8), lines)
})

test('finds a fence that does nothing', () => {
  const seed = firstToFind({ noFence: true }, ['one node takes writes', 'one promotion in an epoch'], 200)
  assert.ok(seed !== undefined, 'no seed finds it')
})

test('finds a decision that is appended without an expected revision', () => {
  const seed = firstToFind({ noRevision: true }, ['one decision in an epoch', 'one promotion in an epoch'], 400)
  assert.ok(seed !== undefined, 'no seed finds it')
})

test('finds the promotion of a replica that lags', () => {
  const seed = firstToFind({ lagging: true }, ['nothing acknowledged is lost'], 200)
  assert.ok(seed !== undefined, 'no seed finds it')
})

test.run()
