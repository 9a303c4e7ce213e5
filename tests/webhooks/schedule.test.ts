import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { USUAL, pauseAfter, retryAfterMs } from '../../infra/webhooks/schedule.ts'

const test = suite('when a webhook is tried again')

const HOUR_MS = 3_600_000
const pauses = (chance: number) => Array.from({ length: 9 }, (_, n) => pauseAfter(USUAL, { attempt: n + 1, chance }) ?? 0)

test('ten attempts are made within about a day and a half', () => {
  assert.equal(pauses(0.5).map((ms) => ms / 1_000), [5, 20, 80, 320, 1_280, 5_120, 20_480, 43_200, 43_200])
  assert.is(pauseAfter(USUAL, { attempt: 10, chance: 0.5 }), undefined)
  const totalHours = pauses(0.5).reduce((sum, ms) => sum + ms) / HOUR_MS
  assert.ok(totalHours > 30 && totalHours < 36, `${totalHours}`)
})

test('chance moves each pause by a fifth at most', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (chance) => {
      for (const [n, ms] of pauses(chance).entries()) {
        const middle = pauses(0.5)[n] ?? 0
        assert.ok(ms >= middle * 0.8 - 1 && ms <= middle * 1.2 + 1)
      }
    }),
  )
})

test('the receiver can ask for more time, not for less, and not for more than a day', () => {
  const asked = (askedMs: number) => pauseAfter(USUAL, { attempt: 1, askedMs, chance: 0.5 })
  assert.equal([0, 1_000, 60_000, 100 * HOUR_MS].map(asked), [5_000, 5_000, 60_000, 24 * HOUR_MS])
})

test('Retry-After is seconds or a date, and nothing else', () => {
  const now = Date.parse('2030-01-01T12:00:00Z')
  assert.is(retryAfterMs('120', now), 120_000)
  assert.is(retryAfterMs('Tue, 01 Jan 2030 12:01:00 GMT', now), 60_000)
  assert.is(retryAfterMs('Tue, 01 Jan 2030 11:00:00 GMT', now), 0)
  for (const other of [undefined, '', 'soon', '-5']) assert.ok((retryAfterMs(other, now) ?? 0) === 0, other)
})

test.run()
