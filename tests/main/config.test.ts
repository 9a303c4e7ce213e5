import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../infra/config.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'

const test = suite('the configuration')

const URLS = {
  EVENTSTORE_URL: 'esdb://ccx:hidden@127.0.0.1:2113?tls=true&tlsCaFile=%2Fca.pem',
  EVENTSTORE_DB_URL: 'postgres://u:hidden@127.0.0.1/e',
  NATS_URL: 'nats://u:hidden@127.0.0.1:4222',
  CCX_DB_URL: 'postgres://u:hidden@127.0.0.1/c',
  CMON_DB_URL: 'mysql://u:hidden@127.0.0.1/m',
  SMTP_URL: 'smtps://u:hidden@127.0.0.1',
}

test('addresses that hold a password leave the environment once they are read', () => {
  const env: NodeJS.ProcessEnv = { ...URLS, HTTP_PORT: '8081' }
  assert.is(readConfig(env).eventStoreUrl, URLS.EVENTSTORE_URL)
  assert.equal(env, { HTTP_PORT: '8081' })
})

test('a malformed address is named, and not repeated', () => {
  for (const name of Object.keys(URLS).filter((it) => it !== 'NATS_URL')) {
    try {
      readConfig({ [name]: 'gopher://u:hidden@127.0.0.1' })
      assert.unreachable(name)
    } catch (error) {
      assert.match(String(error), name)
      assert.not.match(String(error), 'hidden')
    }
  }
})

const JWT = { JWT_PUBLIC_KEY_ID: 'portal', JWT_JWKS_URL: 'https://portal.example/keys' }

test('issuers come from settings of their own and from a file', () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, 'issuers.json')
    const listed = [{ issuer: 'b', public_key_pem: 'pem' }, { issuer: 'c', jwks_url: 'http://127.0.0.1:1/keys' }]
    await writeFile(file, JSON.stringify(listed))
    const { issuers } = readConfig({ ...JWT, JWT_ISSUERS_FILE: file }).jwt
    const [portal, ...filed] = issuers
    assert.equal(portal, { issuer: 'portal', jwksUrl: JWT.JWT_JWKS_URL })
    assert.equal(filed, [{ issuer: 'b', publicKeyPem: 'pem' }, { issuer: 'c', jwksUrl: 'http://127.0.0.1:1/keys' }])
    assert.equal(readConfig({}).jwt.issuers, [])
  }))

test('keys of issuers come neither by plain http from elsewhere, nor from nowhere', () => {
  assert.throws(() => readConfig({ ...JWT, JWT_JWKS_URL: 'http://portal.example/keys' }), /JWT_JWKS_URL/)
  assert.throws(() => readConfig({ JWT_PUBLIC_KEY_ID: 'portal' }), /JWT_PUBLIC_KEY_PEM/)
})

test('rates are so many a second and so many at once, or off', () => {
  const { limits } = readConfig({ RATE_LIMIT_USER: '2.5/10', RATE_LIMIT_SIGN_IN: 'off' }).http
  assert.equal(limits, { user: { perSecond: 2.5, burst: 10 }, address: { perSecond: 20, burst: 200 }, signIn: undefined })
  for (const rate of ['10', '0/10', '10/0', '-1/5', 'many']) {
    assert.throws(() => readConfig({ RATE_LIMIT_USER: rate }), /RATE_LIMIT_USER/)
  }
})

test.run()
