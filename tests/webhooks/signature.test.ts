import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newSigningSecret, signatures } from '../../infra/webhooks/signature.ts'

const test = suite('the signature of a webhook')

test('is that of the published example of Standard Webhooks', () => {
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330, body: '{"test": 2432232314}' }
  const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  assert.is(signatures(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], message), expected)
})

test('is an HMAC-SHA256 of id, time and body as they are sent, whatever they hold', () => {
  const secret = newSigningSecret()
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 0 }), fc.string({ unit: 'binary' }), (id, timestampSeconds, body) => {
      const hmac = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64'))
      for (const part of [id, '.', `${timestampSeconds}`, '.', Buffer.from(body)]) hmac.update(part)
      assert.is(signatures([secret], { id, timestampSeconds, body }), `v1,${hmac.digest('base64')}`)
    }),
  )
})

test('comes once for each secret, with a space between', () => {
  const [one, other] = [newSigningSecret(), newSigningSecret()]
  const message = { id: 'm', timestampSeconds: 1, body: '{}' }
  assert.is(signatures([one, other], message), `${signatures([one], message)} ${signatures([other], message)}`)
})

test('has a secret of 32 random bytes, named as such', () => {
  const secrets = Array.from({ length: 50 }, newSigningSecret)
  assert.is(new Set(secrets).size, 50)
  for (const secret of secrets) {
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    assert.is(Buffer.from(secret.slice(6), 'base64').length, 32)
  }
})

test.run()
