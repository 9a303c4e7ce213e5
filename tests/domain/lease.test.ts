import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DEMOTION_MS, DRIFT, HEARD_WITHIN_MS, type Held, leaseUntil, leftMs, runsOutAt } from '../../domain/failover/lease.ts'

const test = suite('the lease of a primary')

const lease = { ttlMs: 6_000 }

test('it goes from the answer before it was given, however late it is written', () => {
  assert.is(leaseUntil(100_000, lease), 106_000)
})

test('a primary goes on until its end, and no longer', () => {
  assert.is(leftMs({ untilMs: 106_000 }, 105_999), 1)
  assert.is(leftMs({ untilMs: 106_000 }, 106_000), 0)
})

test('a primary that hears all its replicas goes on past its end', () => {
  assert.is(leftMs({ untilMs: 106_000, heardMs: 105_500 }, 106_000), HEARD_WITHIN_MS - 500)
})

test('a primary that has heard its replicas long ago keeps what its lease has left', () => {
  assert.is(leftMs({ untilMs: 106_000, heardMs: 90_000 }, 105_000), 1_000)
})

test('one that stood still has nothing left when it goes on', () => {
  assert.ok(leftMs({ untilMs: 106_000, heardMs: 105_000 }, 170_000) < 0)
})

test('it never runs out for certain while no replica has stopped receiving', () => {
  assert.is(runsOutAt(lease, { fencedAtMs: 1_000, stoppedAtMs: undefined }), undefined)
})

/** The end of a primary's writes by the controller's clock, for a machine whose clock runs so much faster. */
const endOf = (held: Held, atMs: number, speed: number): number => atMs + leftMs(held, 0) / speed + DEMOTION_MS

test('whatever was given before the fence has run out when it is taken for run out, be the clock slow or fast', () => {
  const fencedAtMs = 10_000
  for (const speed of [1 - DRIFT / 2, 1, 1 + DRIFT]) {
    for (const stoppedAtMs of [10_000, 12_000, 14_000, 30_000]) {
      const outAtMs = runsOutAt(lease, { fencedAtMs, stoppedAtMs }) ?? 0
      // Anchored in an answer of the last moment before the fence, at uptime 0.
      assert.ok(endOf({ untilMs: leaseUntil(0, lease) }, fencedAtMs, speed) <= outAtMs)
      // Heard in the last moment before a replica had stopped, at uptime 0.
      assert.ok(endOf({ untilMs: -1_000_000, heardMs: 0 }, stoppedAtMs, speed) <= outAtMs)
    }
  }
})

test.run()
