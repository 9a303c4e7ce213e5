import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { authCalls, cookieOf } from '../support/auth-calls.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'

const test = suite('sessions and client secrets')

const SESSIONS = '/api/v1/sessions'
const who = { login: 'ada@example.com', password: 'seven tired geese' }
const other = { login: 'grace@example.com', password: 'seven tired geese' }

const Listed = z.object({
  sessions: z.array(
    z.object({
      id: z.string(), address: z.string().nullable(), user_agent: z.string().nullable(), current: z.boolean(),
    }),
  ),
})

let service: AuthService
const { ask, by, register, signIn, whoIs, newClient, tokenBy } = authCalls(() => service)
const listed = async (cookie: string) => Listed.parse((await ask('GET', SESSIONS, by(cookie))).body).sessions

test.before(async () => {
  service = await startAuthService()
  await register(who)
  await register(other)
})
test.after(() => service.close())

test('are listed newest first, with where and with what they were opened, and which one asks', async () => {
  const first = cookieOf(await signIn(who, { 'user-agent': 'Terminal/1' }))
  service.advance(1_000)
  const second = cookieOf(await signIn(who, { 'user-agent': `Browser/2 ${'x'.repeat(500)}` }))
  const [newest, before] = await listed(first)
  assert.match(newest?.user_agent ?? '', /^Browser\/2 x+$/)
  assert.is(newest?.user_agent?.length, 120)
  assert.equal([before?.user_agent, before?.address], ['Terminal/1', '127.0.0.1'])
  assert.equal([newest?.current, before?.current], [false, true])
  assert.is((await listed(second))[0]?.current, true)
  assert.not.match(await service.kept(), 'Terminal/1')
})

test('one can be ended by its owner and by nobody else', async () => {
  const [mine, theirs] = [cookieOf(await signIn(who)), cookieOf(await signIn(other))]
  const spare = cookieOf(await signIn(who))
  const id = (await listed(spare)).find(({ current }) => current)?.id ?? ''
  assert.is((await ask('DELETE', `${SESSIONS}/${id}`, by(theirs))).status, 404)
  assert.is(await whoIs(spare), 200)
  assert.is((await ask('DELETE', `${SESSIONS}/${id}`, by(mine))).status, 200)
  assert.is(await whoIs(spare), 401)
  assert.is((await ask('DELETE', `${SESSIONS}/${id}`, by(mine))).status, 404)
  assert.is((await ask('DELETE', `${SESSIONS}/nonsense`, by(mine))).status, 400)
})

test('all others can be ended at once, or all', async () => {
  const [mine, spare, theirs] = [cookieOf(await signIn(who)), cookieOf(await signIn(who)), cookieOf(await signIn(other))]
  assert.is((await ask('DELETE', SESSIONS, by(mine))).status, 200)
  assert.equal([await whoIs(mine), await whoIs(spare), await whoIs(theirs)], [200, 401, 200])
  assert.equal((await listed(mine)).map(({ current }) => current), [true])
  assert.is((await ask('DELETE', `${SESSIONS}?current=true`, by(mine))).status, 200)
  assert.equal([await whoIs(mine), await whoIs(theirs)], [401, 200])
})

test('a client sees to no sessions', async () => {
  const client = await newClient(cookieOf(await signIn(who)))
  const { access_token: token } = z.object({ access_token: z.string() }).parse((await tokenBy(client)).body)
  for (const method of ['GET', 'DELETE']) assert.is((await ask(method, SESSIONS, { as: token })).status, 403)
})

test('a session token that comes with a sign-in is not taken over by it', async () => {
  const planted = cookieOf(await signIn(other))
  const given = cookieOf(await signIn(who, { cookie: planted }))
  assert.is.not(given, planted)
})

test('a rotated client has another secret at once, and the old one until its time is over', async () => {
  const cookie = cookieOf(await signIn(who))
  const client = await newClient(cookie)
  const rotate = (seconds: number) =>
    ask('POST', `/api/v2/auth/oauth2/clients/${client.client_id}/rotate`, by(cookie, { grace_seconds: seconds }))
  const secretOf = async (seconds: number) =>
    z.object({ client_secret: z.string(), previous_until: z.string() }).parse((await rotate(seconds)).body).client_secret
  const second = { ...client, client_secret: await secretOf(600) }
  assert.equal([(await tokenBy(client)).status, (await tokenBy(second)).status], [200, 200])
  service.advance(601_000)
  assert.equal([(await tokenBy(client)).status, (await tokenBy(second)).status], [401, 200])
  const third = { ...client, client_secret: await secretOf(0) }
  assert.equal([(await tokenBy(second)).status, (await tokenBy(third)).status], [401, 200])
  assert.is((await rotate(-1)).status, 400)
  assert.is((await rotate(31 * 24 * 3_600)).status, 400)
  const theirs = cookieOf(await signIn(other))
  assert.is((await ask('POST', `/api/v2/auth/oauth2/clients/${client.client_id}/rotate`, by(theirs))).status, 404)
  await ask('DELETE', `/api/v2/auth/oauth2/clients/${client.client_id}`, by(cookie))
  assert.is((await rotate(0)).status, 404)
})

test.run()
