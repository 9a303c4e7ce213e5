import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { authenticator } from '../../command-handlers/auth/authenticator.ts'
import { causeOf } from '../../command-handlers/cause.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData, sealed } from '../support/personal-data.ts'

const test = suite('what an event says of who asked')

const names = { login: 'me@example.test', firstName: '', lastName: '' }
const account = { accountId: 'acc_1', ...names, createdAt: noon, suspended: false, toConfirm: false, terms: null }
const client = {
  clientId: 'cli_1', accountId: 'acc_1', organisationId: null, role: null, name: 'ci', createdAt: noon, expiresAt: null,
}

/** The actor of a command that comes with a session, or with the token of a client, of that account. */
const actorOf = async (kind: 'session' | 'token', isAdmin: boolean) => {
  const clientId = kind === 'token' ? client.clientId : null
  const authenticate = authenticator({
    sessions: { find: async () => ({ sessionId: 'ses_1', accountId: 'acc_1', kind, clientId, expiresAt: noon }) },
    directory: { accountById: async () => ({ ...account, isAdmin }), clientById: async () => client },
    roleIn: async () => undefined,
  })
  const principal = await authenticate((name) => (name === 'authorization' ? 'Bearer token' : undefined))
  if (principal === undefined) throw new Error('BUG: nobody is signed in')
  const request = { principal, requestId: 'req_1', address: '192.0.2.1' }
  const cause = await causeOf(request, 'cmd_1', { seal: openPersonalData.seal, traceparent: undefined })
  const { actor, ...why } = cause
  const ids = { commandId: 'cmd_1', correlationId: 'cmd_1', causationId: 'req_1', requestId: 'req_1' }
  assert.equal(why, { ...ids, organisationId: 'acc_1' })
  return actor
}

test('names the user, his role and, sealed, his address', async () => {
  const address = sealed('192.0.2.1')
  assert.equal(await actorOf('session', false), { kind: 'user', id: 'acc_1', role: 'owner', address })
  assert.equal(await actorOf('session', true), { kind: 'operator', id: 'acc_1', role: 'admin', address })
})

test('names the client that acted for the user, who is no operator then', async () => {
  const address = sealed('192.0.2.1')
  for (const isAdmin of [false, true]) {
    const actor = await actorOf('token', isAdmin)
    assert.equal(actor, { kind: 'client', id: 'acc_1', clientId: 'cli_1', role: 'owner', address })
  }
})

test.run()
