import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import { isOpen, windowAt } from '../../domain/maintenance/window.ts'
import { later } from '../../domain/kernel/time.ts'

const test = suite('a maintenance window')

const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS
const monday = { dayOfWeek: 1, startHour: 0, endHour: 2 }
const sunday = { dayOfWeek: 7, startHour: 23, endHour: 1 }

const maintenances = fc.record({ dayOfWeek: fc.integer({ min: 1, max: 7 }), startHour: fc.nat(23) })
  .map(({ dayOfWeek, startHour }) => ({ dayOfWeek, startHour, endHour: (startHour + 2) % 24 }))
const instants = fc
  .date({ min: new Date('1999-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((at) => at.toISOString())

test('is open on its day and in its hours, by UTC', () => {
  // 2026-11-23 is a Monday.
  assert.equal(windowAt(monday, '2026-11-23T00:00:00.000Z'), { from: '2026-11-23T00:00:00.000Z', to: '2026-11-23T02:00:00.000Z' })
  assert.is(windowAt(monday, '2026-11-23T02:00:00.000Z').from, '2026-11-30T00:00:00.000Z')
  assert.is(windowAt(monday, '2026-11-22T23:59:59.999Z').from, '2026-11-23T00:00:00.000Z')
})

test('may go past midnight, and past the end of the week', () => {
  const open = { from: '2026-11-22T23:00:00.000Z', to: '2026-11-23T01:00:00.000Z' }
  for (const now of ['2026-11-22T23:00:00.000Z', '2026-11-23T00:59:59.999Z']) {
    assert.equal(windowAt(sunday, now), open)
    assert.ok(isOpen(open, now))
  }
  assert.is(windowAt(sunday, '2026-11-23T01:00:00.000Z').from, '2026-11-29T23:00:00.000Z')
})

test('lasts two hours, begins on its day, and comes once a week whatever the instant', () =>
  fc.assert(
    fc.property(maintenances, instants, (maintenance, now) => {
      const { from, to } = windowAt(maintenance, now)
      assert.is(Date.parse(to) - Date.parse(from), 2 * HOUR_MS)
      assert.is(new Date(from).getUTCDay() || 7, maintenance.dayOfWeek)
      assert.is(new Date(from).getUTCHours(), maintenance.startHour)
      assert.ok(now < to)
      assert.ok(Date.parse(to) - Date.parse(now) <= WEEK_MS)
      assert.is(isOpen({ from, to }, now), from <= now)
      assert.is(windowAt(maintenance, to).from, later(from, WEEK_MS))
      assert.equal(windowAt(maintenance, from), { from, to }, 'all of a window has the same name')
    }),
  ))

test.run()
