import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { ROLES, type Role } from '../../domain/kernel/roles.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import { listMails } from '../../infra/mail/outbox.ts'
import { ORGANISATIONS, type OrganisationScene, startOrganisations } from '../support/organisation-scene.ts'
import type { Answer } from '../support/rest.ts'

const test = suite('organisations over REST')

let scene: OrganisationScene

test.before(async () => {
  scene = await startOrganisations(['ann', 'bob', 'dan', 'eve'])
})
test.after(() => scene.close())

const at = (organisationId: string, rest = ''): string => `${ORGANISATIONS}/${organisationId}${rest}`
const problem = ({ status, body }: Answer): readonly [number, string] => [
  status,
  z.object({ type: z.string() }).parse(body).type.replace('/problems/', ''),
]
const membersOf = async (name: string, organisationId: string) =>
  z
    .object({ members: z.array(z.object({ user_id: z.string(), login: z.string().nullable(), role: z.enum(ROLES) })) })
    .parse((await scene.ask(name, 'GET', at(organisationId, '/members'))).body)
    .members.map(({ login, role }) => [login, role])

test('whoever makes an organisation owns it, and sees it among his scopes', async () => {
  const id = await scene.found('ann', 'Tides')
  const { body } = await scene.ask('ann', 'GET', '/api/v1/organisations')
  const { organisations } = z.object({ organisations: z.array(z.looseObject({ id: z.string() })) }).parse(body)
  const { created_at: _, ...own } = organisations.find((one) => one.id === id) ?? { id: '' }
  assert.equal(own, { id, name: 'Tides', role: 'owner', members: 1 })
  assert.equal(await membersOf('ann', id), [[scene.loginOf('ann'), 'owner']])
})

test('the same creation under one key happens once', async () => {
  const make = () =>
    scene.ask('ann', 'POST', ORGANISATIONS, { body: { name: 'Once' }, headers: { 'idempotency-key': 'make-once' } })
  const [first, second] = [await make(), await make()]
  assert.is(first.status, 201)
  assert.equal(second.body, first.body)
  assert.is(second.headers.get('idempotent-replayed'), 'true')
})

test('one who is invited by mail joins with what is in it, once', async () => {
  const id = await scene.found('ann')
  const token = await scene.invite('ann', id, 'bob', 'developer')
  assert.match(token, /^[A-Za-z0-9_-]{43}$/)
  const accepted = await scene.ask('bob', 'POST', `/api/v1/invitations/${token}/accept`)
  assert.equal([accepted.status, accepted.body], [200, { organisation_id: id }])
  assert.equal(await membersOf('bob', id), [[scene.loginOf('ann'), 'owner'], [scene.loginOf('bob'), 'developer']])
  const again = await scene.ask('eve', 'POST', `/api/v1/invitations/${token}/accept`)
  assert.equal(problem(again), [404, 'invitation-not-found'])
  assert.equal((await scene.ask('ann', 'GET', at(id, '/invitations'))).body, { invitations: [] })
})

test('an invitation that is declined, taken back, or older than a week lets nobody in', async () => {
  const id = await scene.found('ann')
  const declined = await scene.invite('ann', id, 'bob', 'viewer')
  assert.is((await scene.ask('bob', 'POST', `/api/v1/invitations/${declined}/decline`)).status, 200)
  assert.equal(problem(await scene.ask('bob', 'POST', `/api/v1/invitations/${declined}/accept`)), [404, 'invitation-not-found'])
  const revoked = await scene.invite('ann', id, 'bob', 'viewer')
  const open = z.object({ invitations: z.array(z.object({ id: z.string(), email: z.string(), role: z.string() })) })
  const [one, ...others] = open.parse((await scene.ask('ann', 'GET', at(id, '/invitations'))).body).invitations
  assert.equal([one?.email, one?.role, others], [scene.loginOf('bob'), 'viewer', []])
  assert.is((await scene.ask('ann', 'DELETE', at(id, `/invitations/${one?.id}`))).status, 200)
  assert.equal(problem(await scene.ask('bob', 'POST', `/api/v1/invitations/${revoked}/accept`)), [404, 'invitation-not-found'])
  const late = await scene.invite('ann', id, 'bob', 'viewer')
  scene.service.advance(8 * 24 * 3_600_000)
  assert.equal(problem(await scene.ask('bob', 'POST', `/api/v1/invitations/${late}/accept`)), [404, 'invitation-not-found'])
})

test('the same invitation under one key is one invitation and one mail', async () => {
  const id = await scene.found('ann')
  const body = { email: 'fay@example.com', role: 'viewer' }
  const ask = () => scene.ask('ann', 'POST', at(id, '/invitations'), { body, headers: { 'idempotency-key': 'fay' } })
  assert.equal((await ask()).body, (await ask()).body)
  const mails = await listMails(scene.mails, scene.stores.personal, { limit: 1_000 })
  assert.is(mails.filter(({ mail }) => mail?.to === 'fay@example.com').length, 1)
})

test('no token is in the log, and none in what is logged', async () => {
  const id = await scene.found('ann')
  const token = await scene.invite('ann', id, 'eve', 'viewer')
  await scene.ask('bob', 'GET', `/api/v1/invitations/${token}/accept`)
  await scene.ask('eve', 'POST', `/api/v1/invitations/${token}/accept`)
  const log = await scene.stores.store.readAll({ after: 'start', prefixes: [...PREFIXES, 'request-'], limit: 100_000 })
  assert.not.ok(JSON.stringify(log.map(({ data, metadata }) => [data, metadata])).includes(token))
  assert.not.ok(scene.service.lines.join('\n').includes(token))
})

test('for whoever is no member an organisation does not exist, whatever he asks of it', async () => {
  const id = await scene.found('ann')
  const user = scene.idOf('ann')
  const calls = [
    ['GET', ''], ['PATCH', ''], ['DELETE', ''], ['GET', '/members'], ['PATCH', `/members/${user}`], ['POST', '/leave'],
    ['DELETE', `/members/${user}`], ['GET', '/invitations'], ['POST', '/invitations'], ['POST', '/hand-over'],
    ['DELETE', `/invitations/${user}`],
  ] as const
  for (const [method, rest] of calls) {
    const body = method === 'GET' ? undefined : { name: 'mine', role: 'owner', user_id: user }
    const foreign = await scene.ask('eve', method, at(id, rest), { body })
    const nothing = await scene.ask('eve', method, at(scene.idOf('eve'), rest), { body })
    assert.equal(problem(foreign), [404, 'organisation-not-found'], `${method} ${rest}`)
    assert.equal(problem(nothing), [404, 'organisation-not-found'], `${method} ${rest}`)
  }
  assert.equal(await membersOf('ann', id), [[scene.loginOf('ann'), 'owner']])
})

test('CCX-Owner names an organisation to its members, and to nobody else', async () => {
  const id = await scene.found('ann')
  const status = async (name: string, scope: string) => (await scene.ask(name, 'GET', '/api/v1/organisations', { scope })).status
  assert.is(await status('ann', `org:${id}`), 200)
  assert.is(await status('ann', `org:${id.toUpperCase()}`), 200)
  assert.is(await status('eve', `org:${id}`), 403)
  assert.is(await status('ann', `org:${scene.idOf('eve')}`), 403)
  assert.is(await status('ann', `user:${id}`), 403)
  assert.is(await status('ann', `org:${scene.idOf('ann')}`), 403)
  assert.is(await status('ann', 'org:1'), 400)
})

test('one who is removed is out at his next request', async () => {
  const id = await scene.found('ann')
  await scene.join('ann', id, 'bob', 'admin')
  assert.is((await scene.ask('bob', 'GET', at(id))).status, 200)
  assert.is((await scene.ask('ann', 'DELETE', at(id, `/members/${scene.idOf('bob')}`))).status, 200)
  assert.equal(problem(await scene.ask('bob', 'GET', at(id))), [404, 'organisation-not-found'])
  assert.is((await scene.ask('bob', 'GET', '/api/v1/organisations', { scope: `org:${id}` })).status, 403)
})

test('nobody gives more than he has, and the last owner stays', async () => {
  const id = await scene.found('ann')
  await scene.join('ann', id, 'bob', 'admin')
  await scene.join('ann', id, 'dan', 'developer')
  const role = (name: string, of: string, to: Role) =>
    scene.ask(name, 'PATCH', at(id, `/members/${scene.idOf(of)}`), { body: { role: to } })
  assert.equal(problem(await role('bob', 'dan', 'owner')), [403, 'role-too-high'])
  assert.equal(problem(await role('bob', 'ann', 'viewer')), [403, 'role-too-high'])
  assert.equal(problem(await role('dan', 'dan', 'admin')), [403, 'forbidden'])
  assert.equal(problem(await role('ann', 'ann', 'admin')), [409, 'last-owner'])
  assert.equal(problem(await role('ann', 'eve', 'admin')), [404, 'member-not-found'])
  assert.equal(problem(await scene.ask('ann', 'POST', at(id, '/leave'))), [409, 'last-owner'])
  const invite = { body: { email: 'eve@example.com', role: 'owner' } }
  assert.equal(problem(await scene.ask('bob', 'POST', at(id, '/invitations'), invite)), [403, 'role-too-high'])
  const over = (name: string, to: string) => scene.ask(name, 'POST', at(id, '/hand-over'), { body: { user_id: scene.idOf(to) } })
  assert.equal(problem(await over('bob', 'bob')), [403, 'forbidden'])
  assert.is((await over('ann', 'bob')).status, 200)
  assert.is((await scene.ask('ann', 'POST', at(id, '/leave'))).status, 200)
  assert.equal(await membersOf('bob', id), [[scene.loginOf('bob'), 'owner'], [scene.loginOf('dan'), 'developer']])
})

const CLIENTS = '/api/v2/auth/oauth2/clients'
const NewClient = z.object({ client_id: z.string(), client_secret: z.string(), role: z.enum(ROLES).nullable() })
const newClient = async (name: string, scope: string | undefined, role?: Role): Promise<z.infer<typeof NewClient>> =>
  NewClient.parse(
    (await scene.ask(name, 'POST', CLIENTS, { body: { name: 'ci', role }, ...(scope === undefined ? {} : { scope }) })).body,
  )
const tokenOf = async ({ client_id, client_secret }: z.infer<typeof NewClient>): Promise<Answer> => {
  const raw = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }).toString()
  return scene.service.rest.ask('POST', '/api/auth/oauth2/token', { raw })
}
const bearer = async (client: z.infer<typeof NewClient>): Promise<string> =>
  z.object({ access_token: z.string() }).parse((await tokenOf(client)).body).access_token
const Scopes = z.object({ scopes: z.array(z.object({ id: z.string(), type: z.string(), role: z.string(), name: z.string() })) })
const scopesOf = ({ body }: Answer) => Scopes.parse(body).scopes.map(({ id, type, role }) => [type, id, role])

test('signing in tells every scope with the role in it, the own one first', async () => {
  const id = await scene.found('dan', 'Winds')
  await scene.join('dan', id, 'eve', 'auditor')
  const body = scene.person('eve')
  const told = scopesOf(await scene.service.rest.ask('POST', '/api/v2/auth/login', { body }))
  assert.equal(told[0], ['user', scene.idOf('eve'), 'admin'])
  assert.equal(told.find(([, one]) => one === id), ['org', id, 'auditor'])
  for (const path of ['/api/auth/check', '/api/v2/auth/check']) {
    assert.equal(scopesOf(await scene.ask('eve', 'GET', path)), told)
  }
})

test('a client acts in the scope it was made for, and in no other, as no more than it may', async () => {
  const id = await scene.found('ann')
  const scope = `org:${id}`
  const client = await newClient('ann', scope, 'viewer')
  const token = await bearer(client)
  const ask = (method: string, path: string, headers = {}) => scene.service.rest.ask(method, path, { as: token, headers })
  assert.equal(scopesOf(await ask('GET', '/api/v2/auth/check')), [['org', id, 'viewer']])
  assert.is((await ask('GET', at(id, '/members'))).status, 200)
  assert.is((await ask('GET', at(id, '/invitations'))).status, 403)
  assert.is((await ask('GET', '/api/v1/organisations', { 'ccx-owner': scope })).status, 200)
  assert.is((await ask('GET', '/api/v1/organisations', { 'ccx-owner': `user:${scene.idOf('ann')}` })).status, 403)
  const other = await scene.found('ann')
  assert.equal(problem(await ask('GET', at(other))), [404, 'organisation-not-found'])
  const listed = z.object({ clients: z.array(z.object({ client_id: z.string() })) })
  const clientsIn = async (headers: object) => listed.parse((await scene.ask('ann', 'GET', CLIENTS, headers)).body).clients
  assert.equal((await clientsIn({ scope })).map(({ client_id: one }) => one), [client.client_id])
  assert.not.ok((await clientsIn({})).some(({ client_id: one }) => one === client.client_id))
  const own = await bearer(await newClient('ann', undefined))
  const foreign = await scene.service.rest.ask('GET', '/api/v1/organisations', { as: own, headers: { 'ccx-owner': scope } })
  assert.is(foreign.status, 403)
})

test('clients are made by administrators, with no more than they have, and revoked by each of them', async () => {
  const id = await scene.found('ann')
  const scope = `org:${id}`
  await scene.join('ann', id, 'bob', 'admin')
  await scene.join('ann', id, 'dan', 'developer')
  const make = (name: string, role: Role) => scene.ask(name, 'POST', CLIENTS, { scope, body: { name: 'ci', role } })
  assert.equal(problem(await make('dan', 'viewer')), [403, 'forbidden'])
  assert.equal(problem(await make('bob', 'owner')), [403, 'role-too-high'])
  const client = await newClient('ann', scope)
  assert.is(client.role, 'owner')
  const path = `${CLIENTS}/${client.client_id}`
  assert.equal(problem(await scene.ask('bob', 'POST', `${path}/rotate`, { scope, body: {} })), [403, 'forbidden'])
  assert.equal(problem(await scene.ask('eve', 'DELETE', path)), [404, 'client-not-found'])
  assert.equal(problem(await scene.ask('ann', 'DELETE', path)), [404, 'client-not-found'])
  const token = await bearer(client)
  assert.is((await scene.ask('bob', 'DELETE', path, { scope })).status, 200)
  assert.is((await scene.service.rest.ask('GET', at(id), { as: token })).status, 401)
})

test("whoever is removed takes his clients' rights with him, and coming back does not bring them back", async () => {
  const id = await scene.found('ann')
  const scope = `org:${id}`
  await scene.join('ann', id, 'bob', 'admin')
  const client = await newClient('bob', scope)
  const token = await bearer(client)
  const status = async () => (await scene.service.rest.ask('GET', at(id), { as: token })).status
  assert.is(await status(), 200)
  const lower = { body: { role: 'auditor' } }
  await scene.ask('ann', 'PATCH', at(id, `/members/${scene.idOf('bob')}`), lower)
  assert.is((await scene.service.rest.ask('GET', at(id, '/invitations'), { as: token })).status, 403)
  await scene.ask('ann', 'DELETE', at(id, `/members/${scene.idOf('bob')}`))
  assert.is(await status(), 401)
  scene.service.advance(1_000)
  await scene.join('ann', id, 'bob', 'admin')
  assert.is(await status(), 401)
})

test('a client does not do what concerns its user', async () => {
  const id = await scene.found('ann')
  const token = await bearer(await newClient('ann', `org:${id}`))
  const ask = (method: string, path: string, body?: unknown) => scene.service.rest.ask(method, path, { as: token, body })
  assert.equal(problem(await ask('POST', at(id, '/leave'))), [403, 'forbidden'])
  assert.equal(problem(await ask('DELETE', at(id))), [403, 'forbidden'])
  assert.equal(problem(await ask('POST', at(id, '/hand-over'), { user_id: scene.idOf('bob') })), [403, 'forbidden'])
  assert.equal(problem(await ask('POST', ORGANISATIONS, { name: 'mine' })), [403, 'forbidden'])
  assert.equal(problem(await ask('POST', `/api/v1/invitations/${'x'.repeat(43)}/accept`)), [403, 'forbidden'])
})

test('an organisation is renamed by its administrators and deleted by its owner', async () => {
  const id = await scene.found('ann')
  await scene.join('ann', id, 'bob', 'admin')
  assert.is((await scene.ask('bob', 'PATCH', at(id), { body: { name: 'Storms' } })).status, 200)
  const read = z.object({ name: z.string(), role: z.string() }).parse((await scene.ask('bob', 'GET', at(id))).body)
  assert.equal(read, { name: 'Storms', role: 'admin' })
  assert.equal(problem(await scene.ask('bob', 'DELETE', at(id))), [403, 'forbidden'])
  assert.is((await scene.ask('ann', 'DELETE', at(id))).status, 200)
  assert.equal(problem(await scene.ask('ann', 'GET', at(id))), [404, 'organisation-not-found'])
})

test('what is wrong is refused by field', async () => {
  const id = await scene.found('ann')
  const fields = async (path: string, body: unknown, method = 'POST') => {
    const answer = await scene.ask('ann', method, path, { body })
    assert.is(answer.status, 400)
    return z.object({ field: z.string() }).parse(answer.body).field
  }
  for (const name of [undefined, null, 1, '', ' ', 'x'.repeat(101)]) assert.is(await fields(ORGANISATIONS, { name }), 'name')
  for (const email of [undefined, null, 1, '', 'x', `${'x'.repeat(254)}@example.com`]) {
    assert.is(await fields(at(id, '/invitations'), { email, role: 'viewer' }), 'email')
  }
  for (const role of [undefined, null, 1, '', 'Owner', 'root']) {
    assert.is(await fields(at(id, '/invitations'), { email: 'a@example.com', role }), 'role')
    assert.is(await fields(at(id, `/members/${id}`), { role }, 'PATCH'), 'role')
  }
  assert.is((await scene.ask('ann', 'POST', '/api/v1/invitations/x/accept')).status, 400)
})

test('every event of an organisation says whose it is, who did it and as what, with nothing personal in the clear', async () => {
  const id = await scene.found('ann', 'Canary')
  await scene.join('ann', id, 'bob', 'viewer')
  const { events } = await scene.stores.store.read(`organisation-${id}`)
  assert.equal(events.map(({ type, metadata: { organisationId, actor } }) => [type, organisationId, actor.id, actor.role]), [
    ['OrganisationCreated', id, scene.idOf('ann'), 'owner'],
    ['MemberInvited', id, scene.idOf('ann'), 'owner'],
    ['MemberJoined', id, scene.idOf('bob'), undefined],
  ])
  const written = JSON.stringify(events.map(({ data, metadata }) => [data, metadata]))
  assert.not.ok(/Canary|example\.com/.test(written), written)
})

test.run()
