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
      to_confirm: false,
      issuer: null,
      customer_reference: null,
      terms: null,
      suspended: false,
      suspended_because: null,
      deleted: false,
      created_at: noon,
    },
  ])
})

test('one that registered himself is to be confirmed until he is', () => {
  const himself: AccountEvent = { ...registered, data: { ...registered.data, toConfirm: true, terms: ['PrivacyPolicyV1'] } }
  const confirmed: AccountEvent = { type: 'LoginConfirmed', data: about }
  const rowOf = (...events: readonly AccountEvent[]) => [...rowsAfter(accounts, log(...events)).values()][0]
  assert.is(rowOf(himself)?.to_confirm, true)
  assert.equal(rowOf(himself)?.terms, ['PrivacyPolicyV1'])
  assert.is(rowOf(himself, confirmed)?.to_confirm, false)
})

test('one whom an issuer vouches for is read with what bills call him', () => {
  const external = { issuer: 'portal', subject: sealed('project-7') }
  const row = [...rowsAfter(accounts, log({ ...registered, data: { ...registered.data, external } })).values()][0]
  assert.equal([row?.issuer, row?.customer_reference], ['portal', sealed('project-7')])
})

test('a client can be read until it is revoked', () => {
  assert.equal([...rowsAfter(oauthClients, log(registered, client)).values()], [
    {
      client_id: 'cli_1', owner_id: 'acc_1', organisation_id: null, role: null, name: sealed('terraform'),
      created_at: noon, expires_at: null,
    },
  ])
  assert.is(rowsAfter(oauthClients, log(registered, client, revoked)).size, 0)
})

test('a suspended account is told so with its reason until it is let in again, and a deleted one stays to be counted', () => {
  const suspended: AccountEvent = { type: 'AccountSuspended', data: { ...about, reason: sealed('the bill') } }
  const unsuspended: AccountEvent = { type: 'AccountUnsuspended', data: about }
  const deleted: AccountEvent = { type: 'AccountDeleted', data: { ...about, clientIds: ['cli_1'] } }
  const told = (...events: readonly AccountEvent[]) =>
    [...rowsAfter(accounts, log(registered, client, ...events)).values()].map((row) => [
      row.suspended, row.suspended_because, row.deleted,
    ])
  assert.equal(told(suspended), [[true, sealed('the bill'), false]])
  assert.equal(told(suspended, unsuspended), [[false, null, false]])
  assert.equal(told(deleted), [[false, null, true]])
  assert.is(rowsAfter(oauthClients, log(registered, client, deleted)).size, 0)
})

test('nothing is left of one that is erased', () => {
  assert.is(rowsAfter(accounts, log(registered, client, erased)).size, 0)
  assert.is(rowsAfter(oauthClients, log(registered, client, erased)).size, 0)
})

test.run()
