// limit: 300 s
import { suite } from 'uvu'
import { allHold } from './seeds.ts'

const test = suite('a datastore among faults, seeds 3401 to 6800')

test('has one primary, keeps what it acknowledged, and is well once they end', () => {
  allHold(3401, 3_400)
})

test.run()
