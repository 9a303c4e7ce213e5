import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Endpoint, needOf, type Principal } from '../../domain/kernel/endpoint.ts'
import { may, ROLES, type Role } from '../../domain/kernel/roles.ts'
import { basicGuard } from '../../infra/http/basic.ts'
import { everyEndpoint } from '../support/every-endpoint.ts'
import { type Rest, startRest } from '../support/rest.ts'
import { pageTable, rolesTable } from '../support/roles-page.ts'

const test = suite('who may make which call')

const USER = '0a000000-0000-4000-8000-000000000001'
const ORGANISATION = '0d000000-0000-4000-8000-000000000004'
const MACHINE = { username: 'machine', password: 'secret' }

let endpoints: readonly Endpoint[]
let rest: Rest
let as: Role = 'owner'

/** Tells that somebody was let in, and does nothing. */
const letIn = (endpoint: Endpoint): Endpoint => ({
  ...endpoint,
  replies: { 200: { description: 'let in' } },
  handle: async ({ principal }) => ({ status: 200, body: { owner: principal.ownerId, role: principal.role } }),
})

test.before(async () => {
  const found = await everyEndpoint()
  endpoints = found.endpoints
  await found.close()
  const common = { userId: USER, login: 'ann', ownerId: USER, role: 'owner', ownerNamed: false } as const
  const known: Readonly<Record<string, Principal>> = {
    user: { ...common, kind: 'user', isAdmin: false },
    operator: { ...common, kind: 'operator', isAdmin: true },
  }
  rest = await startRest(endpoints.map(letIn), {
    authenticate: async (header) => known[header('authorization')?.replace(/^Bearer /, '') ?? ''],
    roleIn: async (_, organisationId) => (organisationId === ORGANISATION ? as : undefined),
    isBasic: basicGuard(MACHINE),
  })
})
test.after(() => rest.close())

const pathOf = ({ path }: Endpoint): string => path.replace(':id', ORGANISATION).replaceAll(/:\w+/g, USER)
const statusOf = async (endpoint: Endpoint, headers: Readonly<Record<string, string>>): Promise<number> =>
  (await rest.ask(endpoint.method, pathOf(endpoint), { headers })).status

test('the page tells every call, and who may make it', () => {
  assert.is(pageTable(), rolesTable(endpoints), 'it is made anew by: node tests/support/roles-page.ts')
})

test('every call of every role is let in or refused as the table says', async () => {
  const own = endpoints.filter(({ access }) => access === 'user')
  assert.ok(own.length > 50)
  for (const role of ROLES) {
    as = role
    for (const endpoint of own) {
      const headers = { authorization: 'Bearer user', 'ccx-owner': `org:${ORGANISATION}` }
      const expected = may(role, needOf(endpoint)) ? 200 : 403
      assert.is(await statusOf(endpoint, headers), expected, `${endpoint.method} ${endpoint.path} as ${role}`)
    }
  }
})

test('everyone may do everything in his own scope, and nothing without signing in', async () => {
  for (const endpoint of endpoints.filter(({ access, of }) => access === 'user' && of === undefined)) {
    const what = `${endpoint.method} ${endpoint.path}`
    assert.is(await statusOf(endpoint, { authorization: 'Bearer user' }), 200, what)
    assert.is(await statusOf(endpoint, {}), 401, what)
  }
})

test("operators' calls are theirs, each by the way that it says", async () => {
  const basic = `Basic ${Buffer.from(`${MACHINE.username}:${MACHINE.password}`).toString('base64')}`
  for (const endpoint of endpoints) {
    if (endpoint.access === 'user') continue
    const what = `${endpoint.method} ${endpoint.path}`
    const { access } = endpoint
    const found = [
      await statusOf(endpoint, {}),
      await statusOf(endpoint, { authorization: 'Bearer user' }),
      await statusOf(endpoint, { authorization: 'Bearer operator' }),
      await statusOf(endpoint, { authorization: basic }),
    ]
    const expected = {
      public: [200, 200, 200, 200],
      admin: [401, 403, 200, 401],
      basic: [401, 401, 401, 200],
      'admin-or-basic': [401, 403, 200, 200],
    }[access]
    assert.equal(found, expected, what)
  }
})

test('an organisation of the path is there for its members alone', async () => {
  as = 'owner'
  const own = endpoints.filter(({ of }) => of === 'organisation')
  assert.ok(own.length > 10)
  for (const endpoint of own) {
    const { body } = await rest.ask(endpoint.method, pathOf(endpoint), { headers: { authorization: 'Bearer user' } })
    assert.equal(body, { owner: ORGANISATION, role: 'owner' })
    const path = pathOf(endpoint).replace(ORGANISATION, '0e000000-0000-4000-8000-000000000005')
    const foreign = await rest.ask(endpoint.method, path, { headers: { authorization: 'Bearer user' } })
    assert.is(foreign.status, 404, `${endpoint.method} ${endpoint.path}`)
  }
})

test.run()
