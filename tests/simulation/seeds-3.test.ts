// limit: 300 s
import { suite } from 'uvu'
import { allHold } from './seeds.ts'

const test = suite('a datastore among faults, seeds 6801 to 10200')

test('has one primary, keeps what it acknowledged, and is well once they end', () => {
  allHold(6801, 3_400)
})

test.run()
