import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { projections } from '../../projections/index.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { randomHistory, writer } from '../support/history.ts'

const test = suite('every projection')

const store = memoryEventStore(() => noon)
await writer(store)(randomHistory(11, { datastores: 24, moves: 3000 }))
const events: readonly Recorded[] = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })

test('the history tried holds nearly every kind of event that there is', () => {
  assert.ok(events.length > 400)
  const types = new Set(events.map(({ type }) => type))
  assert.ok(types.size >= 30, [...types].join(' '))
  for (const type of ['SettingsChanged', 'DatastoreChanged', 'ChangeAbandoned', 'JobDropped']) assert.ok(types.has(type), type)
})

for (const projection of projections) {
  test(`${projection.name}: taking in the log's beginning twice is as good as once`, () => {
    for (let length = 50; length <= events.length; length += 150) {
      const once = rowsAfter(projection, events.slice(0, length))
      const twice = rowsAfter(projection, events.slice(0, length), once)
      assert.equal(Object.fromEntries(twice), Object.fromEntries(once), `after ${length} events`)
    }
  })

  test(`${projection.name}: no event concerns a row whose type it does not name`, () => {
    const { types } = projection
    const concerning = events.filter(isKnown).filter((event) => projection.keys(event).length > 0)
    assert.equal(concerning.filter(({ type }) => types !== undefined && !types.includes(type)), [])
  })

  test(`${projection.name}: a row has exactly the columns that the table has`, () => {
    const columns = Object.keys(projection.columns).toSorted()
    const rows = [...rowsAfter(projection, events)]
    assert.ok(rows.length > 0)
    for (const [key, row] of rows) {
      assert.equal(Object.keys(row).toSorted(), columns)
      assert.is(row[projection.key], key)
    }
  })
}

test('names and tables are each used once', () => {
  for (const what of ['name', 'table'] as const) {
    assert.is(new Set(projections.map((it) => it[what])).size, projections.length)
  }
})

test('what no projection knows is passed over', () => {
  const strange = recorded(() => 'datastore-clu_1', [{ type: 'SomethingNew', data: {} }])
  const misplaced = recorded(() => 'other-1', [{ type: 'DatastoreCreated', data: {} }])
  assert.equal([...strange, ...misplaced].filter(isKnown), [])
  for (const projection of projections) assert.is(rowsAfter(projection, [...strange, ...misplaced]).size, 0)
})

test('positions as text sort as the log does', () => {
  const text = (at: bigint) => sortablePosition({ commit: at, prepare: at })
  assert.equal([9n, 10n, 2n ** 63n, 100n].map(text).toSorted(), [9n, 10n, 100n, 2n ** 63n].map(text))
})

test.run()
