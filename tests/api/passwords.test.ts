import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { authCalls, cookieOf, errorOf, tokenIn } from '../support/auth-calls.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'

const test = suite('passwords')

const RESET = '/api/auth/password-reset'
const COMPLETE = '/api/auth/password-reset/complete'
const [OLD, NEW] = ['seven tired geese', 'nine awake herons']

let service: AuthService
const { ask, by, register, signIn, whoIs, newClient, tokenBy } = authCalls(() => service)
const change = (cookie: string, oldPassword: string, newPassword: string) =>
  ask('POST', '/api/auth/password', by(cookie, { old_password: oldPassword, new_password: newPassword }))
const typesOf = async (login: string) =>
  (await service.store.read(`account-${accountIdOf(login)}`)).events.map(({ type }) => type)
const bearer = async (client: Awaited<ReturnType<typeof newClient>>) =>
  z.object({ access_token: z.string() }).parse((await tokenBy(client)).body).access_token
const isHeard = async (token: string) => (await ask('GET', '/api/auth/check', { as: token })).status === 200
const resetTokenOf = async (login: string): Promise<string> => {
  await ask('POST', RESET, { body: { login } })
  const mails = (await service.mailsTo(login)).filter(({ subject }) => subject === 'Set a new password')
  return tokenIn(mails.at(-1)?.text ?? '')
}

test.before(async () => {
  service = await startAuthService()
})
test.after(() => service.close())
test.before.each(() => service.advance(3_600_000))

test('a password is changed by one who knows it: other sessions end, this one and tokens of clients stay', async () => {
  const who = { login: 'ada@example.com', password: OLD }
  const cookie = cookieOf(await register(who))
  const other = cookieOf(await signIn(who))
  const token = await bearer(await newClient(cookie))
  assert.is((await change(cookie, OLD, NEW)).status, 200)
  assert.equal([await whoIs(cookie), await whoIs(other), await isHeard(token)], [200, 401, true])
  assert.is((await signIn(who)).status, 401)
  assert.is((await signIn({ ...who, password: NEW })).status, 200)
  assert.ok((await typesOf(who.login)).includes('PasswordChanged'))
  const subjects = (await service.mailsTo(who.login)).map(({ subject }) => subject)
  assert.ok(subjects.includes('Your password was changed'))
})

test('whoever has a session and not the password can neither change it nor try it out', async () => {
  const who = { login: 'grace@example.com', password: OLD }
  const cookie = cookieOf(await register(who))
  const answers = []
  for (let n = 0; n < 12; n++) answers.push((await change(cookie, `a guess, number ${n}`, NEW)).status)
  assert.equal([...new Set(answers)], [401, 429])
  assert.not.ok((await typesOf(who.login)).includes('PasswordChanged'))
})

test('a new password keeps to the rules, and a client cannot change it', async () => {
  const who = { login: 'rules@example.com', password: OLD }
  const cookie = cookieOf(await register(who))
  const refused = await change(cookie, OLD, 'rules@example.com')
  assert.is(refused.status, 400)
  assert.match(errorOf(refused).error, 'new_password: ')
  const body = { old_password: OLD, new_password: NEW }
  assert.is((await ask('POST', '/api/auth/password', { as: await bearer(await newClient(cookie)), body })).status, 403)
})

test('by mail a password is set once, within the hour, and all that was open ends', async () => {
  const who = { login: 'reset@example.com', password: OLD }
  const cookie = cookieOf(await register(who))
  const token = await resetTokenOf('RESET@example.com'.toLowerCase())
  const complete = (password: string) => ask('POST', COMPLETE, { body: { token, password } })
  assert.is((await complete('short')).status, 400, 'a password that is refused does not use it up')
  assert.is((await complete(NEW)).status, 200)
  assert.is(await whoIs(cookie), 401)
  assert.match(errorOf(await complete('another new password')).type, 'token-over')
  assert.is((await signIn({ ...who, password: NEW })).status, 200)
  assert.is((await signIn(who)).status, 401)
  assert.equal((await typesOf(who.login)).slice(-2), ['LoginConfirmed', 'PasswordChanged'])
})

test('of two that come with one token at once, one sets the password', async () => {
  const who = { login: 'twice@example.com', password: OLD }
  await register(who)
  const token = await resetTokenOf(who.login)
  const passwords = ['the first of two words', 'the second of two words']
  const statuses = await Promise.all(
    passwords.map(async (password) => (await ask('POST', COMPLETE, { body: { token, password } })).status),
  )
  assert.equal(statuses.toSorted((a, b) => a - b), [200, 400])
  const winner = passwords[statuses.indexOf(200)] ?? ''
  assert.is((await signIn({ ...who, password: winner })).status, 200)
  assert.is((await typesOf(who.login)).filter((type) => type === 'PasswordChanged').length, 1)
})

test('an hour later the mail is worth nothing, nor is any other token', async () => {
  const who = { login: 'late@example.com', password: OLD }
  await register(who)
  const token = await resetTokenOf(who.login)
  const confirm = tokenIn((await service.mailsTo(who.login))[0]?.text ?? '')
  service.advance(3_601_000)
  for (const wrong of [token, confirm, 'x'.repeat(43), 'x', `${token}x`]) {
    assert.is((await ask('POST', COMPLETE, { body: { token: wrong, password: NEW } })).status, 400, wrong)
  }
})

test('a password that is changed takes the tokens that were mailed before with it', async () => {
  const who = { login: 'mailed@example.com', password: OLD }
  const cookie = cookieOf(await register(who))
  const token = await resetTokenOf(who.login)
  assert.is((await change(cookie, OLD, NEW)).status, 200)
  assert.is((await ask('POST', COMPLETE, { body: { token, password: OLD } })).status, 400)
})

test('whether a login exists is not told, and its owner is not flooded', async () => {
  const who = { login: 'known@example.com', password: OLD }
  await register(who)
  const answers = []
  for (const login of [who.login, 'nobody@example.com', 'no address at all', who.login, who.login, who.login, who.login]) {
    answers.push(await ask('POST', RESET, { body: { login } }))
  }
  assert.equal([...new Set(answers.map(({ status, text }) => `${status} ${text}`))], ['202 {}'])
  const mails = (await service.mailsTo(who.login)).filter(({ subject }) => subject === 'Set a new password')
  assert.is(mails.length, 3)
})

test('one who registered another’s address loses all he made when its owner comes by mail', async () => {
  const thief = { login: 'victim@example.com', password: OLD }
  const cookie = cookieOf(await register(thief))
  const client = await newClient(cookie)
  const token = await resetTokenOf(thief.login)
  assert.is((await ask('POST', COMPLETE, { body: { token, password: NEW } })).status, 200)
  assert.is(await whoIs(cookie), 401)
  assert.is((await tokenBy(client)).status, 401)
})

test('a hash that was made at less cost is made again when its password is right', async () => {
  const who = { login: 'weak@example.com', password: OLD }
  await register(who)
  const hashOf = async () => /"hash":"(\$argon2id[^"]*)"/.exec((await service.kept()).replaceAll('\\', ''))?.[1]
  assert.ok(await hashOf())
  await service.weaken(accountIdOf(who.login), OLD)
  assert.match(await service.kept(), 'm=8,t=1')
  assert.is((await signIn({ ...who, password: 'a wrong password' })).status, 401)
  assert.match(await service.kept(), 'm=8,t=1')
  assert.is((await signIn(who)).status, 200)
  assert.not.match(await service.kept(), 'm=8,t=1')
  assert.is((await signIn(who)).status, 200)
})

test.run()
