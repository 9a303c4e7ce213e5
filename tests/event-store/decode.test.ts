import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkpointBytes, confirmationBytes, caughtUpBytes, eventBytes } from '../../infra/embedded/event-store/encode.ts'
import { type Answer, decode } from '../../infra/event-store/esdb-decode.ts'
import { StoreUnavailable } from '../../infra/event-store/transient.ts'

const { ReadEvent } = streams.ReadResp
const utf8 = new TextDecoder('utf-8', { fatal: true })

const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }).map((it) => it.toWellFormed()))
const bytes = fc.uint8Array({ maxLength: 300 })
const number = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })).map(String)
const id = fc.record({ id: fc.uuid(), form: fc.constantFrom('string', 'structured') })
const key = fc.oneof(fc.constantFrom('type', 'created', 'content-type'), text)
const place = fc.oneof(number, fc.constantFrom('none', 'not said'))

const anyEvent = fc.record({
  id: fc.option(id), stream: text, revision: number, prepare: number, commit: number,
  properties: fc.array(fc.tuple(key, text), { maxLength: 4 }), data: bytes, metadata: bytes,
})
type AnyEvent = typeof anyEvent extends fc.Arbitrary<infer T> ? T : never

const half = (digits: string): string => `${BigInt.asIntN(64, BigInt(`0x${digits}`))}`

const uuid = ({ id: text, form }: NonNullable<AnyEvent['id']>): shared.UUID => {
  if (form === 'string') return new shared.UUID().setString(text)
  const hex = text.replaceAll('-', '')
  const halves = new shared.UUID.Structured()
  halves.setMostSignificantBits(half(hex.slice(0, 16))).setLeastSignificantBits(half(hex.slice(16)))
  return new shared.UUID().setStructured(halves)
}

/** As the generated code writes it. */
const recorded = (it: AnyEvent): streams.ReadResp.ReadEvent.RecordedEvent => {
  const event = new ReadEvent.RecordedEvent()
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(it.stream)))
    .setStreamRevision(it.revision).setPreparePosition(it.prepare).setCommitPosition(it.commit)
    .setData(it.data).setCustomMetadata(it.metadata)
  if (it.id !== null) event.setId(uuid(it.id))
  for (const [name, value] of it.properties) event.getMetadataMap().set(name, value)
  return event
}

const answered = (event: AnyEvent | null, link: AnyEvent | null, at: string): Buffer => {
  const readEvent = new ReadEvent()
  if (event !== null) readEvent.setEvent(recorded(event))
  if (link !== null) readEvent.setLink(recorded(link))
  if (at === 'none') readEvent.setNoPosition(new shared.Empty())
  else if (at !== 'not said') readEvent.setCommitPosition(at)
  return Buffer.from(new streams.ReadResp().setEvent(readEvent).serializeBinary())
}

/** What the generated code makes of it, in words that can be compared. */
const generated = (answer: Uint8Array) => {
  const message = streams.ReadResp.deserializeBinary(new Uint8Array(answer))
  const event = message.getEvent()?.getEvent()
  if (event === undefined) {
    return { kind: message.hasCheckpoint() ? 'checkpoint' : message.hasCaughtUp() ? 'caught-up' : 'nothing' }
  }
  const halves = event.getId()?.getStructured()
  return {
    kind: 'event',
    id: halves === undefined
      ? event.getId()?.getString() ?? ''
      : [halves.getMostSignificantBits(), halves.getLeastSignificantBits()],
    stream: utf8.decode(event.getStreamIdentifier()?.getStreamName_asU8()),
    numbers: [event.getStreamRevision(), event.getCommitPosition(), event.getPreparePosition()],
    properties: [event.getMetadataMap().get('type') ?? '', event.getMetadataMap().get('created') ?? ''],
    bytes: [event.getData_asU8(), event.getCustomMetadata_asU8()].map((it) => Buffer.from(it).toString('hex')),
  }
}

const spoken = (answer: Answer, form: unknown) => {
  if (answer.kind !== 'event') return { kind: answer.kind }
  const { event } = answer
  const hex = event.id.replaceAll('-', '')
  return {
    kind: 'event',
    id: typeof form === 'object' ? [half(hex.slice(0, 16)), half(hex.slice(16))] : event.id,
    stream: event.stream,
    numbers: [event.revision, event.position.commit, event.position.prepare].map(String),
    properties: [event.type, event.createdTicks],
    bytes: [event.data, event.metadata].map((it) => Buffer.from(it).toString('hex')),
  }
}

const outcome = <T>(attempt: () => T): T | 'refused' => {
  try {
    return attempt()
  } catch {
    return 'refused'
  }
}

/** What is decoded, and what the generated code says. */
const both = (answer: Buffer) => {
  const expected = outcome(() => generated(answer))
  const form = expected === 'refused' || !('id' in expected) ? undefined : expected.id
  return [outcome(() => spoken(decode(answer), form)), expected] as const
}

const agree = (answer: Buffer): void => assert.equal(...both(answer))

/** The generated code takes some messages that go beyond what they are in. */
const agreeIfTaken = (answer: Buffer): void => {
  const [decoded, expected] = both(answer)
  if (decoded !== 'refused') assert.equal(decoded, expected)
}

const test = suite('what the store answers')

test('an event, with what it links to or without, is what the generated code reads', () => {
  const either = fc.option(anyEvent)
  fc.assert(fc.property(either, either, place, (event, link, at) => agree(answered(event, link, at))), { numRuns: 1_000 })
})

test('an event in the form in which servers write it is read where it lies', () => {
  // Text that looks like a decoder's complaint is looked at twice.
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((it) => !/\u{FFFD}|^\u{FEFF}/u.test(it))
  const usual = fc.record({
    id: fc.uuid(), type: name, contentType: fc.constant('application/json'), stream: name,
    data: bytes.map((it) => Buffer.from([1, ...it])),
    metadata: bytes.map((it) => Buffer.from(it)), position: fc.maxSafeNat(), revision: fc.maxSafeNat(),
    createdTicks: fc.nat().map(String),
  })
  const lies = (answer: Buffer): void => {
    agree(answer)
    const read = decode(answer)
    assert.is(read.kind === 'event' && read.event.data.buffer, answer.buffer)
  }
  fc.assert(fc.property(usual, (event) => lies(eventBytes({ event }, 'string'))), { numRuns: 500 })
  const nat = fc.maxSafeNat().map(String)
  const numbered = fc.record({ revision: nat, commit: nat, prepare: nat })
  fc.assert(fc.property(usual, numbered, fc.constantFrom('256', 'none'), ({ id: text, type, ...event }, numbers, at) => {
    const properties: [string, string][] = [['type', type], ['created', '17'], ['content-type', 'application/json']]
    lies(answered({ ...event, ...numbers, properties, id: { id: text, form: 'string' } }, null, at))
  }), { numRuns: 500 })
})

test('an answer that was cut off is none', () => {
  fc.assert(fc.property(anyEvent, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (event, part) => {
    const answer = answered(event, null, '256')
    const cut = answer.subarray(0, 1 + Math.floor(part * (answer.length - 1)))
    assert.throws(() => decode(cut), (error: unknown) => error instanceof StoreUnavailable)
  }), { numRuns: 1_000 })
})

// Bytes below 128 only: for a text of gibibytes, which is not there, the generated code looks for seconds.
test('odd bytes are refused, or are what the generated code makes of them', () => {
  const small = fc.uint8Array({ max: 127, maxLength: 300 })
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(127)), { minLength: 1, maxLength: 3 })
  fc.assert(fc.property(fc.uuid(), small, small, changes, (id, data, metadata, changed) => {
    const properties: [string, string][] = [['type', 'JobStarted'], ['created', '17']]
    const numbers = { revision: '1', prepare: '100', commit: '100' }
    const event = { id: { id, form: 'string' as const }, stream: 'job-1', ...numbers, properties, data, metadata }
    const answer = answered(event, null, '100')
    for (const [at, value] of changed) answer[at % answer.length] = value
    agreeIfTaken(answer)
  }), { numRuns: 3_000 })
  fc.assert(fc.property(small, (any) => agreeIfTaken(Buffer.from(any))), { numRuns: 1_000 })
})

test('what is no event says how far one has come, or nothing', () => {
  assert.equal(decode(checkpointBytes(4_711)), { kind: 'checkpoint', position: { commit: 4_711n, prepare: 4_711n } })
  assert.equal(decode(caughtUpBytes()), { kind: 'caught-up' })
  assert.equal(decode(confirmationBytes('subscription')), { kind: 'nothing' })
  assert.equal(decode(Buffer.alloc(0)), { kind: 'nothing' })
})

test.run()
