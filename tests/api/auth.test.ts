import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { ensureOperator, registerAccount } from '../../command-handlers/auth/register.ts'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { PATIENCE } from '../../infra/auth/attempts.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'
import type { Answer } from '../support/rest.ts'
import { until } from '../support/until.ts'

const auth = suite('signing in')

const LOGIN = '/api/v2/auth/login'
const TOKEN = '/api/auth/oauth2/token'
const CLIENTS = '/api/v2/auth/oauth2/clients'
const FREE_ATTEMPTS = PATIENCE.pair.free
const DAY_MS = 24 * 60 * 60 * 1000

const me = { login: 'Me@Example.com', password: 'correct horse' }
const operator = { login: 'admin@ccx.test', password: 'battery staple' }

let service: AuthService

const ask = (method: string, path: string, options?: Parameters<AuthService['rest']['ask']>[2]) =>
  service.rest.ask(method, path, options)
const registry = () => ({
  store: service.store,
  credentials: service.auth.credentials,
  personal: service.personal,
  now: service.now,
})
const cookieOf = ({ headers }: Answer): string => (headers.get('set-cookie') ?? '').split(';')[0] ?? ''
const signIn = async (who = me): Promise<string> => cookieOf(await ask('POST', LOGIN, { body: who }))
const whoIs = (cookie: string) => ask('GET', '/api/auth/check', { headers: { cookie } })

const NewClient = z.object({ client_id: z.string(), client_secret: z.string() })
const newClient = async (cookie: string, expiresAt: string | null = null) =>
  NewClient.parse(
    (await ask('POST', CLIENTS, { body: { name: 'ci', expires_at: expiresAt }, headers: { cookie } })).body,
  )

const form = (fields: Readonly<Record<string, string>>) => new URLSearchParams(fields).toString()
const tokenByBody = ({ client_id, client_secret }: z.infer<typeof NewClient>) =>
  ask('POST', TOKEN, { raw: form({ grant_type: 'client_credentials', client_id, client_secret }) })
const tokenOf = ({ body }: Answer): string => z.object({ access_token: z.string() }).parse(body).access_token

auth.before(async () => {
  service = await startAuthService()
  await ensureOperator(registry(), operator)
  const made = await registerAccount(
    registry(),
    { ...me, firstName: 'Me', lastName: 'Doe', isAdmin: false },
    { kind: 'operator', id: 'cli' },
  )
  assert.ok('accountId' in made)
  await until(async () => (await ask('POST', LOGIN, { body: me })).status === 200, {
    withinMs: 20_000,
    what: 'the first sign-in',
  })
})
auth.after(() => service.close())

auth('sets a cookie and tells the user and his scopes, own scope first', async () => {
  const answer = await ask('POST', LOGIN, { body: me })
  const id = accountIdOf(me.login)
  assert.equal(answer.body, {
    user: { id, login: me.login, first_name: 'Me', last_name: 'Doe' },
    scopes: [{ id, name: 'Me Doe', type: 'user', role: 'admin' }],
  })
  assert.match(
    answer.headers.get('set-cookie') ?? '',
    /^ccx-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=31536000$/,
  )
})

auth('answers the older call flat, and whatever the case of the login', async () => {
  const { body, status } = await ask('POST', '/api/auth/login', { body: { ...me, login: 'ME@EXAMPLE.COM' } })
  assert.is(status, 200)
  const flat = z
    .object({ id: z.string(), firstName: z.string(), createdAt: z.object({ seconds: z.int() }) })
    .parse(body)
  assert.is(flat.id, accountIdOf(me.login))
})

auth('is known afterwards by cookie or bearer, and no more once signed out', async () => {
  const cookie = await signIn()
  const [, value = ''] = cookie.split('=')
  assert.is((await whoIs(cookie)).status, 200)
  assert.is((await ask('GET', '/api/v2/auth/check', { as: value })).status, 200)
  const out = await ask('POST', '/api/auth/logout', { headers: { cookie } })
  assert.is(out.status, 204)
  assert.match(out.headers.get('set-cookie') ?? '', /^ccx-session=; .*Max-Age=0$/)
  assert.is((await whoIs(cookie)).status, 401)
})

auth('tells an operator from a user', async () => {
  const answer = await ask('POST', '/api/auth/admin-login', { body: operator })
  assert.match(answer.headers.get('set-cookie') ?? '', /Max-Age=604800$/)
  assert.equal(answer.body, { id: accountIdOf(operator.login), login: operator.login })
  const check = z.object({ isAdmin: z.boolean(), scopes: z.array(z.object({ type: z.string(), role: z.string() })) })
  const seen = check.parse((await whoIs(cookieOf(answer))).body)
  assert.is(seen.isAdmin, true)
  assert.equal(seen.scopes[0], { type: 'admin-user', role: 'super-admin' })
  const refused = await ask('POST', '/api/auth/admin-login', { body: me })
  assert.is(refused.status, 401)
  assert.is(z.object({ err: z.string() }).parse(refused.body).err, 'login failed')
  const wrong = await ask('POST', '/api/auth/admin-login', { body: { ...operator, password: 'wrong' } })
  assert.equal([wrong.status, wrong.body], [401, refused.body], 'a wrong password is refused in the same words')
})

auth('a wrong password and an unknown login are refused alike', async () => {
  const wrong = await ask('POST', LOGIN, { body: { ...me, password: 'wrong' } })
  const unknown = await ask('POST', LOGIN, { body: { login: 'nobody@example.com', password: 'wrong' } })
  assert.is(wrong.status, 401)
  assert.equal(unknown.body, wrong.body)
  assert.is(wrong.headers.get('set-cookie'), null)
})

auth('an expired session is over', async () => {
  const cookie = await signIn()
  service.advance(366 * DAY_MS)
  assert.is((await whoIs(cookie)).status, 401)
})

auth('strange logins and tokens are refused and nothing more', async () => {
  for (const body of [
    undefined,
    {},
    [],
    { login: me.login },
    { login: 7, password: 'x' },
    { login: '', password: '' },
    { login: 'x'.repeat(300), password: 'x' },
    { login: me.login, password: 'x'.repeat(2000) },
    { login: "' or 1=1 --", password: 'x' },
    { login: '🐘\u202e', password: '🐘' },
    { login: 'a\u0000b', password: 'x' },
  ]) {
    const { status } = await ask('POST', LOGIN, { body })
    assert.ok(status === 400 || status === 401, `${JSON.stringify(body)?.slice(0, 60)}: ${status}`)
  }
  for (const cookie of [
    'ccx-session=',
    'ccx-session=x',
    `ccx-session=${'x'.repeat(43)}`,
    'ccx-session',
    ';;=;',
    'other=1',
  ]) {
    assert.is((await whoIs(cookie)).status, 401, cookie)
  }
  for (const authorization of ['Bearer', 'Bearer ', 'Basic x', 'nonsense', `Bearer ${'y'.repeat(5000)}`]) {
    assert.is((await ask('GET', '/api/auth/check', { headers: { authorization } })).status, 401, authorization)
  }
})

auth('guessing is held back, for the one login from the one address, and only for a time', async () => {
  const guess = (login: string) => ask('POST', LOGIN, { body: { login, password: 'guess' } })
  const first = await Promise.all(Array.from({ length: FREE_ATTEMPTS + 10 }, () => guess('victim@example.com')))
  const held = first.filter(({ status }) => status === 429)
  assert.is(first.filter(({ status }) => status === 401).length, FREE_ATTEMPTS)
  assert.is(held.length, 10)
  assert.ok(Number(held[0]?.headers.get('retry-after')) >= 1)
  assert.is((await guess('VICTIM@example.com')).status, 429)
  assert.is((await guess('someone-else@example.com')).status, 401)
  service.advance(3_000)
  assert.is((await guess('victim@example.com')).status, 401)
  const again = await guess('victim@example.com')
  assert.ok(Number(again.headers.get('retry-after')) > Number(held[0]?.headers.get('retry-after')), 'the wait grows')
})

auth('a right password forgets the wrong ones before it', async () => {
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < FREE_ATTEMPTS - 1; n++) await ask('POST', LOGIN, { body: { ...me, password: 'wrong' } })
    assert.is((await ask('POST', LOGIN, { body: me })).status, 200)
  }
})

auth('client credentials give tokens by Basic and by body, several at once', async () => {
  const client = await newClient(await signIn())
  const basic = Buffer.from(
    `${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`,
  ).toString('base64')
  const first = await ask('POST', TOKEN, {
    raw: form({ grant_type: 'client_credentials' }),
    headers: { authorization: `Basic ${basic}` },
  })
  const second = await tokenByBody(client)
  const { expires_in: seconds, token_type: type } = z
    .object({ expires_in: z.int(), token_type: z.string() })
    .parse(first.body)
  assert.equal([seconds, type], [3600, 'Bearer'])
  for (const answer of [first, second]) {
    const { status, body } = await ask('GET', '/api/v2/auth/check', { as: tokenOf(answer) })
    assert.is(status, 200)
    assert.is(z.object({ user: z.object({ login: z.string() }) }).parse(body).user.login, me.login)
  }
  service.advance(3_601_000)
  assert.is((await ask('GET', '/api/v2/auth/check', { as: tokenOf(first) })).status, 401)
})

auth('Basic credentials are percent-decoded, and what cannot be decoded is a wrong client', async () => {
  for (const [id, secret] of [
    ['my+id%2Bx', 'a%3Ab'],
    ['%zz', 'x'],
    ['', ''],
    ['no-colon', undefined],
  ] as const) {
    const encoded = Buffer.from(secret === undefined ? id : `${id}:${secret}`).toString('base64')
    const { status, body, headers } = await ask('POST', TOKEN, {
      raw: form({ grant_type: 'client_credentials' }),
      headers: { authorization: `Basic ${encoded}` },
    })
    assert.is(status, 401)
    assert.is(z.object({ error: z.string() }).parse(body).error, 'invalid_client')
    assert.match(headers.get('www-authenticate') ?? '', /^Basic /)
  }
})

auth('a token call says what is wrong with it in the words of OAuth2', async () => {
  const client = await newClient(await signIn())
  const errorOf = async (fields: Readonly<Record<string, string>>) => {
    const { status, body } = await ask('POST', TOKEN, { raw: form(fields) })
    return `${status} ${z.object({ error: z.string() }).parse(body).error}`
  }
  assert.is(await errorOf({ grant_type: 'password', ...client }), '400 unsupported_grant_type')
  assert.is(await errorOf({ ...client }), '400 invalid_request')
  assert.is(
    await errorOf({ grant_type: 'client_credentials', ...client, client_secret: 'wrong' }),
    '401 invalid_client',
  )
  assert.is(
    await errorOf({ grant_type: 'client_credentials', client_id: accountIdOf(me.login), client_secret: me.password }),
    '401 invalid_client',
  )
})

auth('a client is listed with its last use, its secret never again', async () => {
  const cookie = await signIn({ ...operator })
  const client = await newClient(cookie)
  const listed = async () => {
    const { body, text } = await ask('GET', CLIENTS, { headers: { cookie } })
    assert.not.match(text, new RegExp(client.client_secret))
    return z
      .object({ clients: z.array(z.object({ client_id: z.string(), last_used_at: z.string().nullable() })) })
      .parse(body).clients
  }
  assert.equal(await listed(), [{ client_id: client.client_id, last_used_at: null }])
  await tokenByBody(client)
  assert.ok((await listed())[0]?.last_used_at)
})

auth('a revoked client is nobody at once, and so are its tokens', async () => {
  const cookie = await signIn()
  const client = await newClient(cookie)
  const token = tokenOf(await tokenByBody(client))
  const path = `${CLIENTS}/${client.client_id}`
  assert.is((await ask('DELETE', path, { as: token })).status, 403)
  assert.is((await ask('POST', CLIENTS, { as: token, body: { name: 'more' } })).status, 403)
  assert.is((await ask('DELETE', path, { headers: { cookie: await signIn(operator) } })).status, 404)
  assert.is((await ask('DELETE', path, { headers: { cookie } })).status, 200)
  assert.is((await ask('GET', '/api/v2/auth/check', { as: token })).status, 401)
  assert.is((await tokenByBody(client)).status, 401)
  assert.is((await ask('DELETE', path, { headers: { cookie } })).status, 200)
})

auth('a client cannot be made for the past, and neither it nor its tokens outlive its expiry', async () => {
  const cookie = await signIn()
  const at = (ms: number) => new Date(Date.parse(service.now()) + ms).toISOString()
  const past = await ask('POST', CLIENTS, { body: { name: 'x', expires_at: at(-1000) }, headers: { cookie } })
  assert.is(past.status, 400)
  assert.is(
    (await ask('POST', CLIENTS, { body: { name: 'x', expires_at: 'tomorrow' }, headers: { cookie } })).status,
    400,
  )
  const client = await newClient(cookie, at(600_000))
  const answer = await tokenByBody(client)
  const { expires_in: seconds } = z.object({ expires_in: z.int() }).parse(answer.body)
  assert.ok(seconds <= 600 && seconds > 500, String(seconds))
  service.advance(601_000)
  assert.is((await tokenByBody(client)).status, 401)
})

auth("an operator's client is no operator", async () => {
  const client = await newClient(await signIn(operator))
  const { body } = await ask('GET', '/api/auth/check', { as: tokenOf(await tokenByBody(client)) })
  assert.is(z.object({ isAdmin: z.boolean() }).parse(body).isAdmin, false)
})

auth('an account whose password was never kept gets it when it is registered again, and only then', async () => {
  const late = { login: 'late@example.com', password: 'first one', firstName: '', lastName: '', isAdmin: false }
  const actor = { kind: 'operator', id: 'cli' } as const
  const dying = {
    ...registry(),
    credentials: { ...service.auth.credentials, keep: () => Promise.reject(new Error('killed')) },
  }
  await registerAccount(dying, late, actor).then(
    () => assert.unreachable(),
    () => undefined,
  )
  assert.ok('accountId' in (await registerAccount(registry(), late, actor)))
  const again = await registerAccount(registry(), { ...late, password: 'another' }, actor)
  assert.is('rejection' in again && again.rejection.rejected, 'login-taken')
  assert.is(await service.auth.credentials.verify(accountIdOf(late.login), 'first one'), true)
  assert.is(await ensureOperator(registry(), { ...operator, password: 'another' }), false)
  assert.is(await service.auth.credentials.verify(accountIdOf(operator.login), operator.password), true)
})

auth('no password, secret or token is kept or logged', async () => {
  const cookie = await signIn()
  const client = await newClient(cookie)
  const token = tokenOf(await tokenByBody(client))
  const events = await service.store.readAll({ after: 'start', prefixes: [''], limit: 1_000 })
  const everything = [
    JSON.stringify(events, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    await service.kept(),
    ...service.lines,
  ].join()
  for (const secret of [me.password, operator.password, client.client_secret, token, cookie.split('=')[1] ?? '']) {
    assert.ok(secret.length > 8)
    assert.not.ok(everything.includes(secret))
  }
  assert.match(everything, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
})

auth.run()
