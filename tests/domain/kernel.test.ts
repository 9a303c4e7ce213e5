import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import { isRejection, reject } from '../../domain/kernel/decider.ts'
import { Malformed, Refused, endpoint } from '../../domain/kernel/endpoint.ts'
import { isAfter, parsePosition, positionText } from '../../domain/kernel/event-store.ts'
import { later, reached } from '../../domain/kernel/time.ts'

const test = suite('the kernel')

const most = 2n ** 63n - 1n
const positions = fc.record({ commit: fc.bigInt(0n, most), prepare: fc.bigInt(0n, most) }, { noNullPrototype: true })

test('a position is read back from its text', () =>
  fc.assert(fc.property(positions, (position) => assert.equal(parsePosition(positionText(position)), position))))

test('no other text is a position', () => {
  for (const text of ['', '1', '1/', '/1', '1/2/3', '-1/2', ' 1/2', '1/2\n', '1.5/2', 'a/b', `1/${'9'.repeat(20)}`, '١/٢']) {
    assert.is(parsePosition(text), undefined, JSON.stringify(text))
  }
})

test('positions are ordered by commit, then by prepare, and all lie after the start', () => {
  fc.assert(
    fc.property(positions, positions, (a, b) => {
      const same = a.commit === b.commit && a.prepare === b.prepare
      assert.is(Number(isAfter(a, b)) + Number(isAfter(b, a)) + Number(same), 1)
      assert.ok(isAfter(a, 'start'))
    }),
  )
  assert.ok(isAfter({ commit: 2n, prepare: 1n }, { commit: 1n, prepare: 9n }))
  assert.ok(isAfter({ commit: 1n, prepare: 2n }, { commit: 1n, prepare: 1n }))
})

const instants = fc.integer({ min: 0, max: Date.parse('9000-01-01') }).map((ms) => new Date(ms).toISOString())

test('an instant is reached at that instant and ever after, never before', () => {
  fc.assert(
    fc.property(instants, fc.nat(1e9), (at, ms) => {
      assert.ok(reached(at, at))
      assert.ok(reached(at, later(at, ms)))
      assert.is(reached(later(at, ms + 1), at), false)
    }),
  )
})

test('later counts milliseconds, over a leap day too', () => {
  assert.is(later('2028-02-28T23:59:59.999Z', 1), '2028-02-29T00:00:00.000Z')
  assert.is(later('2030-01-01T12:00:00.000Z', 90_000), '2030-01-01T12:01:30.000Z')
})

test('a refusal is told from events by what it is', () => {
  assert.ok(isRejection(reject('full', 'there is no room')))
  assert.is(isRejection([]), false)
})

const request = {
  params: {}, query: {}, body: { size: 'big' }, requestId: 'req_1', idempotencyKey: undefined, address: '127.0.0.1',
  header: () => undefined,
  signal: new AbortController().signal,
  principal: { kind: 'user', userId: 'u', login: 'l', isAdmin: false, ownerId: 'o', role: 'owner', ownerNamed: false },
} as const
const sized = {
  parse: (input: unknown): { readonly size: number } => {
    const size = typeof input === 'object' && input !== null && 'size' in input ? input.size : undefined
    if (typeof size !== 'number') throw new Error('size must be a number')
    return { size }
  },
}
const sizing = endpoint({
  method: 'POST', path: '/sizes', summary: 'Sizes', tag: 'Sizes', access: 'user', body: sized, replies: {},
  handle: async ({ body }) => ({ status: 200, body: body.size }),
})

test('an endpoint gives its handler what its schemas made of the request', async () =>
  assert.equal(await sizing.handle({ ...request, body: { size: 3, other: 1 } }), { status: 200, body: 3 }))

test('an endpoint says which part of a request its schema refused, and keeps the cause', () => {
  const call = async (): Promise<unknown> => sizing.handle(request)
  return call().then(
    () => assert.unreachable(),
    (error: unknown) => {
      assert.instance(error, Malformed)
      assert.ok(error instanceof Malformed && error.cause instanceof Error && error.part === 'body')
    },
  )
})

test('a refusal that is thrown keeps its code and its sentence', () => {
  const error = new Refused(reject('full', 'there is no room'))
  assert.is(`${error.code}: ${error.message}`, 'full: there is no room')
})

test.run()
