import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { jwtIssuers } from '../../infra/auth/jwt-issuers.ts'
import { authCalls, cookieOf } from '../support/auth-calls.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'
import { startJwksServer } from '../support/jwks-server.ts'

const test = suite('signing in by a token of an issuer')

const LOGIN = '/api/auth/jwt-login'
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const [portal, partner, first, second, stranger] = [pair(), pair(), pair(), pair(), pair()]
const PKIX = portal.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const PKCS1 = partner.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()

let service: AuthService
const jwks = await startJwksServer()
const { ask, by, whoIs, register, signIn } = authCalls(() => service)

test.before(async () => {
  const issuers = [
    { issuer: 'portal', publicKeyPem: PKIX.replaceAll('\n', '\\n') },
    { issuer: 'partner+1', publicKeyPem: PKCS1 },
    { issuer: 'published', jwksUrl: jwks.url },
  ]
  const verifying = jwtIssuers({ issuers, now: () => service.now(), jwksPauseMs: 0 })
  service = await startAuthService(undefined, { jwtIssuers: verifying })
})
test.after(async () => {
  await service.close()
  await jwks.close()
})

type Saying = Readonly<Record<string, unknown>>
const claimsOf = (saying: Saying): Saying => {
  const iat = Math.floor(Date.parse(service.now()) / 1000)
  return { iss: 'portal', sub: 'project-7', jti: randomUUID(), iat, exp: iat + 900, ...saying }
}
type Head = Readonly<Record<string, string>>
const signed = (saying: Saying = {}, key = portal.privateKey, header: Head = {}): Promise<string> =>
  new SignJWT({ ...claimsOf(saying) }).setProtectedHeader({ alg: 'RS256', ...header }).sign(key)
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const post = (jwt: string, { issuer = 'portal', call = 'login' } = {}) =>
  ask('POST', `/api/auth/jwt-${call}`, { body: { issuer, jwt } })
const get = (jwt: string, { issuer = 'portal', cookie = '' } = {}) =>
  ask('GET', `${LOGIN}?jwt=${jwt}&issuer=${issuer}`, by(cookie))
const idOf = (answer: { readonly body: unknown }): string =>
  z.object({ user: z.object({ id: z.string() }) }).parse(answer.body).user.id

test('one token makes the account and then signs the browser in, as the public sample does it', async () => {
  const jwt = await signed({ sub: 'ada@portal' })
  const made = await ask('POST', LOGIN, { body: { issuer: 'portal', jwt, first_name: 'Ada', last_name: 'L' } })
  assert.is(made.status, 200)
  assert.is(made.headers.get('set-cookie'), null)
  const Made = z.object({ user: z.object({ login: z.string(), first_name: z.string(), last_name: z.string() }) })
  assert.equal(Made.parse(made.body).user, { login: 'ada@portal', first_name: 'Ada', last_name: 'L' })
  const opened = await get(jwt)
  assert.equal([opened.status, opened.headers.get('location')], [303, 'http://ccx.test/home'])
  const given = opened.headers.get('set-cookie') ?? ''
  assert.match(given, /^ccx-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/)
  assert.is(await whoIs(cookieOf(opened)), 200)
  service.advance(3_601_000)
  assert.is(await whoIs(cookieOf(opened)), 401)
})

test('users of one subject are one account; the same subject of another issuer, or as a login here, is another', async () => {
  const login = 'shared@example.com'
  const id = idOf(await post(await signed({ sub: login })))
  assert.is(idOf(await post(await signed({ sub: login }))), id)
  const other = await post(await signed({ iss: 'partner+1', sub: login }, partner.privateKey), { issuer: 'partner+1' })
  assert.is.not(idOf(other), id)
  const own = await register({ login, password: 'seven tired geese' })
  assert.is(own.status, 201)
  assert.is.not(z.object({ id: z.string() }).parse(own.body).id, id)
  assert.is((await signIn({ login: 'ada@portal', password: 'seven tired geese' })).status, 401, 'no password comes with it')
})

test('a browser of which nobody has heard is not signed in', async () => {
  assert.is((await get(await signed({ sub: 'never-posted' }))).status, 401)
})

test('one token opens one session: again only in the browser that it signed in', async () => {
  const jwt = await signed()
  await post(jwt)
  const cookie = cookieOf(await get(jwt))
  assert.is((await get(jwt)).status, 401, 'from elsewhere it is a replay')
  const again = await get(jwt, { cookie })
  assert.equal([again.status, again.headers.get('set-cookie')], [303, null])
  assert.is((await post(jwt)).status, 200)
})

test('of many browsers at once with one token, one is signed in', async () => {
  const jwt = await signed()
  await post(jwt)
  const statuses = (await Promise.all(Array.from({ length: 8 }, () => get(jwt)))).map(({ status }) => status)
  assert.equal(statuses.toSorted((a, b) => a - b), [303, 401, 401, 401, 401, 401, 401, 401])
})

test('a token that was signed out never works again, nor does its session', async () => {
  const jwt = await signed()
  await post(jwt)
  const cookie = cookieOf(await get(jwt))
  assert.is((await post(jwt, { call: 'check' })).status, 200)
  assert.is((await post(jwt, { call: 'logout' })).status, 204)
  assert.is(await whoIs(cookie), 401)
  for (const answer of [await get(jwt), await get(jwt, { cookie }), await post(jwt), await post(jwt, { call: 'check' })]) {
    assert.is(answer.status, 401)
  }
  const unused = await signed()
  assert.is((await post(unused, { call: 'logout' })).status, 204)
  assert.is((await post(unused)).status, 401, 'even if it had not been used')
})

test('a token is signed out after its time as well, and its session with it', async () => {
  const jwt = await signed()
  await post(jwt)
  const cookie = cookieOf(await get(jwt))
  service.advance(1_800_000)
  assert.is((await post(jwt)).status, 401)
  assert.is(await whoIs(cookie), 200)
  assert.is((await post(jwt, { call: 'logout' })).status, 204)
  assert.is(await whoIs(cookie), 401)
})

test('a session that was ended here is not opened again by its token', async () => {
  const jwt = await signed()
  await post(jwt)
  const cookie = cookieOf(await get(jwt))
  assert.is((await ask('POST', '/api/auth/logout', by(cookie))).status, 204)
  assert.is((await get(jwt)).status, 401)
})

test('a check tells what a token says and until when', async () => {
  const then = Math.floor(Date.parse('2099-01-01') / 1000)
  const jwt = await signed({ sub: 'checked', exp: then + 900, iat: then })
  assert.is((await post(jwt, { call: 'check' })).status, 401, 'it is not of this time')
  const now = await post(await signed({ sub: 'checked', plan: { name: 'gold' } }), { call: 'check' })
  const { claims, issued_at: issued, expires_at: expires } = z
    .object({
      claims: z.looseObject({ sub: z.string(), plan: z.unknown() }),
      issued_at: z.iso.datetime(),
      expires_at: z.iso.datetime(),
    })
    .parse(now.body)
  assert.equal([claims.sub, claims.plan], ['checked', { name: 'gold' }])
  assert.is(Date.parse(expires) - Date.parse(issued), 900_000)
})

test('clocks may differ by a minute and no more', async () => {
  const at = Math.floor(Date.parse(service.now()) / 1000)
  assert.is((await post(await signed({ iat: at - 930, exp: at - 30 }))).status, 200)
  assert.is((await post(await signed({ iat: at - 990, exp: at - 90 }))).status, 401)
  assert.is((await post(await signed({ iat: at + 30, exp: at + 900 }))).status, 200)
  assert.is((await post(await signed({ iat: at + 90, exp: at + 900 }))).status, 401)
  assert.is((await post(await signed({ iat: at, exp: at + 86_401 }))).status, 401, 'and none lives longer than a day')
})

test('whatever is not what the issuer signed is refused, in the same words', async () => {
  const own = claimsOf({})
  const hmacHead = encoded({ alg: 'HS256', typ: 'JWT' })
  const hmac = createHmac('sha256', PKIX).update(`${hmacHead}.${encoded(own)}`).digest('base64url')
  const good = await signed()
  const [head = '', body = '', signature = ''] = good.split('.')
  const tokens: Readonly<Record<string, string>> = {
    'no algorithm': `${encoded({ alg: 'none' })}.${encoded(own)}.`,
    'no algorithm, in capitals': `${encoded({ alg: 'NONE' })}.${encoded(own)}.${signature}`,
    'the public key as a shared one': `${hmacHead}.${encoded(own)}.${hmac}`,
    'another algorithm of the same key': await new SignJWT({ ...own })
      .setProtectedHeader({ alg: 'RS512' })
      .sign(portal.privateKey),
    'another key': await signed({}, stranger.privateKey),
    'its own key': await new SignJWT({ ...own })
      .setProtectedHeader({ alg: 'RS256', jwk: stranger.publicKey.export({ format: 'jwk' }) })
      .sign(stranger.privateKey),
    'a key of its own place': await signed({}, stranger.privateKey, { jku: jwks.url, kid: 'x' }),
    'another issuer inside': await signed({ iss: 'partner+1' }),
    'a changed body': `${head}.${encoded({ ...own, sub: 'admin@ccx.test' })}.${signature}`,
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    'no subject': await signed({ sub: undefined }),
    'an empty subject': await signed({ sub: '' }),
    'a subject that is no text': await signed({ sub: 7 }),
    'no name': await signed({ jti: undefined }),
    'no expiry': await signed({ exp: undefined }),
    'no beginning': await signed({ iat: undefined }),
    'an unknown demand': await signed({}, portal.privateKey).then((jwt) => {
      const critical = encoded({ alg: 'RS256', crit: ['x'], x: true })
      return `${critical}.${jwt.split('.').slice(1).join('.')}`
    }),
    'nonsense': 'x.y.z',
  }
  const words = new Set<string>()
  for (const [what, jwt] of Object.entries(tokens)) {
    const posts = await Promise.all(['login', 'check', 'logout'].map((call) => post(jwt, { call })))
    for (const answer of [...posts, await get(jwt)]) {
      assert.is(answer.status, 401, what)
      words.add(answer.text)
    }
  }
  assert.is(words.size, 1)
  assert.is((await post(good, { issuer: 'nobody' })).status, 401)
  assert.is((await post(good, { issuer: 'partner+1' })).status, 401)
  assert.is((await post('x'.repeat(9_000))).status, 400)
  assert.is((await ask('POST', LOGIN, { body: { jwt: good } })).status, 400)
  assert.is((await post(good)).status, 200)
})

test('an issuer may be named in a link as it is written, plus sign and all', async () => {
  const jwt = await signed({ iss: 'partner+1' }, partner.privateKey)
  await post(jwt, { issuer: 'partner+1' })
  assert.is((await get(jwt, { issuer: 'partner+1' })).status, 303)
})

test('an issuer that publishes its keys may change them; a key that it took back or never had does not count', async () => {
  const by1 = (kid: string, key = first.privateKey) => signed({ iss: 'published' }, key, { kid })
  const status = async (jwt: string) => (await post(jwt, { issuer: 'published' })).status
  jwks.fail(true)
  // Nobody knows yet whether it holds.
  const answer = await fetch(`${service.rest.url}${LOGIN}`, {
    method: 'POST',
    body: JSON.stringify({ issuer: 'published', jwt: await by1('one') }),
  })
  assert.is(answer.status, 503)
  await answer.body?.cancel()
  jwks.fail(false)
  await jwks.publish({ one: first.publicKey })
  assert.is(await status(await by1('one')), 200)
  const asked = jwks.asked()
  assert.is(await status(await by1('one')), 200)
  assert.is(jwks.asked(), asked, 'keys are kept')
  assert.is(await status(await by1('two', second.privateKey)), 401)
  await jwks.publish({ two: second.publicKey })
  assert.is(await status(await by1('two', second.privateKey)), 200)
  assert.is(await status(await by1('one')), 401)
  assert.is(await status(await by1('two', stranger.privateKey)), 401)
})

test('what the issuer calls the user is sealed in the event, for bills', async () => {
  const id = idOf(await post(await signed({ sub: 'customer-0815' })))
  const [registered] = (await service.store.read(`account-${id}`)).events
  const { external } = z.object({ external: z.object({ issuer: z.string(), subject: z.string() }) }).parse(registered?.data)
  assert.is(external.issuer, 'portal')
  assert.match(external.subject, /^sealed:/)
  assert.equal(await service.personal.open([external.subject]), ['customer-0815'])
})

test('no token is kept or logged', async () => {
  const jwt = await signed({ sub: 'kept' })
  await post(jwt)
  await get(jwt)
  const everything = [await service.kept(), ...service.lines].join()
  assert.not.ok(everything.includes(jwt))
  assert.not.ok(everything.includes(jwt.split('.')[2] ?? ''))
})

test.run()
