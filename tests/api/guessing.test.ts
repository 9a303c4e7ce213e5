import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PATIENCE } from '../../infra/auth/attempts.ts'
import { type AuthService, startAuthService } from '../support/auth-service.ts'

const test = suite('guessing passwords')

const OWNER = 'owner@example.com'
const HOME = '198.51.100.7'
const HOUR_MS = 3_600_000

let service: AuthService
/** A wrong attempt; whether it was held back. */
const guess = async (login: string, address: string): Promise<boolean> =>
  (await service.auth.attempts.begin(login, address)) !== undefined
const right = async (login: string, address: string): Promise<boolean> => {
  if ((await service.auth.attempts.begin(login, address)) !== undefined) return false
  await service.auth.attempts.succeed(login, address)
  return true
}
const heldOf = async (guesses: readonly (readonly [string, string])[]): Promise<number> => {
  let held = 0
  for (const [login, address] of guesses) if (await guess(login, address)) held += 1
  return held
}

test.before(async () => {
  service = await startAuthService()
})
test.after(() => service.close())
test.before.each(() => service.advance(2 * HOUR_MS))

test('from many addresses is held back as from one, once there were too many in all', async () => {
  const guesses = Array.from({ length: 200 }, (_, n) => [OWNER, `203.0.113.${n}`] as const)
  assert.is(await heldOf(guesses), 200 - PATIENCE.login.free)
})

test('from however many addresses does not keep the owner out from where he always is', async () => {
  assert.ok(await right(OWNER, HOME))
  for (let hour = 0; hour < 5; hour++) {
    await heldOf(Array.from({ length: 80 }, (_, n) => [OWNER, `203.0.113.${n}`] as const))
    assert.ok(await right(OWNER, HOME), `hour ${hour}`)
    service.advance(HOUR_MS / 2)
  }
  assert.is(await guess(OWNER, '192.0.2.200'), false, 'and from elsewhere only until a wait is over')
})

test('of many logins from one address is held back, and not those who have signed in from there before', async () => {
  const cafe = '192.0.2.99'
  assert.ok(await right(OWNER, cafe))
  const guesses = Array.from({ length: 150 }, (_, n) => [`user-${n}@example.com`, cafe] as const)
  assert.is(await heldOf(guesses), 150 - PATIENCE.address.free)
  assert.ok(await right(OWNER, cafe))
  assert.is(await guess('newcomer@example.com', '192.0.2.98'), false, 'nor anyone elsewhere')
})

test('from one network of IPv6 counts as from one address', async () => {
  const guesses = Array.from({ length: 40 }, (_, n) => [`six@example.com`, `2001:db8:1:2:${n.toString(16)}::1`] as const)
  assert.is(await heldOf(guesses), 40 - PATIENCE.pair.free)
  assert.is(await guess('six@example.com', '2001:db8:1:3::1'), false)
  for (let n = 0; n < PATIENCE.pair.free; n++) await guess('mapped@example.com', '::ffff:192.0.2.1')
  assert.is(await guess('mapped@example.com', '192.0.2.1'), true)
})

test('is forgotten after an hour of quiet, and the wait has an end', async () => {
  for (let n = 0; n < 40; n++) {
    await guess('quiet@example.com', HOME)
    service.advance(1_000_000)
  }
  const wait = await service.auth.attempts.begin('quiet@example.com', HOME)
  assert.ok(wait === undefined || wait <= PATIENCE.pair.waitSecondsMax)
  service.advance(HOUR_MS + 1_000)
  assert.is(await guess('quiet@example.com', HOME), false)
})

test('logins that are right are no guesses, however many there are', async () => {
  for (let n = 0; n < PATIENCE.address.free + 20; n++) assert.ok(await right(`member-${n}@example.com`, '192.0.2.55'), String(n))
})

test.run()
