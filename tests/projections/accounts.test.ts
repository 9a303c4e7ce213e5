import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AccountEvent } from '../../domain/account/account.ts'
import { accounts } from '../../projections/accounts.ts'
import { oauthClients } from '../../projections/oauth-clients.ts'
import { noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('accounts and their clients, as they are read')

const about = { accountId: 'acc_1', at: noon }
const registered: AccountEvent = {
  type: 'AccountRegistered',
  data: { ...about, login: sealed('Me@Example.com'), firstName: sealed('Me'), lastName: sealed('Doe'), isAdmin: false },
}
const client: AccountEvent = {
  type: 'ClientCreated',
  data: { ...about, clientId: 'cli_1', name: sealed('terraform'), expiresAt: null },
}
const revoked: AccountEvent = { type: 'ClientRevoked', data: { ...about, clientId: 'cli_1' } }
const erased: AccountEvent = { type: 'OrganisationErased', data: { ...about, clientIds: ['cli_1'] } }
const log = (...events: readonly AccountEvent[]) => recorded(() => 'account-acc_1', events)

test('an account can be read once it is registered', () => {
  assert.equal([...rowsAfter(accounts, log(registered, client)).values()], [
    {
      account_id: 'acc_1',
      login: sealed('Me@Example.com'),
      first_name: sealed('Me'),
      last_name: sealed('Doe'),
      is_admin: false,
      created_at: noon,
    },
  ])
})

test('a client can be read until it is revoked', () => {
  assert.equal([...rowsAfter(oauthClients, log(registered, client)).values()], [
    { client_id: 'cli_1', owner_id: 'acc_1', name: sealed('terraform'), created_at: noon, expires_at: null },
  ])
  assert.is(rowsAfter(oauthClients, log(registered, client, revoked)).size, 0)
})

test('nothing is left of one that is erased', () => {
  assert.is(rowsAfter(accounts, log(registered, client, erased)).size, 0)
  assert.is(rowsAfter(oauthClients, log(registered, client, erased)).size, 0)
})

test.run()
