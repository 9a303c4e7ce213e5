import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Candidate, type Election, electedOf, ranked } from '../../domain/failover/ranking.ts'

const test = suite('the choice of a successor')

const candidate = (name: string, change: Partial<Candidate> = {}): Candidate => ({
  nodeId: `nod_${name}`,
  name,
  zone: 'zone-a',
  instance: { cpu: 2, ramGb: 4 },
  timeline: 3,
  positionBytes: 1_000,
  ...change,
})
const election = (change: Partial<Election> = {}): Election => ({
  candidates: [candidate('db-a'), candidate('db-b', { positionBytes: 900 })],
  silent: [],
  synchronous: false,
  prefer: 'consistency',
  lagMaxBytes: 100,
  lastKnownBytes: 1_050,
  neededBytes: null,
  ...change,
})
const order = (candidates: readonly Candidate[], zone?: string) => ranked(candidates, zone).map(({ name }) => name)
const outcome = (change: Partial<Election> = {}): string => {
  const result = electedOf(election(change))
  return 'elected' in result ? result.elected.name : result.because
}

test('a newer timeline goes before more log, and more log before all else', () => {
  const old = candidate('db-a', { timeline: 2, positionBytes: 9_999 })
  const near = candidate('db-b', { positionBytes: 1_000, zone: 'zone-b', instance: { cpu: 64, ramGb: 512 } })
  const most = candidate('db-c', { positionBytes: 1_001, zone: 'zone-c', instance: { cpu: 1, ramGb: 1 } })
  assert.equal(order([old, near, most], 'zone-b'), ['db-c', 'db-b', 'db-a'])
})

test('of those with the same log one in the zone of the lost primary comes first, then the largest', () => {
  const far = candidate('db-a', { zone: 'zone-b', instance: { cpu: 64, ramGb: 512 } })
  const small = candidate('db-b')
  const large = candidate('db-c', { instance: { cpu: 2, ramGb: 8 } })
  const larger = candidate('db-d', { instance: { cpu: 4, ramGb: 8 } })
  assert.equal(order([far, small, large, larger], 'zone-a'), ['db-d', 'db-c', 'db-b', 'db-a'])
  assert.equal(order([far, small, large, larger]), ['db-a', 'db-d', 'db-c', 'db-b'])
})

test('between equals the name decides, however they are listed', () => {
  const [a, b, c] = [candidate('db-a'), candidate('db-b'), candidate('db-c')] as const
  for (const listed of [[a, b, c], [c, b, a], [b, a, c]]) assert.equal(order(listed), ['db-a', 'db-b', 'db-c'])
})

test('without a replica that answers nobody is promoted, whatever is preferred', () => {
  for (const prefer of ['consistency', 'availability'] as const) {
    assert.is(outcome({ candidates: [], prefer }), 'No replica answers that could be promoted.')
  }
})

test('who lacks no more than is allowed may be promoted, and who lacks more only for the sake of availability', () => {
  assert.is(outcome({ lastKnownBytes: 1_100 }), 'db-a')
  assert.is(
    outcome({ lastKnownBytes: 1_101 }),
    'The best replica, db-a, lacks 101 bytes of what the primary had written; 100 are allowed.',
  )
  assert.is(outcome({ lastKnownBytes: 1_101, prefer: 'availability' }), 'db-a')
})

test('a primary whose position nobody has seen holds nobody back', () => {
  assert.is(outcome({ lastKnownBytes: null }), 'db-a')
})

test('in asynchronous mode a replica that is silent holds nobody back', () => {
  assert.is(outcome({ silent: ['db-c'] }), 'db-a')
})

test('in synchronous mode nobody is promoted before all replicas were asked, except for the sake of availability', () => {
  assert.is(outcome({ synchronous: true, lastKnownBytes: 9_999 }), 'db-a')
  assert.is(
    outcome({ synchronous: true, silent: ['db-c'] }),
    'db-c does not answer, and may hold a transaction that no other replica has.',
  )
  assert.is(
    outcome({ synchronous: true, silent: ['db-d', 'db-c'] }),
    'db-c, db-d do not answer, and may hold a transaction that no other replica has.',
  )
  assert.is(outcome({ synchronous: true, silent: ['db-c'], prefer: 'availability' }), 'db-a')
})

test('in synchronous mode nobody is promoted who lacks what the lost primary had when it was promoted itself', () => {
  assert.is(outcome({ synchronous: true, neededBytes: 1_000 }), 'db-a')
  const lacking = { synchronous: true, neededBytes: 1_001 } as const
  assert.is(outcome(lacking), 'The best replica, db-a, lacks 1 bytes of what the lost primary had when it was promoted.')
  assert.is(outcome({ ...lacking, prefer: 'availability' }), 'db-a')
  assert.is(
    outcome({ ...lacking, silent: ['db-c'] }),
    'db-c does not answer, and may hold a transaction that no other replica has.',
  )
})

test.run()
