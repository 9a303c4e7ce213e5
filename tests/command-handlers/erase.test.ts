import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Erasing, eraseOrganisation } from '../../command-handlers/auth/erase.ts'
import { causeBy, createClient, registerAccount } from '../../command-handlers/auth/register.ts'
import { handle } from '../../command-handlers/handle.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import { organisation } from '../../domain/organisation/organisation.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData, sealed } from '../support/personal-data.ts'

const test = suite('an organisation that is erased')
const actor = { kind: 'operator', id: 'command-line' } as const

/** Keeps what was done, in its order. */
const scene = async () => {
  const store = memoryEventStore()
  const done: string[] = []
  const note = (what: string) => async (): Promise<void> => void done.push(what)
  const credentials = { keep: async () => true, issue: async () => 'secret' }
  const registry = { store, credentials, personal: openPersonalData, now: () => noon }
  const person = { login: 'ada@example.test', password: 'x', firstName: 'Ada', lastName: 'L', isAdmin: false }
  const made = await registerAccount(registry, person, actor)
  if ('rejection' in made) throw new Error('BUG: the login is free')
  const { accountId } = made
  const client = await createClient(registry, { accountId, name: 'ci', expiresAt: null }, causeBy(actor, accountId))
  if ('rejection' in client) throw new Error('BUG: a client can be made')
  const datastores: string[] = []
  const erasing: Erasing = {
    store,
    credentials: { forget: async (subjects) => void done.push(`forget ${subjects.length}`) },
    sessions: { endAllOf: note('end sessions') },
    leave: note('leave'),
    datastoresOf: async () => datastores,
    settled: note('settle'),
    endings: [note('end webhooks')],
    destroyKey: note('destroy key'),
    now: () => noon,
  }
  const typesOf = async () => (await store.read(`account-${accountId}`)).events.map(({ type }) => type)
  return { accountId, clientId: client.clientId, erasing, done, datastores, typesOf, store, registry }
}

const refused = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
  return 'not refused'
}

test('is closed first, and its key is destroyed last', async () => {
  const { accountId, clientId, erasing, done, typesOf, store } = await scene()
  await eraseOrganisation(erasing, accountId, actor)
  assert.equal(done, ['leave', 'settle', 'end sessions', 'forget 2', 'end webhooks', 'destroy key'])
  assert.equal(await typesOf(), ['AccountRegistered', 'ClientCreated', 'OrganisationErased'])
  const { events } = await store.read(`account-${accountId}`)
  assert.equal(events.at(-1)?.data, { accountId, at: noon, clientIds: [clientId] })
})

test('may be erased again, after an erasure that was cut off', async () => {
  const { accountId, erasing, done, typesOf } = await scene()
  const cut = { ...erasing, destroyKey: () => Promise.reject(new Error('killed')) }
  await eraseOrganisation(cut, accountId, actor).then(() => assert.unreachable(), () => undefined)
  done.length = 0
  await eraseOrganisation(erasing, accountId, actor)
  assert.equal(done, ['leave', 'settle', 'end sessions', 'forget 2', 'end webhooks', 'destroy key'])
  assert.is((await typesOf()).filter((type) => type === 'OrganisationErased').length, 1)
})

test('has no datastores left: as long as it has one it is refused, and nothing is done', async () => {
  const { accountId, erasing, done, datastores, typesOf } = await scene()
  datastores.push('clu_1')
  assert.is(await refused(eraseOrganisation(erasing, accountId, actor)), 'organisation-in-use')
  assert.equal(done, [])
  assert.equal(await typesOf(), ['AccountRegistered', 'ClientCreated'])
})

test('keeps its key while a datastore that was asked for at the last moment needs it', async () => {
  const { accountId, erasing, done, datastores } = await scene()
  const late = { ...erasing, settled: async () => void datastores.push('clu_late') }
  assert.is(await refused(eraseOrganisation(late, accountId, actor)), 'organisation-in-use')
  assert.not.ok(done.includes('destroy key'))
})

test('makes no clients any more, and an account that never was cannot be erased', async () => {
  const { accountId, erasing, registry } = await scene()
  await eraseOrganisation(erasing, accountId, actor)
  const made = await createClient(registry, { accountId, name: 'ci', expiresAt: null }, causeBy(actor, accountId))
  assert.is('rejection' in made && made.rejection.rejected, 'account-erased')
  assert.is(await refused(eraseOrganisation(erasing, 'acc_unknown', actor)), 'account-not-found')
})

test('of several people is erased by its id, while its members keep their accounts', async () => {
  const { accountId, erasing, done, typesOf, store } = await scene()
  const send = handle({ store }, organisation, ({ data }) => `organisation-${data.organisationId}`)
  const made = { organisationId: 'org_1', name: sealed('Weather'), userId: accountId, now: noon }
  await send({ type: 'CreateOrganisation', data: made }, causeBy(actor, 'org_1'))
  await eraseOrganisation(erasing, 'org_1', actor)
  assert.equal(done, ['settle', 'end sessions', 'forget 1', 'end webhooks', 'destroy key'])
  const { events } = await store.read('organisation-org_1')
  assert.equal(events.map(({ type }) => type), ['OrganisationCreated', 'OrganisationDeleted', 'OrganisationDataErased'])
  assert.equal(await typesOf(), ['AccountRegistered', 'ClientCreated'])
})

test.run()
