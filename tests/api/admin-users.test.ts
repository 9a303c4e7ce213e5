import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { adminUserEndpoints } from '../../command-handlers/admin-users.ts'
import { knownOrganisations } from '../../infra/organisations/known.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { adminUsers } from '../../read-api/admin/users.ts'
import { ORGANISATIONS, type OrganisationScene, startOrganisations } from '../support/organisation-scene.ts'
import type { Answer } from '../support/rest.ts'

const test = suite('what operators do to users')

const USERS = '/api/admin/users'
let scene: OrganisationScene
const ended: string[] = []
let held: readonly string[] = []

test.before(async () => {
  const people = ['olga', 'ann', 'bob', 'dan', 'eve', 'fay']
  scene = await startOrganisations(people, async ({ store, auth, personal, now, readStore }) => {
    const known = knownOrganisations({ db: readStore.db, personal })
    return [
      ...adminUserEndpoints({
        store,
        personal,
        sessions: auth.sessions,
        credentials: auth.credentials,
        organisations: { ...known, holdings: async (ownerId) => [...(await known.holdings(ownerId)), ...held] },
        endings: [async (accountId) => void ended.push(accountId)],
        now,
        traceparent: () => undefined,
      }),
      ...adminUsers({ db: readStore.db.withSchema(READ_SCHEMA), personal, catalogue: readCatalogue() }),
    ]
  })
})
test.after(() => scene.close())

const problem = ({ status, body }: Answer): readonly [number, string] => [
  status,
  z.object({ type: z.string() }).parse(body).type.replace('/problems/', ''),
]
const at = (name: string): string => `${USERS}/${scene.idOf(name)}`
const suspend = (name: string, reason = 'the bill is not paid') =>
  scene.ask('olga', 'POST', at(name), { body: { suspend: { reason } } })
const unsuspend = (name: string) => scene.ask('olga', 'POST', at(name), { body: { unsuspend: {} } })
const Users = z.object({
  users: z.array(
    z.object({
      id: z.string(), login: z.string(), suspended: z.boolean(), suspended_because: z.string().nullable(), deleted: z.boolean(),
    }),
  ),
})
const userNamed = async (name: string) => {
  const { users } = Users.parse((await scene.ask('olga', 'GET', USERS)).body)
  const found = users.find(({ id }) => id === scene.idOf(name))
  return found && [found.login, found.suspended, found.suspended_because, found.deleted]
}
const login = (name: string) => scene.service.rest.ask('POST', '/api/v2/auth/login', { body: scene.person(name) })
const tokenOf = async (name: string) => {
  const made = await scene.ask(name, 'POST', '/api/v2/auth/oauth2/clients', { body: { name: 'ci' } })
  const { client_id, client_secret } = z.object({ client_id: z.string(), client_secret: z.string() }).parse(made.body)
  const raw = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }).toString()
  const ask = () => scene.service.rest.ask('POST', '/api/auth/oauth2/token', { raw })
  return { ask, token: z.object({ access_token: z.string() }).parse((await ask()).body).access_token }
}

test('customers are listed, as a table too, and no operator with them', async () => {
  assert.equal(await userNamed('ann'), ['ann@example.com', false, null, false])
  assert.is(await userNamed('olga'), undefined)
  const { status, headers, text } = await scene.ask('olga', 'GET', `${USERS}/csv`)
  assert.is(status, 200)
  assert.match(headers.get('content-type') ?? '', /^text\/csv/)
  assert.match(text, /^"?id"?,"?login"?,"?first_name"?/)
  assert.match(text, /ann@example\.com/)
})

test('nobody but an operator may', async () => {
  assert.is((await scene.ask('ann', 'GET', USERS)).status, 403)
  assert.is((await scene.ask('ann', 'POST', at('bob'), { body: { suspend: { reason: 'x' } } })).status, 403)
  assert.is((await scene.ask('ann', 'DELETE', at('bob'))).status, 403)
  assert.is((await scene.service.rest.ask('GET', USERS)).status, 401)
  assert.is((await scene.ask('olga', 'GET', `${USERS}/count`)).status, 401)
})

test('a suspended user is signed out everywhere at once and cannot come in, until he is let in again', async () => {
  const { token, ask } = await tokenOf('bob')
  const check = (options: object) => scene.service.rest.ask('GET', '/api/auth/check', options)
  const cookie = await scene.signIn('bob')
  assert.is((await check({ as: token })).status, 200)
  const done = await suspend('bob')
  assert.equal([done.status, done.body], [200, {}])
  assert.is((await check({ as: token })).status, 401)
  assert.is((await check({ headers: { cookie } })).status, 401)
  assert.is((await scene.ask('bob', 'GET', ORGANISATIONS)).status, 401)
  assert.is((await login('bob')).status, 403)
  assert.is((await ask()).status, 401)
  assert.equal(await userNamed('bob'), ['bob@example.com', true, 'the bill is not paid', false])
  assert.is((await suspend('bob', 'again')).status, 200)
  assert.is((await unsuspend('bob')).status, 200)
  assert.is((await login('bob')).status, 200)
  assert.is((await check({ headers: { cookie } })).status, 401)
  const again = await unsuspend('bob')
  assert.equal(problem(again), [400, 'account-not-suspended'])
  assert.is(z.object({ error: z.string() }).parse(again.body).error, 'user not suspended')
})

test('why and by whom is in the trail of the one whom it concerns, and sealed', async () => {
  const { events } = await scene.stores.store.read(`account-${scene.idOf('bob')}`)
  const found = events.filter(({ type }) => type.includes('uspended'))
  assert.equal(
    found.map(({ type, metadata: { organisationId, actor } }) => [type, organisationId, actor.kind, actor.id]),
    ['AccountSuspended', 'AccountUnsuspended'].map((type) => [type, scene.idOf('bob'), 'operator', scene.idOf('olga')]),
  )
  assert.not.ok(JSON.stringify(found.map(({ data, metadata }) => [data, metadata])).includes('the bill'))
})

test('what is wrong is refused', async () => {
  const suspends = [{}, null, { reason: '' }, { reason: 1 }]
  const bodies = [{}, { suspend: {}, unsuspend: {} }, null, [], ...suspends.map((one) => ({ suspend: one }))]
  for (const body of bodies) {
    assert.is((await scene.ask('olga', 'POST', at('ann'), { body })).status, 400, JSON.stringify(body))
  }
  const nobody = `${USERS}/0e000000-0000-4000-8000-000000000005`
  assert.equal(problem(await scene.ask('olga', 'POST', nobody, { body: { unsuspend: {} } })), [404, 'account-not-found'])
  assert.equal(problem(await scene.ask('olga', 'DELETE', nobody)), [404, 'account-not-found'])
  assert.equal(problem(await scene.ask('olga', 'DELETE', at('olga'))), [403, 'forbidden'])
  assert.equal(problem(await suspend('olga')), [403, 'forbidden'])
  assert.is(await userNamed('ann').then((found) => found?.[1]), false)
})

test('a user who has something, or whom others need, is not deleted', async () => {
  held = ['datastore 1']
  assert.equal(problem(await scene.ask('olga', 'DELETE', at('dan'))), [409, 'organisation-in-use'])
  held = []
  const id = await scene.found('dan')
  await scene.join('dan', id, 'eve', 'admin')
  assert.equal(problem(await scene.ask('olga', 'DELETE', at('dan'))), [409, 'last-owner'])
  assert.is((await login('dan')).status, 200)
})

test('one who is deleted is nobody any more, is counted still, and has left his organisations', async () => {
  const shared = await scene.found('ann')
  await scene.join('ann', shared, 'fay', 'developer')
  const alone = await scene.found('fay')
  const { ask } = await tokenOf('fay')
  const done = await scene.ask('olga', 'DELETE', at('fay'))
  assert.equal([done.status, done.body], [200, { deleted: true }])
  assert.is((await scene.ask('olga', 'DELETE', at('fay'))).status, 200)
  assert.is((await login('fay')).status, 401)
  assert.is((await ask()).status, 401)
  assert.is((await scene.ask('fay', 'GET', ORGANISATIONS)).status, 401)
  assert.equal(await userNamed('fay'), ['fay@example.com', false, null, true])
  assert.ok(ended.includes(scene.idOf('fay')))
  const members = z.object({ members: z.int() }).parse((await scene.ask('ann', 'GET', `${ORGANISATIONS}/${shared}`)).body)
  assert.is(members.members, 1)
  const { events } = await scene.stores.store.read(`organisation-${alone}`)
  assert.equal(events.map(({ type }) => type), ['OrganisationCreated', 'OrganisationDeleted'])
  assert.equal(problem(await suspend('fay')), [404, 'account-not-found'])
})

test.run()
