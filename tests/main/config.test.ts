import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../../infra/config.ts'

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

test.run()
