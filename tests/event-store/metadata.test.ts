import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EventMetadata, isMetadata } from '../../infra/event-store/event-metadata.ts'

/** Nearly always what belongs there, now and then anything else or nothing. */
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: right, weight: 30 }, { arbitrary: fc.jsonValue(), weight: 1 })

const text = mostly(fc.string())
const object = mostly(fc.dictionary(fc.string(), fc.jsonValue()))

const actor = fc.record(
  {
    kind: mostly(fc.constantFrom('user', 'client', 'operator', 'system')), id: text, clientId: text, role: text,
    address: text, more: fc.jsonValue(),
  },
  { requiredKeys: ['kind', 'id'] },
)
const command = fc.record({ type: text, data: object, more: fc.jsonValue() }, { requiredKeys: ['type', 'data'] })
const metadata = fc.record(
  {
    commandId: text, correlationId: text, causationId: text, actor: mostly(actor), organisationId: text, requestId: text,
    traceparent: text, command: mostly(command), more: fc.jsonValue(),
  },
  { requiredKeys: ['commandId', 'correlationId', 'causationId', 'actor'] },
)
const lacking = fc.tuple(metadata, fc.nat(20)).map(([whole, n]) =>
  Object.fromEntries(Object.entries(whole).filter((_, at) => at !== n)))

/** What one reads is what came as JSON; but for a member `__proto__`, which the schema leaves out and we keep. */
const read = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (name, member: unknown) => (name === '__proto__' ? undefined : member))

const test = suite('what an event says of why it was written')

test('is looked at as the schema does, whatever it is', () => {
  let taken = 0
  fc.assert(fc.property(fc.oneof(metadata, lacking, fc.jsonValue()), (any) => {
    const value = read(any)
    const parsed = EventMetadata.safeParse(value)
    assert.is(isMetadata(value), parsed.success)
    if (parsed.success) assert.equal(value, parsed.data)
    taken += parsed.success ? 1 : 0
  }), { numRuns: 3_000 })
  assert.ok(taken > 300)
})

test.run()
