import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type AccountCommand, type AccountEvent, account } from '../../domain/account/account.ts'
import { noon } from '../support/examples.ts'
import { fold, given } from '../support/given.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('an account')

const accountId = 'acc_1'
const about = { accountId, at: noon }
const person = { login: sealed('ada@example.test'), firstName: sealed('Ada'), lastName: sealed('L'), isAdmin: false }
const evening = '2030-01-01T18:00:00.000Z'

const register: AccountCommand = { type: 'RegisterAccount', data: { accountId, ...person, now: noon } }
const createClient = (clientId = 'cli_1', expiresAt: string | null = null): AccountCommand => ({
  type: 'CreateClient',
  data: { accountId, clientId, name: sealed('ci'), expiresAt, now: noon },
})
const revokeClient = (clientId = 'cli_1'): AccountCommand => ({
  type: 'RevokeClient',
  data: { accountId, clientId, now: noon },
})

const registered: AccountEvent = { type: 'AccountRegistered', data: { ...about, ...person } }
const clientCreated = (clientId = 'cli_1', expiresAt: string | null = null): AccountEvent => ({
  type: 'ClientCreated',
  data: { ...about, clientId, name: sealed('ci'), expiresAt },
})
const revoked = (clientId = 'cli_1'): AccountEvent => ({ type: 'ClientRevoked', data: { ...about, clientId } })

test('someone new is registered', () => given(account).when(register).then(registered))

test('a login is taken once', () => given(account, registered).when(register).thenRejected('login-taken'))

test('nothing can be asked of an account that is not there', () => {
  given(account).when(createClient()).thenRejected('account-not-found')
  given(account).when(revokeClient()).thenRejected('account-not-found')
})

test('a client may last for ever or until an instant to come', () => {
  given(account, registered).when(createClient()).then(clientCreated())
  given(account, registered).when(createClient('cli_2', evening)).then(clientCreated('cli_2', evening))
})

test('a client may not have expired before it begins', () => {
  given(account, registered).when(createClient('cli_1', noon)).thenRejected('expiry-in-the-past')
  given(account, registered).when(createClient('cli_1', '2029-12-31T23:59:59.999Z')).thenRejected('expiry-in-the-past')
})

test('creating the same client again changes nothing, revoked or not', () => {
  given(account, registered, clientCreated()).when(createClient()).thenNothing()
  given(account, registered, clientCreated(), revoked()).when(createClient()).thenNothing()
})

test('a client is revoked once', () => {
  given(account, registered, clientCreated()).when(revokeClient()).then(revoked())
  given(account, registered, clientCreated(), revoked()).when(revokeClient()).thenNothing()
})

test('revoking one client leaves the others', () =>
  given(account, registered, clientCreated(), clientCreated('cli_2'), revoked())
    .when(revokeClient('cli_2'))
    .then(revoked('cli_2')))

test('a client that was never created cannot be revoked', () =>
  given(account, registered, clientCreated()).when(revokeClient('cli_9')).thenRejected('client-not-found'))

const erase: AccountCommand = { type: 'EraseOrganisation', data: { accountId, now: noon } }
const erased = (...clientIds: string[]): AccountEvent => ({ type: 'OrganisationErased', data: { ...about, clientIds } })

test('an erasure names the clients that were not revoked', () =>
  given(account, registered, clientCreated(), clientCreated('cli_2'), revoked()).when(erase).then(erased('cli_2')))

test('an account is erased once, and nothing can be asked of it any more', () => {
  given(account, registered, erased()).when(erase).thenNothing()
  for (const command of [createClient(), revokeClient()]) {
    given(account, registered, erased()).when(command).thenRejected('account-erased')
  }
})

test('an erased login is never given to another', () =>
  given(account, registered, erased()).when(register).thenRejected('login-taken'))

const openStream: AccountCommand = { type: 'OpenEventStream', data: { accountId, now: noon } }
const closeStream: AccountCommand = { type: 'CloseEventStream', data: { accountId, now: noon } }
const streamOpened: AccountEvent = { type: 'EventStreamOpened', data: about }
const streamClosed: AccountEvent = { type: 'EventStreamClosed', data: about }

test('every opening of an event stream is told, since it makes new credentials', () => {
  given(account, registered).when(openStream).then(streamOpened)
  given(account, registered, streamOpened).when(openStream).then(streamOpened)
  given(account, registered, streamOpened, streamClosed).when(openStream).then(streamOpened)
})

test('an event stream is closed once, and one that was never opened is closed already', () => {
  given(account, registered).when(closeStream).thenNothing()
  given(account, registered, streamOpened).when(closeStream).then(streamClosed)
  given(account, registered, streamOpened, streamClosed).when(closeStream).thenNothing()
})

test('an erased account has no event stream any more', () =>
  given(account, registered, streamOpened, erased()).when(openStream).thenRejected('account-erased'))

test('no event but the registration can come first', () =>
  assert.throws(() => fold(account, [clientCreated()]), /BUG/))

const himself: AccountEvent = { ...registered, data: { ...about, ...person, toConfirm: true } }
const confirm: AccountCommand = { type: 'ConfirmLogin', data: { accountId, now: noon } }
const confirmed: AccountEvent = { type: 'LoginConfirmed', data: about }
const changePassword = (by: 'password' | 'mail'): AccountCommand => ({
  type: 'ChangePassword',
  data: { accountId, by, now: noon },
})
const passwordChanged = (by: 'password' | 'mail'): AccountEvent => ({ type: 'PasswordChanged', data: { ...about, by } })
const rotate: AccountCommand = {
  type: 'RotateClient',
  data: { accountId, clientId: 'cli_1', previousUntil: evening, now: noon },
}

test('one who registered himself is confirmed once', () => {
  const asked: AccountCommand = { type: 'RegisterAccount', data: { accountId, ...person, toConfirm: true, now: noon } }
  given(account).when(asked).then(himself)
  given(account, himself).when(confirm).then(confirmed)
  given(account, himself, confirmed).when(confirm).then()
})

test('one whom somebody else registered has nothing to confirm', () => given(account, registered).when(confirm).then())

test('a password that is set by way of a mail confirms the login, and another does not', () => {
  given(account, himself).when(changePassword('mail')).then(confirmed, passwordChanged('mail'))
  given(account, himself).when(changePassword('password')).then(passwordChanged('password'))
  given(account, registered).when(changePassword('mail')).then(passwordChanged('mail'))
})

test('one whom an issuer vouches for has no password', () => {
  const external = { issuer: 'portal', subject: sealed('project-7') }
  const vouched: AccountEvent = { ...registered, data: { ...about, ...person, external } }
  given(account, vouched).when(changePassword('mail')).thenRejected('no-password')
})

test('a client that is there gets another secret, and no other does', () => {
  const rotated: AccountEvent = { type: 'ClientRotated', data: { ...about, clientId: 'cli_1', previousUntil: evening } }
  given(account, registered, clientCreated()).when(rotate).then(rotated)
  given(account, registered).when(rotate).thenRejected('client-not-found')
  given(account, registered, clientCreated(), revoked()).when(rotate).thenRejected('client-not-found')
})

test.run()
