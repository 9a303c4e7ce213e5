import streams from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventBytes } from '../../infra/embedded/event-store/encode.ts'
import { generations } from '../../infra/embedded/event-store/generations.ts'
import { type LogRecord, nextPageSize, TOMBSTONE } from '../../infra/embedded/event-store/record.ts'
import { metadataIn } from '../../infra/embedded/event-store/stream-metadata.ts'
import { tail } from '../../infra/embedded/event-store/tail.ts'
import { together } from '../../infra/embedded/event-store/together.ts'
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

const wire = suite('what the embedded event store writes by hand')

const text = fc.string({ unit: 'grapheme', minLength: 1 })
const bytes = fc.uint8Array({ maxLength: 40_000 }).map((it) => Buffer.from(it))
const anyRecord = fc.record({
  id: fc.uuid(), type: text, contentType: text, data: bytes, metadata: bytes, stream: text,
  position: fc.maxSafeNat(), revision: fc.oneof(fc.maxSafeNat(), fc.constant(TOMBSTONE)), createdTicks: fc.nat().map(String),
})

const compare = (event: streams.ReadResp.ReadEvent.RecordedEvent | undefined, it: LogRecord | undefined): void => {
  assert.is(event === undefined, it === undefined)
  if (event === undefined || it === undefined) return
  assert.is(event.getStreamRevision(), it.revision === TOMBSTONE ? `${2n ** 63n - 1n}` : `${it.revision}`)
  assert.is(event.getCommitPosition(), `${it.position}`)
  assert.is(event.getMetadataMap().get('type'), it.type)
  assert.equal(Buffer.from(event.getData_asU8()), it.data)
}

wire('an event, alone or behind a link, is what the generated code would write', () => {
  const either = fc.option(anyRecord, { nil: undefined })
  fc.assert(fc.property(either, either, fc.constantFrom('string', 'structured'), (event, link, form) => {
    const written = eventBytes({ event, link }, form)
    const response = streams.ReadResp.deserializeBinary(written)
    compare(response.getEvent()?.getEvent(), event)
    compare(response.getEvent()?.getLink(), link)
    assert.is(response.getEvent()?.getCommitPosition() ?? '0', `${(link ?? event)?.position ?? 0}`)
    assert.is(response.serializeBinary().length, written.length)
  }), { numRuns: 100 })
})

wire.run()

const metadata = suite('what metadata says of its stream')

const said = (json: string, contentType = 'application/json') =>
  JSON.parse(JSON.stringify(metadataIn({ contentType, data: Buffer.from(json) })))

metadata('limits and roles are read as the real server reads them', () => {
  const acl = '{"$r":"$all","$w":["one","two"],"$d":[],"$mr":"$admins","$mw":"$ops"}'
  assert.equal(said(`{"$maxCount":7,"$maxAge":60,"$tb":3,"$cacheControl":5,"own":{"$tb":"x"},"$acl":${acl}}`), {
    maxCount: 7,
    maxAgeSeconds: 60,
    truncateBefore: 3,
    acl: {
      readRoles: ['$all'], writeRoles: ['one', 'two'], deleteRoles: [], metaReadRoles: ['$admins'], metaWriteRoles: ['$ops'],
    },
  })
})

metadata('a truncation at the greatest number of 64 bits, and only there, is a deletion', () => {
  assert.equal(said('{"$tb":9223372036854775807}'), { truncateBefore: 'deleted' })
  assert.equal(said('{"$tb":9223372036854775806}'), { truncateBefore: Number.MAX_SAFE_INTEGER })
  assert.equal(said('{"$tb":9223372036854775808}'), {})
})

metadata('numbers below what makes sense are as if they were not there', () => {
  assert.equal(said('{"$maxCount":0,"$maxAge":-1,"$tb":-5}'), {})
  assert.equal(said('{"$maxCount":0,"$maxAge":10}'), { maxAgeSeconds: 10 })
})

metadata('a value of the wrong kind makes all of it say nothing', () => {
  for (const wrong of [
    '{"$maxCount":1,"$maxAge":"60"}', '{"$maxCount":1.0}', '{"$maxCount":1e1}', '{"$maxCount":1,"$acl":"$userStreamAcl"}',
    '{"$maxCount":1,"$acl":{"$r":7}}', '{"$maxCount":1,"$acl":{"$x":"role"}}', '{"$maxCount":1,"$tmp":1}', '[]', '1', '', '{',
    '{"$maxCount":1,"$maxAge":922337203686}', '{"$maxCount":null}',
  ]) assert.equal(said(wrong), {}, wrong)
  assert.equal(said('{"$maxCount":1}', 'application/octet-stream'), {})
})

metadata.run()

const questions = suite('questions asked together')

questions('what is asked meanwhile is asked at once, and everyone gets the own answer', async () => {
  const asked: number[] = []
  const ask = together(async (about) => {
    asked.push(about.length)
    return about.map((it) => `${it}!`)
  }, 3)
  const names = ['a', 'b', 'c', 'd', 'e']
  assert.equal(await Promise.all(names.map(ask)), names.map((it) => `${it}!`))
  assert.equal(asked, [3, 2])
  assert.is(await ask('f'), 'f!')
})

questions('a failure is that of those who asked, not of those who ask later', async () => {
  let broken = true
  const ask = together(async (about) => {
    if (broken) throw new Error('broken')
    return about
  }, 10)
  const outcomes = await Promise.allSettled([ask('a'), ask('b')])
  assert.equal(outcomes.map(({ status }) => status), ['rejected', 'rejected'])
  broken = false
  assert.is(await ask('c'), 'c')
})

questions.run()
