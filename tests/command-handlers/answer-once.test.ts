import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fingerprintOf } from '../../command-handlers/answer-once.ts'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { Refused, type Reply } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from '../support/examples.ts'
import { principals } from '../support/rest.ts'
import { openPersonalData } from '../support/personal-data.ts'

const answers = suite('a request with an idempotency key')

const body = {
  general: { cluster_name: 'alpha', cluster_size: 3, db_vendor: 'postgres' },
  cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
  instance: { instance_size: 'nano' },
}

const post = async (store: EventStore, asked: unknown = body): Promise<Reply> => {
  const [create] = commandEndpoints({
    store,
    catalogue: readCatalogue(),
    sagas,
    domain: 'ccx.test',
    ttlSeconds: 15,
    now: () => noon,
    personal: openPersonalData,
    traceparent: () => undefined,
  })
  if (create === undefined) throw new Error('BUG: the first endpoint creates')
  return create.handle({
    params: {},
    query: {},
    body: asked,
    principal: principals.alice,
    requestId: 'req_1',
    idempotencyKey: 'key-1',
    address: '127.0.0.1',
    header: () => undefined,
    signal: new AbortController().signal,
  })
}

/** A store whose user dies at its `n`th append: before it is written, or after, when nobody hears of it. */
const dyingAt = (store: EventStore, n: number, written: boolean): EventStore => {
  let appends = 0
  return {
    ...store,
    append: async (stream, events, options) => {
      if (++appends < n) return store.append(stream, events, options)
      if (written) await store.append(stream, events, options)
      throw new Error('killed')
    },
  }
}

const typesOf = async (store: EventStore): Promise<readonly string[]> => {
  const events = await store.readAll({ after: 'start', prefixes: [''], limit: 100 })
  return events.map(({ type }) => type)
}

const ALL = ['DatastoreCreated', 'JobQueued', 'JobAdmitted', 'RequestAnswered']

for (const at of [1, 2]) {
  for (const written of [false, true]) {
    answers(
      `is carried out once, killed ${written ? 'after' : 'before'} its append ${at} and sent again`,
      async () => {
        const store = memoryEventStore()
        await post(dyingAt(store, at, written)).then(
          () => assert.unreachable(),
          () => undefined,
        )
        const { headers: _, ...reply } = await post(store)
        const { headers: __, ...again } = await post(store)
        assert.is(reply.status, 201)
        assert.equal(again, reply)
        assert.equal(await typesOf(store), ALL)
      },
    )
  }
}

answers(
  'cannot be answered with what another request under its key led to, even if the first reply was never recorded',
  async () => {
    const store = memoryEventStore()
    await post(dyingAt(store, 2, false)).then(
      () => assert.unreachable(),
      () => undefined,
    )
    const other = post(store, { ...body, instance: { instance_size: 'micro' } })
    await other.then(
      () => assert.unreachable(),
      (error: unknown) => assert.is(error instanceof Refused && error.code, 'idempotency-key-reused'),
    )
    assert.equal(await typesOf(store), ALL.slice(0, 3))
  },
)

answers('has a fingerprint that looks at values and not at the order of members', () => {
  assert.is(
    fingerprintOf({ a: 1, b: [true, null, { c: 'x', d: 2 }] }),
    fingerprintOf({ b: [true, null, { d: 2, c: 'x' }], a: 1 }),
  )
  assert.is.not(fingerprintOf({ a: ['1', '2'] }), fingerprintOf({ a: ['1,2'] }))
  assert.is.not(fingerprintOf({ a: 1 }), fingerprintOf({ a: '1' }))
})

answers.run()
