import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { authCalls, cookieOf, errorOf, tokenIn } from '../support/auth-calls.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'

const test = suite('registering')

const REGISTER = '/api/auth/register'
const PASSWORD = 'seven tired geese'

let service: AuthService
const { ask, by, register, signIn, whoIs } = authCalls(() => service)
const eventsOf = async (login: string) =>
  (await service.store.read(`account-${accountIdOf(login)}`)).events.map(({ type, data }) => ({ type, data }))

test.before(async () => {
  service = await startAuthService()
})
test.after(() => service.close())
// One address registers only so many; time gives it more.
test.before.each(() => service.advance(3_600_000))

test('signs in at once, with the flat user and what he accepted', async () => {
  const terms = { TermsAndConditionsV1: true, privacyPolicyV1: false }
  const answer = await register(
    { login: 'Ada@Example.com', password: PASSWORD },
    { termsAccepted: terms, allowNewsletters: true, origin: 'ccx' },
  )
  assert.is(answer.status, 201)
  const Told = z.object({ id: z.string(), login: z.string(), firstName: z.string(), termsAccepted: z.looseObject({}) })
  const flat = Told.parse(answer.body)
  assert.is(flat.id, accountIdOf('ada@example.com'))
  assert.equal([flat.login, flat.firstName], ['Ada@Example.com', 'Ada'])
  assert.equal(flat.termsAccepted, { TermsAndConditionsV1: true, PrivacyPolicyV1: false })
  assert.is(await whoIs(cookieOf(answer)), 200)
  assert.is((await signIn({ login: 'ada@example.com', password: PASSWORD })).status, 200)
})

test('an account that is not confirmed makes nothing until the mailed token comes back, once', async () => {
  const login = 'grace@example.com'
  const cookie = cookieOf(await register({ login, password: PASSWORD }))
  assert.is((await ask('POST', '/api/confirmed-only', by(cookie))).status, 402)
  const [mail] = await service.mailsTo(login)
  const token = tokenIn(mail?.text ?? '')
  assert.match(mail?.text ?? '', `http://ccx.test/auth/confirm#token=${token}`)
  const confirm = () => ask('POST', '/api/auth/confirm', { body: { token } })
  assert.is((await confirm()).status, 200)
  assert.is((await ask('POST', '/api/confirmed-only', by(cookie))).status, 200)
  assert.match(errorOf(await confirm()).type, 'token-over')
  assert.equal((await eventsOf(login)).map(({ type }) => type), ['AccountRegistered', 'LoginConfirmed'])
})

test('a token of three days ago confirms nothing, and another can be asked for, only so often', async () => {
  const login = 'slow@example.com'
  const cookie = cookieOf(await register({ login, password: PASSWORD }))
  const [old] = await service.mailsTo(login)
  service.advance(3 * 24 * 3_600_000 + 1_000)
  assert.is((await ask('POST', '/api/auth/confirm', { body: { token: tokenIn(old?.text ?? '') } })).status, 400)
  const again = () => ask('POST', '/api/auth/confirm-request', by(cookie))
  const statuses = [await again(), await again(), await again(), await again()].map(({ status }) => status)
  assert.equal(statuses, [202, 202, 202, 429])
  const mails = await service.mailsTo(login)
  assert.is(mails.length, 4)
  assert.is((await ask('POST', '/api/auth/confirm', { body: { token: tokenIn(mails.at(-1)?.text ?? '') } })).status, 200)
  assert.is((await again()).status, 202)
  assert.is((await service.mailsTo(login)).length, 4, 'there is nothing to confirm any more')
})

test('a login is taken once, whatever its case, and its password stays', async () => {
  const who = { login: 'once@example.com', password: PASSWORD }
  assert.is((await register(who)).status, 201)
  const again = await register({ login: 'ONCE@example.com', password: 'another password' })
  assert.is(again.status, 409)
  assert.is(again.headers.get('set-cookie'), null)
  assert.is((await signIn(who)).status, 200)
})

test('many at once under one login make one account', async () => {
  const login = 'race@example.com'
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => register({ login, password: `password of number ${n}` })))
  assert.equal(answers.map(({ status }) => status).toSorted((a, b) => a - b), [201, 409, 409, 409, 409, 409, 409, 409])
  const winner = answers.findIndex(({ status }) => status === 201)
  assert.is((await signIn({ login, password: `password of number ${winner}` })).status, 200)
})

test('what is wrong is named: the address, the password, the names', async () => {
  for (const [body, field] of [
    [{ login: 'no-address', password: PASSWORD }, 'login'],
    [{ login: 'a@example.com', password: 'short' }, 'password'],
    [{ login: 'somebody@example.com', password: 'somebody@example.com' }, 'password'],
    [{ login: 'a@example.com', password: PASSWORD, firstName: 'x'.repeat(101) }, 'firstName'],
    [{ login: 'a@example.com', password: PASSWORD, lastName: 'a\u0007b' }, 'lastName'],
    [{ login: 'a@example.com', password: PASSWORD, termsAccepted: 'yes' }, 'termsAccepted'],
    [{ login: `${'a'.repeat(250)}@example.com`, password: PASSWORD }, 'login'],
    [{ password: PASSWORD }, 'login'],
  ] as const) {
    const answer = await ask('POST', REGISTER, { body })
    assert.is(answer.status, 400)
    assert.match(answer.text, field)
  }
  assert.equal(await eventsOf('a@example.com'), [])
})

test('one address registers only so many in a while', async () => {
  const statuses = new Set<number>()
  for (let n = 0; n < 25; n++) statuses.add((await register({ login: `many-${n}@example.com`, password: 'short' })).status)
  assert.equal([...statuses], [400], 'what is malformed costs nothing')
  const answers = []
  for (let n = 0; n < 25; n++) answers.push(await register({ login: 'once@example.com', password: PASSWORD }))
  const held = answers.filter(({ status }) => status === 429)
  assert.ok(held.length > 0)
  assert.ok(Number(held[0]?.headers.get('retry-after')) >= 1)
})

test('neither password nor token is kept, logged or told in an event', async () => {
  const who = { login: 'secret@example.com', password: 'eleven silent owls' }
  const cookie = cookieOf(await register(who))
  const token = tokenIn((await service.mailsTo(who.login))[0]?.text ?? '')
  const events = await service.store.readAll({ after: 'start', prefixes: [''], limit: 1_000 })
  const all = JSON.stringify(events, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  const everything = [all, await service.kept(), ...service.lines].join()
  for (const secret of [who.password, token, cookie.split('=')[1] ?? '']) {
    assert.ok(secret.length > 8)
    assert.not.ok(everything.includes(secret))
  }
  assert.not.ok(everything.includes(who.login))
})

test('where nobody may register himself, he is told so', async () => {
  const closed = await startAuthService(undefined, { registrationOpen: false })
  try {
    const answer = await closed.rest.ask('POST', REGISTER, { body: { login: 'a@example.com', password: PASSWORD } })
    assert.is(answer.status, 403)
    assert.match(errorOf(answer).type, 'registration-closed')
  } finally {
    await closed.close()
  }
})

test.run()
