// limit: 300 s
import { suite } from 'uvu'
import { allHold } from './seeds.ts'

const test = suite('a datastore among faults, seeds 1 to 3400')

test('has one primary, keeps what it acknowledged, and is well once they end', () => {
  allHold(1, 3_400)
})

test.run()
