import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { integrationEndpoints, type StreamUsers } from '../../command-handlers/integration.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { principals, type Rest, startRest } from '../support/rest.ts'

const PATH = '/api/v1/event-stream/credentials'
const test = suite('credentials for the stream of events')

const unused = () => Promise.reject(new Error('BUG: no user is touched here'))
const untouched: StreamUsers = {
  distinguishes: true,
  reserve: async () => true,
  ensureUser: unused,
  removeUser: unused,
  grantRead: unused,
}

const serve = (users: Partial<StreamUsers>, kind: 'user' | 'client' = 'user'): Promise<Rest> =>
  startRest(
    integrationEndpoints({
      store: memoryEventStore(),
      users: { ...untouched, ...users },
      personal: openPersonalData,
      streamOf: (organisationId) => `integration-${organisationId}`,
      place: { scheme: 'esdb:', host: 'localhost:2113', authorityPem: null },
      newPassword: () => 'new',
      now: () => noon,
      traceparent: () => undefined,
    }),
    { authenticate: async () => ({ ...principals.alice, kind }) },
  )

const refusals: Readonly<Record<string, { readonly rest: () => Promise<Rest>; readonly status: number }>> = {
  'where the event store has no users': { rest: () => serve({ distinguishes: false }), status: 409 },
  'where every user reads everything': { rest: () => serve({ reserve: async () => false }), status: 409 },
  'to a client, whose token may have leaked': { rest: () => serve({}, 'client'), status: 403 },
  'to an account that is not there': { rest: () => serve({}), status: 404 },
}
for (const [why, { rest: start, status }] of Object.entries(refusals)) {
  test(`are refused ${why}`, async () => {
    const rest = await start()
    assert.is((await rest.ask('POST', PATH)).status, status)
    await rest.close()
  })
}

test('are not told of before there are any', async () => {
  const rest = await serve({})
  assert.is((await rest.ask('GET', PATH)).status, 404)
  await rest.close()
})

test.run()
