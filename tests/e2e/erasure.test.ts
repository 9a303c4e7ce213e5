// limit: 240 s
import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { datastoreOf, order, remove, removed, started } from '../support/datastores.ts'
import { inFiles, whereFound } from '../support/everything-written.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'

const test = suite('an organisation that is erased from an instance')

const mark = randomUUID().slice(0, 8)
/** What its people said in their own words, each to be found nowhere. */
const words = {
  login: `canary-${mark}@people.test`,
  'first name': `Firstname-${mark}`,
  'last name': `Lastname-${mark}`,
  datastore: `orders of ${mark}`,
  tag: `tagged-${mark}`,
  mail: `mailbox-${mark}@people.test`,
  client: `client-${mark}`,
  address: '198.51.100.213',
}
const forwarded = { 'X-Forwarded-For': words.address }

let instance: RunningInstance
let api: Api
let password: string
let uuid: string

test.before(async () => {
  // The address of a request comes from the proxy in front.
  instance = await startInstance({ separate: false, settings: { BEHIND_PROXY: 'true' } })
})
test.after(() => instance?.down())

const json = () => {
  const asked = order({ name: words.datastore, size: 1 })
  const notifications = { enabled: true, emails: [words.mail] }
  return { ...asked, general: { ...asked.general, tags: [words.tag] }, notifications }
}

test('was there, and its people saw their own words', async () => {
  const names = ['--first-name', words['first name'], '--last-name', words['last name']]
  const printed = await instance.ccx('user', 'add', words.login, ...names)
  password = /^password: (\S+)$/m.exec(printed)?.[1] ?? ''
  const signedIn = await instance.signIn({ login: words.login, password })
  api = (path, asking = {}) => signedIn(path, { ...asking, headers: { ...forwarded, ...asking.headers } })
  await instance.ccx('client', 'add', words.login, '--name', words.client)

  const key = randomUUID()
  const create = () => api('/api/prov/api/v2/cluster', { method: 'POST', json: json(), headers: { 'Idempotency-Key': key } })
  const first = await create()
  const again = await create()
  assert.equal(again.body, first.body)
  uuid = z.object({ uuid: z.uuid(), cluster_name: z.literal(words.datastore) }).parse(first.body).uuid
  await started(api, uuid)
  const { body } = await api(`/api/deployment/v3/data-stores/${uuid}`)
  const seen = z.object({ cluster_name: z.string(), tags: z.array(z.string()), notifications: z.unknown() }).parse(body)
  assert.equal(seen, { cluster_name: words.datastore, tags: [words.tag], notifications: json().notifications })
  const clients = await api('/api/v2/auth/oauth2/clients')
  assert.ok(JSON.stringify(clients.body).includes(words.client))
  const { body: jobs } = await api(`/api/deployment/v2/data-stores/${uuid}/jobs`)
  assert.ok(JSON.stringify(jobs).includes(words.login))
})

test('is not erased while it has a datastore', async () => {
  const refusal = await instance.ccx('erase', words.login, '--yes').then(() => '', String)
  assert.match(refusal, uuid)
  assert.ok((await datastoreOf(api, uuid)).cluster_status === 'STARTED')
})

test('is locked out once it is erased, and so are its clients', async () => {
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  const printed = await instance.ccx('erase', words.login, '--yes')
  assert.match(printed, accountIdOf(words.login))
  assert.is((await api('/api/deployment/v3/data-stores')).status, 401)
  await instance.signIn({ login: words.login, password }).then(() => assert.unreachable(), () => undefined)
  // Done again it changes nothing.
  await instance.ccx('erase', words.login, '--yes')
})

test('has left its ids, and not one of its words in any file of any store', async () => {
  await instance.stop()
  const written = inFiles(instance.stateDir)
  assert.equal(whereFound(words, written), [])
  // That the search finds what is there.
  const places = whereFound({ id: uuid }, written)
  assert.ok(places.some((place) => place.includes('/postgres/')), places.join(', '))
  assert.ok(places.some((place) => place.includes('/logs/')), places.join(', '))
})

test.run()
