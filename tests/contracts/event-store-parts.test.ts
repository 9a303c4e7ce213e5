import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { generations } from '../../infra/embedded/event-store/generations.ts'
import { type LogRecord, nextPageSize, TOMBSTONE } from '../../infra/embedded/event-store/record.ts'
import { tail } from '../../infra/embedded/event-store/tail.ts'
import { comparison, repeatOf, verdictOn } from '../../infra/embedded/event-store/version-rules.ts'

const nothing = Buffer.alloc(0)
const record = (position: number, bytes = 0): LogRecord => ({
  position, stream: 's', revision: 0, id: `${position}`, type: 't', contentType: 'c', createdTicks: '0',
  data: Buffer.alloc(bytes), metadata: nothing,
})

const rules = suite('the rules of expected revisions')

const at = (head: number) => ({ head, described: false, hidden: false })

rules('an exact revision writes at the head, compares below it, and conflicts above it', () => {
  assert.is(verdictOn(4, at(4), 1), 'write')
  assert.is(verdictOn(3, at(4), 1), 'compare')
  assert.is(verdictOn(5, at(4), 1), 'conflict')
  assert.is(verdictOn(-1, at(-1), 1), 'write')
  assert.is(verdictOn(-1, at(0), 1), 'compare')
})

rules('an append of nothing is no repeat', () => {
  assert.is(verdictOn(3, at(4), 0), 'conflict')
  assert.is(verdictOn(4, at(4), 0), 'write')
})

rules('the loose forms write whatever the head, if a stream that must exist does', () => {
  assert.is(verdictOn('any', at(-1), 1), 'write')
  assert.is(verdictOn('any', at(7), 1), 'write')
  assert.is(verdictOn('stream-exists', at(7), 1), 'write')
  assert.is(verdictOn('stream-exists', at(-1), 1), 'conflict')
  assert.is(verdictOn('stream-exists', { ...at(-1), described: true }, 1), 'write')
})

rules('a tombstone refuses everything, a hidden stream only who wants it to exist', () => {
  for (const expected of ['any', 'stream-exists', -1, 3] as const) {
    assert.is(verdictOn(expected, at(TOMBSTONE), 1), 'deleted')
  }
  const hidden = { head: 3, described: true, hidden: true }
  assert.is(verdictOn('stream-exists', hidden, 1), 'deleted')
  assert.is(verdictOn('any', hidden, 1), 'write')
  assert.is(verdictOn(3, hidden, 1), 'write')
  assert.is(verdictOn(-1, hidden, 1), 'compare')
})

rules('behind the head, the same events are a repeat, and a hidden stream may be begun anew by others', () => {
  const proposed = [{ id: 'a' }, { id: 'b' }]
  const begin = { expected: -1, proposed, hidden: false }
  assert.is(comparison(begin, [{ id: 'a' }, { id: 'b' }]), 'repeat')
  assert.is(comparison(begin, [{ id: 'a' }]), 'conflict')
  assert.is(comparison(begin, [{ id: 'x' }, { id: 'b' }]), 'conflict')
  assert.is(comparison({ ...begin, hidden: true }, [{ id: 'x' }, { id: 'b' }]), 'write')
  assert.is(comparison({ ...begin, hidden: true }, [{ id: 'a' }, { id: 'x' }]), 'conflict')
  assert.is(comparison({ ...begin, hidden: true, expected: 0 }, [{ id: 'x' }, { id: 'b' }]), 'conflict')
})

rules('ids known in another stream are unknown in this one', () => {
  const here = { stream: 's', revision: 1, position: 9 }
  assert.is(repeatOf('other', [here]), 'new')
  assert.equal(repeatOf('s', [here, here]), here)
  assert.is(repeatOf('s', [undefined, here]), 'new')
  assert.is(repeatOf('s', [here, undefined]), 'conflict')
})

rules.run()

const memory = suite('what the embedded event store keeps in memory')

memory('the recent events are those of the log, for every position they cover', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 200 })
  const [limits, batches] = [fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 })]
  fc.assert(fc.property(gaps, limits, batches, (steps, events, batch) => {
    const recent = tail(0, { events, bytes: 100_000 })
    const log: LogRecord[] = []
    for (let i = 0; i < steps.length; i += batch) {
      const before = log.length
      for (const step of steps.slice(i, i + batch)) log.push(record((log.at(-1)?.position ?? 0) + step))
      recent.push(log.slice(before))
    }
    for (const position of [0, ...log.map((it) => it.position)]) {
      if (!recent.covers(position)) continue
      assert.equal(recent.after(position, 7), log.filter((it) => it.position > position).slice(0, 7))
    }
    assert.ok(recent.covers(log.at(-1)?.position ?? 0))
    assert.ok(recent.after(0, Infinity).length <= 2 * events + batch)
  }))
})

memory('large events push out more of the recent ones', () => {
  const recent = tail(0, { events: 1_000, bytes: 10_000 })
  for (let i = 1; i <= 100; i++) recent.push([record(i, 1_000)])
  assert.not.ok(recent.covers(50))
  assert.ok(recent.after(0, Infinity).length <= 20)
})

memory('a cache forgets what has not been asked for during a whole generation', () => {
  const cache = generations<number, string>(3)
  for (let key = 0; key < 3; key++) cache.set(key, `${key}`)
  for (let key = 10; key < 13; key++) cache.set(key, `${key}`)
  assert.is(cache.get(1), '1')
  for (let key = 20; key < 22; key++) cache.set(key, `${key}`)
  assert.is(cache.get(1), '1')
  assert.is(cache.get(0), undefined)
  assert.is(cache.get(12), '12')
})

memory('pages of large events are short', () => {
  assert.is(nextPageSize([record(1, 100)]), 1_000)
  assert.is(nextPageSize([record(1, 1_048_000)]), 8)
})

memory.run()
